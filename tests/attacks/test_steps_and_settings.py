"""No unrelated setting removes a proof (security A1, A2)."""

from itertools import product

import pytest

from tests.support.answers import Account
from tests.support.channels import CONTACT_CHANNELS, ContactChannel, notice_to, other
from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

STALE_SECONDS = 16 * 60
# Each flag in both positions, so that each pair of positions of two neighbours occurs.
FLAGS = (
    *("SIGN_UP_OPEN", "INTERNATIONAL_NUMBERS", "SHOW_ADDRESS", "SHOW_BIRTHDAY", "ADVERTS_SHOWN"),
    *("SHOW_LAST_ACTIVE", "SHOW_COUNTRY"),
)
PATTERNS = [
    {
        f"HUPAN_{flag}": str((at % 2 == 0) == first if mixed else first).lower()
        for at, flag in enumerate(FLAGS)
    }
    | {"HUPAN_SMS_COUNTRIES": "HK"}
    for first, mixed in product((True, False), (True, False))
]


def stale(wire: WireClient, way: ContactChannel) -> tuple[Account, str]:
    """Return a member with a session that is sixteen minutes old."""
    target = way.fresh(wire)
    account = wire.account(**{way.field: target})
    wire.set_clock(advance=STALE_SECONDS)
    return account, target


def check_change(wire: WireClient, way: ContactChannel) -> None:
    """Check that a stale session must confirm the old target before a change; both are notified."""
    account, old = stale(wire, way)
    new = way.fresh(wire)
    assert way.change(wire, account.token, new, way.code(wire, new)).code > 1
    assert way.bound(wire, account.token) == old
    assert way.change(wire, account.token, old, way.code(wire, old)).code == 1
    assert way.change(wire, account.token, new, way.code(wire, new)).code == 1
    assert way.bound(wire, account.token) == new
    assert notice_to(wire, way, old).text
    assert notice_to(wire, way, new).text


def check_cancel(wire: WireClient, way: ContactChannel) -> None:
    """Check that only a code to a bound contact cancels, even in a fresh session."""
    target, foreign = way.fresh(wire), way.fresh(wire)
    account = wire.account(**{way.field: target})
    for named in (target, foreign):
        code = way.code(wire, foreign)
        assert way.cancel(wire, account.token, named, code).code > 1
    assert other(way).cancel(wire, account.token, other(way).fresh(wire), "100000").code > 1
    assert wire.own_info(account.token).code == 1
    assert way.cancel(wire, account.token, target, way.code(wire, target)).code == 1


@pytest.mark.parametrize(
    "flags", PATTERNS, ids=lambda flags: "".join(flag[0] for flag in flags.values())
)
def test_proof_is_asked_for_under_every_setting(flags: dict[str, str]) -> None:
    """Change and cancellation need the same proof under all other settings (security A1, A2)."""
    with Server("sandbox", environment=flags) as server, WireClient(server) as wire:
        for way in CONTACT_CHANNELS:
            check_change(wire, way)
            check_cancel(wire, way)
