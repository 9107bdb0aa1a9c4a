r"""One text gets one verdict, in every form and field (security U5).

NUL is refused everywhere: PostgreSQL cannot store it, SQLite would.

It comes as `\u0000` in JSON, as a byte in protobuf, and as `%00` in a query.
"""

import unicodedata
from dataclasses import replace

import pytest

from tests.support import pb
from tests.support.answers import Account
from tests.support.client import WireClient
from tests.support.endpoint_calls import CALLS, Call

pytestmark = pytest.mark.slow

NICKNAME = "user/edit-nickname"
# Text -> the stored form; None if it is refused.
CORPUS: dict[str, str | None] = {
    **{
        text: text
        for text in ("a", "湖", "Ünïcode", "a b", "<b>", "a&b", "'--", "%s", "👩‍👩‍👧", "🇨🇳", "☺️")
    },
    **{text: unicodedata.normalize("NFC", text) for text in ("e\u0301", "\u212b", "\u1112\u1161")},
    **{f" {text}\t": text for text in ("trimmed", "湖畔")},
    **{f"a{chr(code)}b": None for code in (0, 1, 8, 9, 10, 13, 27, 31, 127, 128, 133, 159)},
    **{f"a{chr(code)}b": None for code in (0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010))},
    **{f"a{chr(code)}b": None for code in (*range(0x2028, 0x202F), *range(0x2060, 0x2070))},
    **{f"a{chr(code)}b": None for code in (0xFEFF, 0xFFF9, 0xFFFE, 0xE000, 0xF8FF, 0x378, 0xE0001)},
    **{f"a{chr(code)}b": None for code in (0x3164, 0x115F, 0x2800, 0xFFA0, 0x10FFFF, 0xF0000)},
    **{"a" + "\u0316" * many: None for many in (4, 10, 60)},
    "\u0301a": None,
    "a\u0316\u0317": "a\u0316\u0317",
    "王𮯰\U000323b0": "王𮯰\U000323b0",
    "می\u200cخواهم": "می\u200cخواهم",
    "ශ්\u200dරී": "ශ්\u200dරී",
    "a" + "\u0344" * 9: None,
    "a\u200cb": None,
}
BLANK = ("", " ", "\u3000", "\t\n", "\u200b", "\u200d", "\u00a0")
TOO_LONG = ("n" * 33, "湖" * 33, "👩‍👩‍👧" * 20, "n" * 129)


def in_protobuf(wire: WireClient, who: Account, text: str) -> int:
    """Return the code for a nickname sent as protobuf."""
    return wire.post(NICKNAME, pb.text(3, text), token=who.token).code


def in_json(wire: WireClient, who: Account, text: str) -> int:
    """Return the code for a nickname sent in the JSON form of the same message."""
    headers = {"content-type": "application/json"}
    reply = wire.request(
        "POST", f"/v1/{NICKNAME}", {"name": text}, token=who.token, headers=headers
    )
    code: int = reply.json()["status"]["code"]
    return code


def as_introduction(wire: WireClient, who: Account, text: str) -> int:
    """Return the code for an introduction."""
    return wire.post("user/save-user-data", {"city": text}, token=who.token).code


def as_remark(wire: WireClient, who: Account, text: str) -> int:
    """Return the code for a friend's remark name."""
    body = {"friendId": who.id, "name": text, "phone": "", "others": ""}
    return wire.post("user/save-user-remarks", body, token=wire.account().token).code


@pytest.mark.one_engine
def test_forms_and_fields_agree(wire: WireClient) -> None:
    """Protobuf, JSON, a city and a remark accept and refuse the same characters (security U5)."""
    who = wire.account()
    odd = {}
    for text, kept in CORPUS.items():
        codes = [
            take(wire, who, text) for take in (in_protobuf, in_json, as_introduction, as_remark)
        ]
        if set(codes) != {1100 if kept is None else 1}:
            odd[text] = codes
    assert odd == {}


@pytest.mark.one_engine
def test_what_is_taken_is_kept_in_one_form(wire: WireClient) -> None:
    """Accepted text is normalised, trimmed, and the same for every reader (security U5)."""
    who = wire.account()
    for text, kept in CORPUS.items():
        if kept is not None:
            assert in_protobuf(wire, who, text) == 1
            assert wire.own_info(who.token).pb_data.text(2) == kept
            assert wire.get_user(who.id).pb_data.text(2) == kept


@pytest.mark.one_engine
def test_a_name_is_seen_and_short(wire: WireClient) -> None:
    """An invisible name, or one over 32 characters or 128 bytes, is refused (U5)."""
    who = wire.account(nickname="before")
    for text in (*BLANK, *TOO_LONG):
        assert in_protobuf(wire, who, text) == 1100, text
        assert in_json(wire, who, text) == 1100, text
    assert wire.own_info(who.token).pb_data.text(2) == "before"


FAILED = {1000, 1001, 1002, 1003}
"""The codes of server errors."""
LET_BE = {
    ("/v1/user/recommend-category-list", "appChannel"),
    ("/v1/user/recommend-list", "category"),
}
"""Texts that are not stored, and find nothing if they are unknown (wire.md 4)."""
PLACES = ("introduction", "province", "city", "district", "locationCode")
_ON = {"deviceId": "here", "platform": "android"}
FULLER = (
    Call("POST", "/v1/user/verification-login", {"mobile": "1", "captcha": "1", **_ON}),
    Call("POST", "/v1/user/email-login", {"email": "a@example.com", "password": "1", **_ON}),
    Call("POST", "/v1/user/save-user-data", dict.fromkeys(PLACES, "")),
    Call("POST", "/v1/user/cancel-user", {"email": "a@example.com", "captcha": "100000"}),
)
"""Calls with texts that the others omit."""


def with_nul(call: Call) -> dict[str, Call]:
    """Return the request with a NUL in the named text."""
    if isinstance(call.body, dict):
        texts = {name: value for name, value in call.body.items() if isinstance(value, str)}
        return {
            f"{name} {place}": replace(call, body={**call.body, name: bad})
            for name, value in texts.items()
            for place, bad in (("alone", "\x00"), ("behind", f"{value}\x00"), ("within", "a\x00b"))
        }
    if isinstance(call.body, bytes):
        field = call.body[0] >> 3
        bad = {"alone": "\x00", "within": "a\x00b"}
        return {place: replace(call, body=pb.text(field, text)) for place, text in bad.items()}
    return {}


BAD = [call for call in (*CALLS, *FULLER) if call.body]


def test_a_nul_is_refused(wire: WireClient, subtests: pytest.Subtests) -> None:
    """A code says why, it is never a server error, and nothing of the text is stored."""
    for call in BAD:
        with subtests.test(call=call):
            token = wire.account(vipDays=1).token
            for name, bad in with_nul(call).items():
                code = bad.answer(wire, token).code
                assert code not in FAILED, name
                assert code != 1 or (call.path, name.split()[0]) in LET_BE, name


@pytest.mark.parametrize("path", ["homepage?userId=1%00", "gold-coin-increase-decrease-record?%00"])
def test_a_nul_in_a_query_is_no_failure(wire: WireClient, path: str) -> None:
    """The query finds no user, or the NUL is ignored."""
    reply = Call("GET", f"/web/v1/user/{path}").reply(wire, wire.account().token)
    assert reply.status_code == 200
    assert reply.json()["code"] not in FAILED


@pytest.mark.parametrize("field", ["nickname", "password", "phone", "email", "invitedBy"])
def test_a_nul_at_the_sandbox_route(wire: WireClient, field: str) -> None:
    """Seeded accounts are checked as strictly."""
    reply = wire.request("POST", "/sandbox/accounts", {field: "1390000\x000000 lake"})
    assert reply.status_code == 200 if field == "password" else 400 <= reply.status_code < 500
