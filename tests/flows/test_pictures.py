"""Pictures of a server with a public URL (wire.md 8.4)."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support import pb
from tests.support.client import WireClient
from tests.support.pictures import BOUNDARY, decode, encode, form, picture, token_of, upload
from tests.support.raw_http import exchange, head
from tests.support.servers import Server

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]
PUBLIC = "https://lake.example/chat"
SLOW_PIECES = 6


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireClient]:
    """Yield a client of a server with a public URL."""
    folder: Path = tmp_path_factory.mktemp("public")
    environment = {
        "HUPAN_PUBLIC_URL": PUBLIC,
        "HUPAN_MEDIA_DIR": str(folder / "pictures"),
        "HUPAN_UPLOADS_PER_DAY": "3",
    }
    data = str(folder / "data")
    with (
        Server("sandbox", "--limits", "--data-dir", data, environment=environment) as server,
        WireClient(server) as client,
    ):
        yield client


def test_there_is_always_a_picture(public: WireClient) -> None:
    """An account without an avatar has a generated one, in every response."""
    account = public.account()
    address = f"{PUBLIC}/media/default/{account.id}.png"
    assert public.own_info(account.token).pb_data.text(4) == address
    assert public.get_user(account.id).pb_data.text(4) == address
    page = public.request("GET", f"/web/v1/user/homepage?userId={account.id}").json()
    assert page["data"]["user"]["avatarUrl"] == address
    own = public.request("GET", "/web/v1/user/info", token=account.token).json()
    assert own["data"]["user"]["avatarUrl"] == address
    drawn = public.request("GET", address.removeprefix(PUBLIC))
    assert decode(drawn.content).size == (120, 120)


def test_an_upload_has_the_public_address(public: WireClient) -> None:
    """Clients without redirection see it, too; the query names the server itself."""
    account = public.account()
    hosts = public.request("GET", "/media/v4/query").json()
    assert hosts["up"]["domains"] == ["lake.example/chat/media/upload"]
    assert upload(public, account.token, "a.png", picture()).status_code == 200
    for url in (f"{PUBLIC}/media/a.png", "https://chat-img.jwznb.com/a.png"):
        answer = public.post("user/edit-avatar", pb.text(2, url), token=account.token)
        assert answer.code == 1
        shown = str(public.own_info(account.token).pb_data.text(4))
        assert shown.startswith(f"{PUBLIC}/media/")
        assert public.request("GET", shown.removeprefix(PUBLIC)).status_code == 200


def test_so_many_a_day(public: WireClient) -> None:
    """One more than the setting allows is refused, with its own code and status."""
    account = public.account()
    for _ in range(3):
        assert upload(public, account.token, "a.png", picture()).status_code == 200
    reply = upload(public, account.token, "a.png", picture())
    assert (reply.status_code, reply.json()["code"]) == (429, 1609)
    assert reply.headers["x-result"] == "limited"


def test_a_slow_upload(public: WireClient) -> None:
    """A body that arrives in pieces is read to its end."""
    account = public.account()
    token = token_of(public, account.token).encode()
    body = form([("token", token), ("key", b"slow.png"), ("file", picture())])
    size = len(body) // SLOW_PIECES + 1
    pieces = [body[start : start + size] for start in range(0, len(body), size)]

    def dripping() -> Iterator[bytes]:
        for piece in pieces:
            time.sleep(0.05)
            yield piece

    kind = f"content-type: multipart/form-data; boundary={BOUNDARY}"
    start = head("POST /media/upload HTTP/1.1", kind, f"content-length: {len(body)}")
    status, _, _ = exchange(public.server, start, *dripping())
    assert status == 200


def test_a_large_picture_arrives_whole(public: WireClient) -> None:
    """A picture of several pieces is sent to its end."""
    account = public.account()
    data = encode(Image.effect_noise((900, 900), 120).convert("RGB"), "PNG")
    assert upload(public, account.token, "large.png", data).status_code == 200
    reply = public.request("GET", "/media/large.png")
    assert len(reply.content) == int(reply.headers["content-length"]) > 400_000
    assert decode(reply.content).size == (900, 900)
