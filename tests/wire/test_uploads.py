"""Refused uploads, and how pictures are served (wire.md 8.4, security U3, U4)."""

import json
from urllib.parse import urlsplit

import pytest

from tests.support import pb
from tests.support.client import WireClient
from tests.support.pictures import (
    BOUNDARY,
    IMAGE_HOST,
    Part,
    form,
    picture,
    send_form,
    token_of,
    upload,
)
from tests.support.raw_http import exchange, head

PNG = picture()
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture(scope="module")
def token(wire: WireClient) -> str:
    """Return a session."""
    return wire.account().token


def refused(
    wire: WireClient, parts: list[Part], status: int, code: int, body: bytes | None = None
) -> None:
    """Check that an upload has this HTTP status and code, and an error in one language."""
    content = form(parts) if body is None else body
    for language, is_english in (("en", True), ("zh-CN", False)):
        headers = {**FORM, "accept-language": language}
        reply = wire.request("POST", "/media/upload", content, headers=headers)
        answer = reply.json()
        assert (reply.status_code, answer["code"]) == (status, code), answer
        assert set(answer) == {"error", "code"}
        assert answer["error"].isascii() is is_english
        assert reply.headers["x-result"] != "ok"


def test_what_every_upload_needs(wire: WireClient, token: str) -> None:
    """An upload needs a complete token of ours, and one file."""
    good = token_of(wire, token)
    access_key, signature, policy = good.split(":")
    file: Part = ("file", PNG)
    refused(wire, [file], 401, 1601)
    bad_tokens = (
        *("", "x", "a:b:c", f"{access_key}:{signature}", f"{good}:x", good[:-8]),
        *(f"other:{signature}:{policy}", f"{access_key}:{signature[::-1]}:{policy}"),
        *(f"{access_key}:{signature}:{policy}A", "湖:湖:湖", "a" * 2000, token),
    )
    for bad in bad_tokens:
        refused(wire, [("token", bad.encode()), file], 401, 1601)
    refused(wire, [("token", good.encode())], 400, 1604)
    refused(wire, [("token", good.encode()), ("file", b"")], 400, 1604)
    refused(wire, [("token", b"\xff\xfe"), file], 401, 1601)


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "key",
    [
        *("../a.png", "a/../b.png", "a/..", "/a.png", "a//b.png", "./a.png", "a/", "..", "."),
        *("a\0.png", "湖.png", "a b.png", "a\\b.png", "a?b", "a#b", "a%2e%2e", "a\n", "", "é"),
        *("a" * 201, "a" * 5000),
    ],
)
def test_keys_that_are_refused(wire: WireClient, token: str, key: str) -> None:
    """A key has plain characters in segments, none of which is only dots."""
    parts: list[Part] = [
        ("token", token_of(wire, token).encode()),
        ("key", key.encode()),
        ("file", PNG),
    ]
    refused(wire, parts, 400, 1603)


@pytest.mark.one_engine
def test_forms_that_are_refused(wire: WireClient, token: str) -> None:
    """A form is refused if it has no end, a cut, too many parts or headers, or a part twice."""
    good = token_of(wire, token).encode()
    parts: list[Part] = [("token", good), ("key", b"k.png"), ("file", PNG)]
    whole = form(parts)
    end = f"--{BOUNDARY}--".encode()
    for cut in (whole[: -len(end) - 2], whole[:-20], whole[:60], b"", b"\r\n" * 50, b"junk" * 50):
        refused(wire, [], 400, 1604, cut)
    refused(wire, [*parts, ("file", PNG)], 400, 1604)
    refused(wire, [("token", good), *parts], 400, 1604)
    refused(wire, [("x", b"")] * 1000, 400, 1604)
    refused(wire, [("token", good), ("x", b"y" * 70_000), ("file", PNG)], 400, 1604)
    head = f"--{BOUNDARY}\r\n".encode()
    disposition = b'Content-Disposition: form-data; name="file"\r\n'
    for headers in (
        b"X: y\r\n" * 20 + disposition,
        b"X: " + b"y" * 9000 + b"\r\n" + disposition,
        b"Content-Disposition: attachment\r\n",
        b"Content-Disposition: form-data\r\n",
        b"no header\r\n",
        b"",
    ):
        refused(wire, [], 400, 1604, head + headers + b"\r\nx\r\n" + end + b"\r\n")


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "content_type",
    [
        *("multipart/form-data", "multipart/form-data; boundary=", "application/json", ""),
        f"multipart/form-data; boundary={'b' * 300}",
        "multipart/mixed; boundary=x",
    ],
)
def test_types_that_are_no_form(wire: WireClient, content_type: str) -> None:
    """Without a boundary nothing is parsed."""
    headers = {"content-type": content_type}
    reply = wire.request("POST", "/media/upload", form([("file", PNG)]), headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (400, 1604)


@pytest.mark.one_engine
def test_quoted_boundary(wire: WireClient, token: str) -> None:
    """The boundary may be quoted, with other parameters."""
    parts: list[Part] = [("token", token_of(wire, token).encode()), ("file", PNG)]
    headers = {"content-type": f'Multipart/Form-Data; charset=utf-8; boundary="{BOUNDARY}"'}
    assert wire.request("POST", "/media/upload", form(parts), headers=headers).status_code == 200


def test_what_is_no_picture(wire: WireClient, token: str) -> None:
    """The content decides; name and declared type do not matter."""
    good = token_of(wire, token).encode()
    for data, status, code in (
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, 1606),
        (picture("GIF"), 415, 1606),
        (PNG[:-30], 422, 1608),
    ):
        parts: list[Part] = [("token", good), ("key", b"x.jpg"), ("file", data)]
        reply = send_form(wire, parts)
        assert (reply.status_code, reply.json()["code"]) == (status, code)
        assert wire.request("GET", "/media/x.jpg").status_code == 404


@pytest.mark.one_engine
def test_too_much(wire: WireClient, token: str) -> None:
    """More than 8 MiB is refused, with a true length and with a false one."""
    parts: list[Part] = [
        ("token", token_of(wire, token).encode()),
        ("file", b"\0" * (8 << 20) + b"x"),
    ]
    reply = send_form(wire, parts)
    assert (reply.status_code, reply.json()["code"]) == (413, 1605)
    kind = f"content-type: {FORM['content-type']}"
    start = head("POST /media/upload HTTP/1.1", kind, f"content-length: {1 << 40}")
    status, _, body = exchange(wire.server, start)
    assert (status, json.loads(body)["code"]) == (413, 1605)
    start = head("POST /media/upload HTTP/1.1", kind, "content-length: " + "0" * 5000 + "1")
    status, _, body = exchange(wire.server, start, b"-")
    assert (status, json.loads(body)["code"]) == (400, 1604)


def test_the_session_must_live(wire: WireClient) -> None:
    """A token of an ended session uploads nothing (security T6)."""
    account = wire.account()
    parts: list[Part] = [
        ("token", token_of(wire, account.token).encode()),
        ("key", b"late.png"),
        ("file", PNG),
    ]
    assert send_form(wire, parts).status_code == 200
    wire.post("user/logout", {}, token=account.token)
    reply = send_form(wire, parts)
    assert (reply.status_code, reply.json()["code"]) == (401, -101)


def test_a_key_of_another_account(wire: WireClient) -> None:
    """The first account of a key keeps its URL; both avatars show their own picture."""
    mine, other = wire.account(), wire.account()
    key = f"shared/{mine.id}.png"
    url = f"https://chat-img.jwznb.com/{key}"
    shown = {}
    for account, colour in ((mine, "red"), (other, "blue")):
        assert upload(wire, account.token, key, picture(colour=colour)).status_code == 200
        assert wire.post("user/edit-avatar", pb.text(2, url), token=account.token).code == 1
        path = urlsplit(str(wire.own_info(account.token).pb_data.text(4))).path
        shown[colour] = wire.request("GET", path).content
    assert shown["red"] != shown["blue"]
    assert wire.request("GET", f"/{key}", headers=IMAGE_HOST).content == shown["red"]


def test_an_avatar_that_is_no_upload_cannot_be_taken(wire: WireClient) -> None:
    """It stays, and another account's upload with its key does not replace it."""
    mine, other = wire.account(), wire.account()
    key = f"public/{mine.id}.png"
    url = f"https://chat-img.jwznb.com/{key}"
    assert wire.post("user/edit-avatar", pb.text(2, url), token=mine.token).code == 1
    assert wire.own_info(mine.token).pb_data.text(4) == url
    assert upload(wire, other.token, key, PNG).status_code == 200
    assert wire.request("GET", f"/{key}", headers=IMAGE_HOST).status_code == 404


def test_an_address_of_ours_that_is_another_account_s(wire: WireClient) -> None:
    """An avatar at this server must be the account's own upload."""
    mine, other = wire.account(), wire.account()
    assert upload(wire, other.token, "k.png", PNG).status_code == 200
    theirs = wire.post(
        "user/edit-avatar", pb.text(2, "https://chat-img.jwznb.com/k.png"), token=other.token
    )
    assert theirs.code == 1
    address = str(wire.own_info(other.token).pb_data.text(4))
    for url in (address, address + "?x=1", "https://chat-img.jwznb.com/media/default/1.png"):
        answer = wire.post("user/edit-avatar", pb.text(2, url), token=mine.token)
        assert (answer.code, "url" in answer.msg) == (1100, True)


def test_how_a_picture_is_shown(wire: WireClient, token: str) -> None:
    """It is a picture and never a page, cached for a year, with its length also for HEAD (U4)."""
    assert upload(wire, token, "shown.webp", picture("WEBP")).status_code == 200
    url = "https://chat-img.jwznb.com/shown.webp"
    assert wire.post("user/edit-avatar", pb.text(2, url), token=token).code == 1
    path = urlsplit(str(wire.own_info(token).pb_data.text(4))).path
    reply = wire.request("GET", path)
    headers = reply.headers
    assert headers["content-type"] == "image/webp"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["content-disposition"] == "inline"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert int(headers["content-length"]) == len(reply.content)
    head = wire.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == headers["content-length"]
    for condition in (
        {"if-none-match": headers["etag"]},
        {"if-none-match": f'"other", W/{headers["etag"]}'},
        {"if-none-match": "*"},
        {"if-modified-since": headers["last-modified"]},
    ):
        again = wire.request("GET", path, headers=condition)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == headers["etag"]
    for condition in (
        {"if-none-match": '"x"'},
        {"if-modified-since": "junk"},
        {"range": "bytes=0-1"},
    ):
        assert wire.request("GET", path, headers=condition).content == reply.content
    by_key = wire.request("GET", "/shown.webp", headers=IMAGE_HOST)
    assert by_key.headers["cache-control"] == "public, max-age=86400"


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "%2e%2e/hupan.db", "..%2f..%2fetc/passwd", "a%00b", "湖"),
        *("drafts/x", "default/0.png", "default/-1.png", "default/x.png", "default/1.svg"),
        *("a" * 26 + ".png", "A" * 300, "v4/query/x", "upload/x"),
    ],
)
def test_pictures_that_are_not_there(wire: WireClient, path: str) -> None:
    """Any other path is 404, with any content."""
    reply = wire.request("GET", f"/media/{path}")
    assert (reply.status_code, reply.json()["code"]) == (404, 1611)
    for method in ("POST", "PUT", "DELETE"):
        assert wire.request(method, f"/media/{path}").status_code == 404


@pytest.mark.one_engine
def test_the_default_picture(wire: WireClient) -> None:
    """It is a small PNG generated from the id: equal ids give equal pictures."""
    first = wire.request("GET", "/media/default/1000001.png")
    assert first.headers["content-type"] == "image/png"
    assert len(first.content) < 400
    assert first.content == wire.request("GET", "/media/default/1000001.png").content
    seen = {wire.request("GET", f"/media/default/{1000001 + n}.png").content for n in range(20)}
    assert len(seen) > 15


@pytest.mark.one_engine
def test_browsers_may_upload(wire: WireClient, token: str) -> None:
    """A page of another origin can upload and show pictures (wire.md 1.9)."""
    origin = {"origin": "https://web.example"}
    preflight = wire.request(
        "OPTIONS", "/media/upload", headers={**origin, "access-control-request-method": "POST"}
    )
    assert preflight.status_code == 204
    at_root = wire.request(
        "OPTIONS",
        "/",
        headers={
            **origin,
            "host": "upload-z2.qiniup.com",
            "access-control-request-method": "POST",
        },
    )
    assert at_root.status_code == 204
    parts: list[Part] = [("token", token_of(wire, token).encode()), ("file", PNG)]
    sent = send_form(wire, parts, headers=origin)
    assert sent.headers["access-control-allow-origin"] == "*"
