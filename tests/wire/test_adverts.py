"""Whether to show advertisements (wire.md 4 get-user-show-adv).

Advertisements over HTTP (wire.md 4, get-user-show-adv).
"""

from collections.abc import Iterator

import pytest

from tests.support.client import WireClient
from tests.support.json_shapes import check_shape, data_of, reply_to
from tests.support.servers import Server
from tests.support.stores import EngineName

ADVERTS = "user/get-user-show-adv"
NOW = 2_000_000_000
SHAPE = {"androidCodeId": str, "bottomHeight": int, "iosCodeId": str, "isShow": int}
SETTINGS = {
    "HUPAN_ADVERTS_SHOWN": "true",
    "HUPAN_ADVERTS_ANDROID_CODE_ID": "5123",
    "HUPAN_ADVERTS_IOS_CODE_ID": "i-77",
    "HUPAN_ADVERTS_BOTTOM_HEIGHT": "60",
}


@pytest.fixture(scope="module")
def board(engine: EngineName) -> Iterator[WireClient]:
    """Yield a sandbox that shows advertisements."""
    del engine  # the other engine has a separate server
    with Server("sandbox", environment=SETTINGS) as server, WireClient(server) as wire:
        yield wire


def adverts(wire: WireClient, token: str, body: bytes = b"") -> dict[str, object]:
    """Return the advertisement of a response."""
    data = data_of(reply_to(wire, ADVERTS, body, token=token), *SHAPE)
    check_shape(data, SHAPE)
    return data


@pytest.mark.parametrize("body", [b"", b"{}", b'{"extra": [1]}'])
def test_shape(wire: WireClient, body: bytes) -> None:
    """The response has two texts, a height and a switch; the switch is 0 by default (wire.md 4)."""
    assert adverts(wire, wire.account().token, body)["isShow"] == 0


@pytest.mark.slow
def test_returns_what_is_set(board: WireClient) -> None:
    """The response has the ids, height and switch that the operator set (wire.md 4)."""
    whole = {"androidCodeId": "5123", "bottomHeight": 60, "iosCodeId": "i-77", "isShow": 1}
    assert adverts(board, board.account().token) == whole


@pytest.mark.slow
def test_vip_is_shown_none(board: WireClient) -> None:
    """VIP accounts get isShow 0, with all keys (wire.md 4)."""
    assert adverts(board, board.account(vipDays=3).token)["isShow"] == 0


@pytest.mark.slow
def test_expired_vip_sees_them(board: WireClient) -> None:
    """An account whose VIP ended yesterday sees adverts again (wire.md 3, 4)."""
    board.set_clock(set=NOW)
    token = board.account(vipDays=1).token
    assert adverts(board, token)["isShow"] == 0
    board.set_clock(set=NOW + 2 * 86_400)
    assert adverts(board, token)["isShow"] == 1


PATH = "/v1/user/get-user-show-adv"
SET = {
    "HUPAN_ADVERTS_SHOWN": "true",
    "HUPAN_ADVERTS_ANDROID_CODE_ID": "123",
    "HUPAN_ADVERTS_IOS_CODE_ID": "456",
    "HUPAN_ADVERTS_BOTTOM_HEIGHT": "78",
}
GOLDEN = (
    '{"code":1,"data":{"androidCodeId":"123","bottomHeight":78,"iosCodeId":"456","isShow":%d},'
    '"msg":"success"}'
)


@pytest.fixture(scope="module")
def advertising(engine: EngineName) -> Iterator[WireClient]:
    """Yield a client of a server that shows advertisements."""
    del engine  # the other engine has a separate server
    with Server("sandbox", environment=SET) as server, WireClient(server) as wire:
        yield wire


def test_a_server_without_adverts_shows_none(wire: WireClient) -> None:
    """By default it is off, and every key exists."""
    reply = wire.request("POST", PATH, token=wire.account().token)
    assert reply.content == (
        b'{"code":1,"data":{"androidCodeId":"","bottomHeight":0,"iosCodeId":"","isShow":0},'
        b'"msg":"success"}'
    )


@pytest.mark.slow
def test_the_settings_say_what_is_shown(advertising: WireClient) -> None:
    """All accounts without VIP see the configured one."""
    token = advertising.account().token
    assert advertising.request("POST", PATH, token=token).content == (GOLDEN % 1).encode()


@pytest.mark.slow
def test_vip_sees_none(advertising: WireClient) -> None:
    """Accounts with VIP see none, until it ends (wire.md 4)."""
    token = advertising.account(vipDays=1).token
    assert advertising.request("POST", PATH, token=token).content == (GOLDEN % 0).encode()


@pytest.mark.slow
def test_needs_a_session(advertising: WireClient) -> None:
    """A session is required."""
    for token in (None, "0" * 36):
        reply = advertising.request("POST", PATH, token=token)
        assert reply.content == '{"code":-101,"msg":"未登录"}'.encode()
