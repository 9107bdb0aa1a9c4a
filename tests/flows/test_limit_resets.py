"""An operator forgets counts while the server runs (security C5, C6, E4)."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.elsewhere import BEHIND_A_PROXY, Elsewhere, apart, begin_an_hour
from tests.servers import Server
from tests.wire.client import WireClient

HERE, BESIDE = "203.0.113.9", "203.0.113.10"
NOBODY, TOO_MANY, TOO_MANY_FROM_HERE, WRONG_CODE = 4402, 1203, 1204, 1202


def reset(folder: Path, who: str) -> None:
    """`hupan limits reset`, as an operator types it."""
    command = [str(Path(sys.executable).with_name("hupan")), "limits", "reset", who]
    place = ["--data-dir", str(folder)]
    done = subprocess.run(  # noqa: S603 - our own executable, fixed arguments
        [*command, *place], capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.one_engine
def test_addresses_and_accounts_are_forgotten_in_the_servers_memory(tmp_path: Path) -> None:
    """Of an address, of a network, of an account: what it counts, and nobody else's."""
    arguments = ("--limits", "--data-dir", str(tmp_path))
    with (
        Server("sandbox", *arguments, environment=BEHIND_A_PROXY) as server,
        WireClient(server) as wire,
    ):
        begin_an_hour(wire)
        here, beside = Elsewhere(wire, HERE), Elsewhere(wire, BESIDE)
        account = wire.account()
        for number in range(60):
            assert here.guess(apart(number)).code == WRONG_CODE
            assert beside.guess(apart(number)).code == WRONG_CODE
            far = Elsewhere(wire, f"198.51.{number}.1")
            assert far.get_user("7", account.token).code == NOBODY
        for one in (here, beside):
            assert one.guess(apart(1)).code == TOO_MANY_FROM_HERE
        elsewhere = Elsewhere(wire, "192.0.2.1")
        assert elsewhere.get_user("7", account.token).code == TOO_MANY
        reset(tmp_path, HERE)
        wire.set_clock(advance=0)  # what is looked at each minute is looked at now
        assert here.guess(apart(1)).code == WRONG_CODE
        assert beside.guess(apart(1)).code == TOO_MANY_FROM_HERE
        assert elsewhere.get_user("7", account.token).code == TOO_MANY
        reset(tmp_path, "203.0.113.0/24")
        reset(tmp_path, account.id)
        wire.set_clock(advance=0)
        assert beside.guess(apart(1)).code == WRONG_CODE
        assert elsewhere.get_user("7", account.token).code == NOBODY


@pytest.mark.one_engine
def test_a_reset_is_done_once(tmp_path: Path) -> None:
    """What comes after it counts again, though the wish is still there to be read."""
    arguments = ("--limits", "--data-dir", str(tmp_path))
    with (
        Server("sandbox", *arguments, environment=BEHIND_A_PROXY) as server,
        WireClient(server) as wire,
    ):
        begin_an_hour(wire)
        here = Elsewhere(wire, HERE)
        reset(tmp_path, HERE)
        wire.set_clock(advance=0)
        for number in range(60):
            assert here.guess(apart(number)).code == WRONG_CODE
        wire.set_clock(advance=0)
        assert here.guess(apart(1)).code == TOO_MANY_FROM_HERE
