"""Names, avatars and personal data (wire.md 3, 4, security U1, U5).

Changing nickname and avatar over HTTP (wire.md 3, 4).
"""

from collections.abc import Iterator

import pytest

from tests.support import pb
from tests.support.answers import Account, Answer, refused_field
from tests.support.client import WireClient
from tests.support.servers import Server

NICKNAME = "user/edit-nickname"
AVATAR = "user/edit-avatar"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def rename(wire: WireClient, account: Account, name: str) -> Answer:
    """Change the nickname."""
    return wire.post(NICKNAME, pb.text(3, name), token=account.token)


def picture(wire: WireClient, account: Account, url: str) -> Answer:
    """Change the avatar."""
    return wire.post(AVATAR, pb.text(2, url), token=account.token)


def success(answer: Answer) -> bytes:
    """Return the bytes of a successful response {1 status}."""
    status = b"\x08" + pb.varint(answer.request_id) + bytes.fromhex("1001 1a07 73756363657373")
    return b"\x0a" + pb.varint(len(status)) + status


def test_golden_nickname(wire: WireClient) -> None:
    """The name is field 3 of the request, and the response is only the status (wire.md 3)."""
    account = wire.account(nickname="before")
    answer = wire.post(NICKNAME, bytes.fromhex("1a06 e6b996e79594"), token=account.token)
    assert answer.body == success(answer)
    assert wire.own_info(account.token).pb_data.text(2) == "湖畔"
    assert wire.get_user(account.id).pb_data.text(2) == "湖畔"


def test_golden_avatar(wire: WireClient) -> None:
    """The URL is field 2 of the request, and the response is only the status (wire.md 3)."""
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
    """Both accept the JSON form of their message as application/json (wire.md 1.3)."""
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
    """Protobuf is parsed with every Content-Type (wire.md 1.3)."""
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
    """Control, bidi, zero-width, private and unassigned characters are refused (wire.md 4, U5)."""
    account = wire.account(nickname="before")
    answer = rename(wire, account, name)
    assert answer.form == "protobuf"
    assert refused_field(answer) == "name"
    assert wire.own_info(account.token).pb_data.text(2) == "before"


@pytest.mark.one_engine
def test_nickname_is_read_from_its_own_place(wire: WireClient) -> None:
    """Name and URL with any other field number are missing (wire.md 3)."""
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
    """Anything else is refused, and the old avatar stays (wire.md 4, security U1)."""
    account = wire.account()
    before = wire.own_info(account.token).pb_data.text(4)
    assert refused_field(picture(wire, account, url)) == "url"
    assert wire.own_info(account.token).pb_data.text(4) == before


EDIT_NICKNAME, EDIT_AVATAR = "user/edit-nickname", "user/edit-avatar"
PICTURE = "https://img.example.com/头像.png?v=1&w=湖"
PICTURE_KEPT = "https://img.example.com/%E5%A4%B4%E5%83%8F.png?v=1&w=%E6%B9%96"
FIELDS = {EDIT_NICKNAME: (3, "name"), EDIT_AVATAR: (2, "url")}
GOOD = {EDIT_NICKNAME: "湖畔", EDIT_AVATAR: "https://img.example.com/a.png"}
FAILED = "请求参数错误，{}字段值非法"


def assert_done(answer: Answer) -> None:
    """Check that the response is only the status of a success, byte for byte."""
    status = b"\x08" + pb.varint(answer.request_id) + bytes.fromhex("1001 1a07 73756363657373")
    assert answer.body == b"\x0a" + pb.varint(len(status)) + status


def test_the_nickname_changes(wire: WireClient) -> None:
    """A request of literal bytes renames; own info and get-user show it, name_id counts it."""
    account = wire.account(nickname="before")
    body = bytes.fromhex("1a08 20 e6b996e79594 20")  # " 湖畔 "
    assert_done(wire.post(EDIT_NICKNAME, body, token=account.token))
    assert wire.own_info(account.token).pb_data.text(2) == "湖畔"
    data = wire.get_user(account.id).pb_data
    assert (data.text(2), data.number(3)) == ("湖畔", 1)
    assert_done(wire.post(EDIT_NICKNAME, body, token=account.token))
    assert wire.get_user(account.id).pb_data.number(3) == 1


def test_the_avatar_changes(wire: WireClient) -> None:
    """The URL is stored in its normal form, with its query; avatar_id counts the changes."""
    account = wire.account()
    assert_done(wire.post(EDIT_AVATAR, pb.text(2, PICTURE), token=account.token))
    own = wire.own_info(account.token).pb_data
    assert (own.text(4), own.number(5)) == (PICTURE_KEPT, 1)
    data = wire.get_user(account.id).pb_data
    assert (data.text(4), data.number(5)) == (PICTURE_KEPT, 1)


@pytest.mark.parametrize("path", FIELDS)
def test_the_json_form(wire: WireClient, path: str) -> None:
    """Names are those of the .proto; the response is JSON too (wire.md 1.3)."""
    token = wire.account().token
    headers = {"content-type": "application/json"}
    name = FIELDS[path][1]
    reply = wire.request("POST", f"/v1/{path}", {name: GOOD[path]}, token=token, headers=headers)
    assert reply.json()["status"]["code"] == 1
    assert set(reply.json()) == {"status"}
    for value in (None, 5, True, ["a"], "\x00", ""):
        reply = wire.request("POST", f"/v1/{path}", {name: value}, token=token, headers=headers)
        assert reply.json()["status"]["msg"] == FAILED.format(name)


@pytest.mark.one_engine
@pytest.mark.parametrize("path", FIELDS)
def test_a_bad_value_is_named(wire: WireClient, path: str) -> None:
    """A missing, empty, long or forbidden value is 1100 with the wire name, and nothing changes."""
    account = wire.account(nickname="before")
    number, name = FIELDS[path]
    bodies = [b"", pb.text(1, "other field"), pb.text(number, "")]
    bodies += [pb.text(number, GOOD[path] + tail) for tail in ("\x00", "\u202e", "x" * 600)]
    for body in bodies:
        answer = wire.post(path, body, token=account.token)
        assert (answer.code, answer.msg, answer.form) == (1100, FAILED.format(name), "protobuf")
    data = wire.get_user(account.id).pb_data
    assert (data.text(2), data.number(3), data.number(5)) == ("before", 0, 0)


@pytest.mark.one_engine
@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize("body", [b"\x1a\x02\xff\xfe", b"\x12\x02\xff\xfe", b"\x1a\x05a", b"\xff"])
def test_broken_bytes_are_refused(wire: WireClient, path: str, body: bytes) -> None:
    """An invalid message, or invalid UTF-8 in it, is 1100 without a server error."""
    assert wire.post(path, body, token=wire.account().token).code == 1100


@pytest.fixture
def strict() -> Iterator[WireClient]:
    """Yield a server that rewards first changes and accepts avatars of one host."""
    settings = {
        "HUPAN_FIRST_NICKNAME_COINS": "3",
        "HUPAN_FIRST_AVATAR_COINS": "2",
        "HUPAN_AVATAR_HOSTS": "img.example.com",
    }
    with Server("sandbox", environment=settings) as server, WireClient(server) as client:
        yield client


@pytest.mark.slow
@pytest.mark.one_engine
def test_settings_reach_the_edits(strict: WireClient) -> None:
    """Each first change grants coins of type 4; other hosts are refused."""
    token = strict.account(coins=1).token
    for name in ("湖", "畔"):
        assert_done(strict.post(EDIT_NICKNAME, pb.text(3, name), token=token))
    other = strict.post(EDIT_AVATAR, pb.text(2, "https://other.example/a.png"), token=token)
    assert other.msg == FAILED.format("url")
    assert_done(strict.post(EDIT_AVATAR, pb.text(2, PICTURE), token=token))
    assert strict.own_info(token).pb_data.double(8) == 6.0
    body = {"size": 10, "page": 1}
    record = strict.post("user/gold-coin-increase-decrease-record", body, token=token).data
    assert record is not None
    entries = record["goldCoinRecord"]
    assert isinstance(entries, list)
    assert [(entry["typ"], entry["changeAmount"]) for entry in entries[:2]] == [(4, 2), (4, 3)]
