"""Pictures as clients set them: token, upload host, upload, avatar (wire.md 8.4)."""

import hashlib
from base64 import urlsafe_b64encode
from itertools import permutations

import pytest

from tests.support import pb
from tests.support.answers import read_answer
from tests.support.client import WireClient
from tests.support.pictures import (
    IMAGE_HOST,
    UPLOAD_HOST,
    decode,
    picture,
    policy_of,
    send_form,
    token_of,
    upload,
)

PUBLIC = "https://chat-img.jwznb.com/"


def set_avatar(wire: WireClient, token: str, url: str) -> int:
    """Set an avatar; return the code."""
    return wire.post("user/edit-avatar", pb.text(2, url), token=token).code


def avatar(wire: WireClient, token: str) -> str:
    """Return the own avatar."""
    return str(wire.own_info(token).pb_data.text(4))


def test_golden_steps_by_host(wire: WireClient) -> None:
    """The four steps of a client with redirected names work, and all users see the picture."""
    account = wire.account()
    token = token_of(wire, account.token)
    access_key, _, _ = token.split(":")
    policy = policy_of(token)
    bucket = str(policy["scope"]).split(":")[0]

    query = wire.request(
        "GET", f"/v4/query?ak={access_key}&bucket={bucket}", headers={"host": "api.qiniu.com"}
    )
    hosts = query.json()
    host = hosts["hosts"][0]["up"]["domains"][0]
    assert host == hosts["up"]["domains"][0] == "upload-z2.qiniup.com"

    data = picture("JPEG")
    parts = [("token", token.encode()), ("key", b"avatar/1.jpg"), ("file", data)]
    sent = send_form(wire, parts, path="/", headers={"host": host})
    etag = urlsafe_b64encode(b"\x16" + hashlib.sha1(data).digest()).decode()  # noqa: S324 - the wire format
    assert sent.status_code == 200
    assert sent.json() == {"key": "avatar/1.jpg", "hash": etag, "fsize": len(data)}

    assert set_avatar(wire, account.token, f"{PUBLIC}avatar/1.jpg") == 1
    address = avatar(wire, account.token)
    assert address.startswith(f"{wire.server.url}/media/")
    assert address == wire.get_user(account.id).pb_data.text(4)
    path = address.removeprefix(wire.server.url)
    for query_string in ("", "?imageView2/2/w/120/h/120"):
        shown = wire.request("GET", path + query_string, headers={**IMAGE_HOST, "referer": "x"})
        assert shown.status_code == 200
        assert decode(shown.content).size == (64, 48)


def test_steps_by_prefix(wire: WireClient) -> None:
    """The same steps work below `/media/`, for a client with its own address."""
    account = wire.account()
    hosts = wire.request("GET", "/media/v4/query?ak=x&bucket=y").json()
    assert hosts["hosts"][0]["up"]["domains"] == hosts["up"]["domains"]
    assert upload(wire, account.token, "k/2.webp", picture("WEBP")).status_code == 200
    by_key = wire.request("GET", "/media/k/2.webp")
    assert by_key.headers["content-type"] == "image/webp"
    assert set_avatar(wire, account.token, f"{PUBLIC}k/2.webp") == 1
    path = avatar(wire, account.token).removeprefix(wire.server.url)
    assert wire.request("GET", path).content == by_key.content


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("", ""),
        ("192.0.2.7:8480", "http://192.0.2.7:8480"),
        ("[2001:db8::7]:8480", "http://[2001:db8::7]:8480"),
        ("hupan:8480", "http://hupan:8480"),
        ("chat.example.com", "https://chat.example.com"),
    ],
)
def test_a_sandbox_has_pictures_as_it_is(wire: WireClient, host: str, base: str) -> None:
    """By default each client gets addresses at the host of its request."""
    headers = {"host": host} if host else {}
    base = base or wire.server.url

    def own_avatar(token: str) -> str:
        reply = wire.request("GET", "/v1/user/info", token=token, headers=headers)
        return str(read_answer(reply.status_code, reply.headers, reply.content).pb_data.text(4))

    account = wire.account()
    assert own_avatar(account.token) == f"{base}/media/default/{account.id}.png"
    default = wire.request("GET", f"/media/default/{account.id}.png", headers=headers)
    assert decode(default.content).size == (120, 120)
    told = wire.request(
        "GET", "/v1/misc/configure-distribution", token=account.token, headers=headers
    )
    image_url = told.json()["data"]["imageUrl"]
    assert image_url == f"{base}/media/"
    up = wire.request("GET", "/media/v4/query", headers=headers).json()["up"]["domains"][0]
    assert up == base.partition("://")[2]
    token = token_of(wire, account.token)
    parts = [("token", token.encode()), ("key", b"own.png"), ("file", picture())]
    assert send_form(wire, parts, path="/", headers={"host": up}).status_code == 200

    def edit(url: str) -> int:
        body = pb.text(2, url)
        reply = wire.request(
            "POST", "/v1/user/edit-avatar", body, token=account.token, headers=headers
        )
        return read_answer(reply.status_code, reply.headers, reply.content).code

    assert edit(f"{image_url}own.png") == 1
    shown = own_avatar(account.token)
    assert shown.startswith(f"{base}/media/")
    assert wire.request("GET", shown.removeprefix(base), headers=headers).status_code == 200
    assert edit(f"{base}/media/somebody-elses.png") == 1100
    assert edit(f"{base}/media/default/{account.id}.png") == 1
    assert own_avatar(account.token) == f"{base}/media/default/{account.id}.png"


@pytest.mark.one_engine
@pytest.mark.parametrize("host", ["a b", "a/b", "x" * 300, "a@b"])
def test_a_host_that_is_none_is_no_address(wire: WireClient, host: str) -> None:
    """No response repeats an invalid host; the avatar is then unknown."""
    account = wire.account()
    reply = wire.request("GET", "/v1/user/info", token=account.token, headers={"host": host})
    assert host.encode() not in reply.content


@pytest.mark.one_engine
def test_parts_in_any_order(wire: WireClient) -> None:
    """Token, key and file may have any order, among other fields (wire.md 8.4)."""
    account = wire.account()
    token = token_of(wire, account.token).encode()
    data = picture()
    parts = [("token", token), ("key", b"any-order.png"), ("file", data)]
    for order in permutations(parts):
        reply = send_form(wire, [("x:name", b"v"), *order], path="/", headers=UPLOAD_HOST)
        assert (reply.status_code, reply.json()["key"]) == (200, "any-order.png")


def test_without_key(wire: WireClient) -> None:
    """Without a key, the hash is the key, as in the original upload service."""
    account = wire.account()
    token = token_of(wire, account.token).encode()
    answer = send_form(wire, [("token", token), ("file", picture())]).json()
    assert answer["key"] == answer["hash"]
    assert wire.request("GET", f"/media/{answer['key']}").status_code == 200
