"""Invalid e-mail addresses at every endpoint that takes one (security U7)."""

from pathlib import Path

import pytest

from tests.support.channels import EMAIL
from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = pytest.mark.slow

# Texts that no server accepts, and those that only the lenient profile accepts.
NO_ADDRESSES = [
    *("", " ", "@", "a", "a@", "@b.co", "a@@b.co", "a@b@c.co", "a b@c.co", "a@b c.co", "a,b@c.co"),
    *("a@b.co,evil@y.zz", "a@b.co;evil@y.zz", "a@b.co evil@y.zz", "evil@y.zz,a@b.co", "a@b.co,"),
    *("a@b.co\r\nBcc: evil@y.zz", "a@b.co\nBcc: evil@y.zz", "a@b.co\r", "a@b.co\n", "\na@b.co"),
    *("a\x00@b.co", "a@b.co\x00", "a@b\x00.co", "\x00", "a@b.co\t", "\ta@b.co", "a\x1b[31m@b.co"),
    *("Name <a@b.co>", "<a@b.co>", "mailto:a@b.co", '"a b"@c.co', '"a"@b.co', "a(comment)@b.co"),
    *(
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a@b_c.co",
        "a@b.c!",
        "a;b@c.co",
        "a:b@c.co",
        "<a@b.co",
        "[a]@b.co",
    ),
    *("湖@b.co", "a@湖畔.中国", "a@b.c\u043e", "\uff41@b.co", "a\u200b@b.co", "a@b\u3002co"),
    *("a\u00a0@b.co", "a@b.co\u202e", "\ufeffa@b.co", "é@b.co", "a%00@b.co,c@d.co", "a\\@b.co"),
    *("a" * 65 + "@b.co", "a@" + "b." * 130 + "co"),
]
DOUBTFUL = [
    *("a@b", "a@127.0.0.1", "a@localhost", "a@b.co.", "a@.b.co", "a@b..co", ".a@b.co", "a.@b.co"),
    *("a..b@c.co", "a@-b.co", "a@b-.co", "a@xn--", "a@" + "b" * 64 + ".co"),
]
DOORS: dict[str, dict[str, object]] = {
    "verification/get-email-verification-code": {"code": "ABCD", "id": "unknown"},
    "user/email-login": {"password": "the lake at seven"},
    "user/forget-password": {"captcha": "100000", "password": "the lake at seven"},
    "user/bing-email": {"captcha": "100000"},
    "user/change-email-check": {"captcha": "100000"},
    "user/cancel-user": {"captcha": "100000"},
}
OPEN_DOORS = list(DOORS)[:3]


def taken(wire: WireClient, path: str, texts: list[str], token: str | None) -> dict[str, int]:
    """Return the texts that an endpoint does not refuse by field name, with their codes."""
    codes = {
        text: wire.post(path, {"email": text, **DOORS[path]}, token=token).code for text in texts
    }
    return {text: code for text, code in codes.items() if code != 1100}


@pytest.mark.parametrize("path", DOORS)
def test_what_is_no_address_is_named_everywhere(wire: WireClient, path: str) -> None:
    """Invalid texts are refused by field name, in the same way at each endpoint (security U7)."""
    token = wire.account(email=wire.fresh_email()).token
    assert taken(wire, path, NO_ADDRESSES, token) == {}


@pytest.mark.slow
@pytest.mark.one_engine
def test_a_server_takes_no_doubtful_address_either(tmp_path: Path) -> None:
    """`hupan serve`, which requires a full domain, refuses more than sixty texts (U7)."""
    everything = [*NO_ADDRESSES, *DOUBTFUL]
    assert len(set(everything)) >= 60
    with Server("serve", "--data-dir", str(tmp_path)) as server, WireClient(server) as wire:
        for path in OPEN_DOORS:
            assert taken(wire, path, everything, None) == {}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Plus.Tag+1@Example.COM", "Plus.Tag+1@example.com"),
        ("UPPER@EXAMPLE.ORG", "UPPER@example.org"),
        ("a_b-c.d!#$%&'*+/=?^`{|}~@sub.example.net", "a_b-c.d!#$%&'*+/=?^`{|}~@sub.example.net"),
        ("1@2.example.com", "1@2.example.com"),
    ],
)
def test_an_address_is_kept_as_written_and_unique_as_folded(
    wire: WireClient, written: str, kept: str
) -> None:
    """The local part keeps its case, the domain does not; case makes no second account (U7)."""
    local, _, domain = written.partition("@")
    serial = wire.fresh_phone()
    mine, shown = f"{local[:50]}{serial}@{domain}", f"{local[:50]}{serial}@{kept.partition('@')[2]}"
    account = wire.account()
    assert EMAIL.bind(wire, account.token, mine, EMAIL.code(wire, mine)).code == 1
    assert wire.own_info(account.token).pb_data.text(7) == shown
    for other in (mine.lower(), mine.upper(), mine.swapcase()):
        thief = wire.account()
        wire.ask_email(other)
        code = wire.list_outbox("email", shown)[0].code
        assert EMAIL.bind(wire, thief.token, other, code).code > 1
        assert wire.own_info(thief.token).pb_data.text(7) == ""
