"""Names, pictures and what a member tells of himself (wire.md 3, 4, security U1, U5)."""

import pytest

from tests.wire import pb
from tests.wire.answers import Answer, refused_field
from tests.wire.client import WireClient
from tests.wire.records import Account

NICKNAME = "user/edit-nickname"
AVATAR = "user/edit-avatar"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def rename(wire: WireClient, account: Account, name: str) -> Answer:
    """Ask for a new nickname."""
    return wire.post(NICKNAME, pb.text(3, name), token=account.token)


def picture(wire: WireClient, account: Account, url: str) -> Answer:
    """Ask for a new avatar."""
    return wire.post(AVATAR, pb.text(2, url), token=account.token)


def success(answer: Answer) -> bytes:
    """Return the bytes of an answer {1 status} that tells success."""
    status = b"\x08" + pb.varint(answer.request_id) + bytes.fromhex("1001 1a07 73756363657373")
    return b"\x0a" + pb.varint(len(status)) + status


def test_golden_nickname(wire: WireClient) -> None:
    """Name stands under 3 in the request, and the answer is the status alone (wire.md 3)."""
    account = wire.account(nickname="before")
    answer = wire.post(NICKNAME, bytes.fromhex("1a06 e6b996e79594"), token=account.token)
    assert answer.body == success(answer)
    assert wire.own_info(account.token).pb_data.text(2) == "湖畔"
    assert wire.get_user(account.id).pb_data.text(2) == "湖畔"


def test_golden_avatar(wire: WireClient) -> None:
    """Url stands under 2 in the request, and the answer is the status alone (wire.md 3)."""
    account = wire.account()
    url = b"https://example.com/a.png?x=1&y=2"
    answer = wire.post(AVATAR, b"\x12" + bytes([len(url)]) + url, token=account.token)
    assert answer.body == success(answer)
    assert wire.own_info(account.token).pb_data.text(4) == url.decode()
    assert wire.get_user(account.id).pb_data.text(4) == url.decode()


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [(NICKNAME, {"name": "湖畔"}, 2), (AVATAR, {"url": "https://example.com/b.png"}, 4)],
)
def test_json_form(wire: WireClient, path: str, body: dict[str, str], place: int) -> None:
    """Both take the JSON form of their message under application/json (wire.md 1.3)."""
    account = wire.account()
    headers = {"content-type": "application/json"}
    reply = wire.request("POST", f"/v1/{path}", body, token=account.token, headers=headers)
    value = reply.json()
    assert set(value) == {"status"}
    assert (value["status"]["code"], value["status"]["msg"]) == (1, "success")
    assert wire.own_info(account.token).pb_data.text(place) in body.values()


@pytest.mark.one_engine
@pytest.mark.parametrize("content_type", ["application/x-protobuf", "application/json", "x", None])
def test_type_does_not_matter(wire: WireClient, content_type: str | None) -> None:
    """Protobuf is read under every Content-Type (wire.md 1.3)."""
    account = wire.account()
    headers = {} if content_type is None else {"content-type": content_type}
    answer = wire.post(NICKNAME, pb.text(3, "n"), token=account.token, headers=headers)
    assert (answer.form, answer.code) == ("protobuf", 1)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a", "a"),
        ("  湖畔 \t", "湖畔"),
        ("e\u0301", "\u00e9"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("n" * 32, "n" * 32),
        ("畔" * 32, "畔" * 32),
        ("e\u0301" * 32, "\u00e9" * 32),
        ("a b", "a b"),
        (FAMILY, FAMILY),
        ("<b>&amp;'\"", "<b>&amp;'\""),
        ("' or 1=1 --", "' or 1=1 --"),
    ],
)
def test_good_nicknames(wire: WireClient, given: str, kept: str) -> None:
    """1 to 32 visible characters, counted after NFC and trimming (wire.md 4, security U5)."""
    account = wire.account()
    assert rename(wire, account, given).code == 1
    assert wire.own_info(account.token).pb_data.text(2) == kept
    assert wire.get_user(account.id).pb_data.text(2) == kept


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u3000",
        "\u200b",
        "\u200d",
        "\ufeff",
        "n" * 33,
        "畔" * 33,
        "n" * 129,
        "a\nb",
        "a\tb",
        "a\x00b",
        "a\x7fb",
        "a\x85b",
        "\u202eab",
        "a\u2066b",
        "a\u200fb",
        "a\u200bb",
        "a\u200db",
        "a\u2060b",
        "\u0378",
        "\ue000",
        "\uffff",
        "a" + "\u0316\u0317\u0318\u0319",
    ],
)
def test_bad_nicknames_are_named(wire: WireClient, name: str) -> None:
    """Control, bidi, zero-width, private and unassigned characters are no name (wire.md 4, U5)."""
    account = wire.account(nickname="before")
    answer = rename(wire, account, name)
    assert answer.form == "protobuf"
    assert refused_field(answer) == "name"
    assert wire.own_info(account.token).pb_data.text(2) == "before"


@pytest.mark.one_engine
def test_nickname_is_read_from_its_own_place(wire: WireClient) -> None:
    """Under any other number there is no name and no url (wire.md 3)."""
    account = wire.account()
    for place in (1, 2, 4):
        answer = wire.post(NICKNAME, pb.text(place, "n"), token=account.token)
        assert refused_field(answer) == "name"
    for place in (1, 3, 4):
        answer = wire.post(AVATAR, pb.text(place, "https://a.example/"), token=account.token)
        assert refused_field(answer) == "url"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "https://example.com:8443/a/b.png?c=d&e=%E6%B9%96",
        "https://192.0.2.1/a.jpg",
        "https://example.com/" + "a" * 492,
    ],
)
def test_good_avatars(wire: WireClient, url: str) -> None:
    """An http or https address of at most 512 characters is kept, its query too (U1)."""
    account = wire.account()
    assert picture(wire, account, url).code == 1
    assert wire.own_info(account.token).pb_data.text(4) == url


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.png",
        "/a.png",
        "//example.com/a.png",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:image/png;base64,AAAA",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "https:",
        "https://",
        "https:///a.png",
        "https://user@example.com/a.png",
        "https://user:pass@example.com/a.png",
        "https://example.com/a.png#top",
        "https://example.com\\@elsewhere.example/",
        "https://exam ple.com/a.png",
        "https://example.com/\na.png",
        "https://example.com/\x00",
        "https://example.com/\u202egnp.a",
        " javascript:alert(1)",
        "https://ex\u0430mple.com/a.png",
        "https://example.com/" + "a" * 493,
        "https://example.com:99999/a.png",
        "湖畔",
    ],
)
def test_bad_avatars_are_named(wire: WireClient, url: str) -> None:
    """Anything else is no avatar, and the old one stays (wire.md 4, security U1)."""
    account = wire.account()
    before = wire.own_info(account.token).pb_data.text(4)
    assert refused_field(picture(wire, account, url)) == "url"
    assert wire.own_info(account.token).pb_data.text(4) == before
