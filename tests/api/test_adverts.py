"""Advertisements over HTTP (wire.md 4, get-user-show-adv)."""

from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.wire.client import WireClient

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
def advertising() -> Iterator[WireClient]:
    """A client of a server that shows advertisements."""
    with Server("sandbox", environment=SET) as server, WireClient(server) as wire:
        yield wire


def test_a_server_without_adverts_shows_none(wire: WireClient) -> None:
    """By default there are none, and every key is there."""
    reply = wire.request("POST", PATH, token=wire.account().token)
    assert reply.content == (
        b'{"code":1,"data":{"androidCodeId":"","bottomHeight":0,"iosCodeId":"","isShow":0},'
        b'"msg":"success"}'
    )


def test_the_settings_say_what_is_shown(advertising: WireClient) -> None:
    """To everybody without VIP."""
    token = advertising.account().token
    assert advertising.request("POST", PATH, token=token).content == (GOLDEN % 1).encode()


def test_vip_sees_none(advertising: WireClient) -> None:
    """As long as it lasts (wire.md 4)."""
    token = advertising.account(vipDays=1).token
    assert advertising.request("POST", PATH, token=token).content == (GOLDEN % 0).encode()


def test_who_is_not_signed_in_is_told_nothing(advertising: WireClient) -> None:
    """It needs a session."""
    for token in (None, "0" * 36):
        reply = advertising.request("POST", PATH, token=token)
        assert reply.content == '{"code":-101,"msg":"未登录"}'.encode()
