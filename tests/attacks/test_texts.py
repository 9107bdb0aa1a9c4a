"""One text, one verdict: whatever form and field it comes in (security U5)."""

import unicodedata

import pytest

from tests.wire import pb
from tests.wire.client import WireClient
from tests.wire.records import Account

pytestmark = pytest.mark.one_engine

NICKNAME = "user/edit-nickname"
# Text -> what is kept; None where it is refused.
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
    """The code that a nickname gets as protobuf."""
    return wire.post(NICKNAME, pb.text(3, text), token=who.token).code


def in_json(wire: WireClient, who: Account, text: str) -> int:
    """The code that a nickname gets in the JSON form of the same message."""
    headers = {"content-type": "application/json"}
    reply = wire.request(
        "POST", f"/v1/{NICKNAME}", {"name": text}, token=who.token, headers=headers
    )
    code: int = reply.json()["status"]["code"]
    return code


def as_introduction(wire: WireClient, who: Account, text: str) -> int:
    """The code that a line about oneself gets."""
    return wire.post("user/save-user-data", {"city": text}, token=who.token).code


def as_remark(wire: WireClient, who: Account, text: str) -> int:
    """The code that a name for a friend gets."""
    body = {"friendId": who.id, "name": text, "phone": "", "others": ""}
    return wire.post("user/save-user-remarks", body, token=wire.account().token).code


def test_forms_and_fields_agree(wire: WireClient) -> None:
    """Protobuf, JSON, a city and a remark take and refuse the same characters (security U5)."""
    who = wire.account()
    odd = {}
    for text, kept in CORPUS.items():
        codes = [
            take(wire, who, text) for take in (in_protobuf, in_json, as_introduction, as_remark)
        ]
        if set(codes) != {1100 if kept is None else 1}:
            odd[text] = codes
    assert odd == {}


def test_what_is_taken_is_kept_in_one_form(wire: WireClient) -> None:
    """Composed, trimmed, and the same to everybody who reads it (security U5)."""
    who = wire.account()
    for text, kept in CORPUS.items():
        if kept is not None:
            assert in_protobuf(wire, who, text) == 1
            assert wire.own_info(who.token).pb_data.text(2) == kept
            assert wire.get_user(who.id).pb_data.text(2) == kept


def test_a_name_is_seen_and_short(wire: WireClient) -> None:
    """Nothing that is blank to the eye, more than 32 characters or 128 bytes is a name (U5)."""
    who = wire.account(nickname="before")
    for text in (*BLANK, *TOO_LONG):
        assert in_protobuf(wire, who, text) == 1100, text
        assert in_json(wire, who, text) == 1100, text
    assert wire.own_info(who.token).pb_data.text(2) == "before"
