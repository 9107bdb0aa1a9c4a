"""What others see of a member (security D4, wire.md 3 profile_info)."""

from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.wire import pb
from tests.wire.client import WireClient
from tests.wire.records import Account

HIDING = {
    "HUPAN_SHOW_BIRTHDAY": "false",
    "HUPAN_SHOW_ADDRESS": "false",
    "HUPAN_SHOW_LAST_ACTIVE": "false",
    "HUPAN_SHOW_COUNTRY": "false",
}
SAVED: dict[str, object] = {
    "introduction": "湖畔的人",
    "gender": 2,
    "birthday": 1_231_231_230,
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "locationCode": "330106",
}


@pytest.fixture(scope="module")
def shy() -> Iterator[WireClient]:
    """A sandbox whose members show little."""
    with Server("sandbox", environment=HIDING) as server, WireClient(server) as wire:
        yield wire


def told(wire: WireClient) -> Account:
    """Return a member who told all of himself."""
    account = wire.account(phone=wire.fresh_phone())
    assert wire.post("user/save-user-data", SAVED, token=account.token).code == 1
    return account


def profile(wire: WireClient, account: Account, token: str) -> pb.Message:
    """Return profile_info as a token's holder sees it."""
    return wire.get_user(account.id, token=token).pb_data.message(19)


def test_shown_by_default(wire: WireClient) -> None:
    """Unless the server or the member hides it, all that was told is shown (wire.md 3)."""
    account = told(wire)
    for token in ("x", wire.account().token, account.token):
        seen = profile(wire, account, token)
        assert (seen.text(2), seen.number(3), seen.number(4)) == ("湖畔的人", 2, 1_231_231_230)
        assert (seen.text(5), seen.text(6)) == ("杭州市", "西湖区")
        assert seen.text(7)
        assert len(seen.text(1)) == len("2033-05-18 11:33:20")


def test_hidden_from_others(shy: WireClient) -> None:
    """What is hidden stands in no answer to others, in no form (security D4)."""
    account = told(shy)
    for token in ("x", shy.account().token):
        seen = profile(shy, account, token)
        assert seen.kinds() == {2: pb.LENGTH, 3: pb.VARINT}
        body = shy.get_user(account.id, token=token).body.decode("latin-1")
        assert "西湖区".encode().decode("latin-1") not in body
        headers = {"content-type": "application/json"}
        reply = shy.request(
            "POST", "/v1/user/get-user", {"id": account.id}, token=token, headers=headers
        )
        assert "西湖" not in reply.text
        assert "1231231230" not in reply.text
        assert shy.get_user(account.id, token=token).pb_data.text(20) == ""


def test_one_always_sees_oneself(shy: WireClient) -> None:
    """The member himself reads all that he told (wire.md 4 get-user-data)."""
    account = told(shy)
    data = shy.post("user/get-user-data", token=account.token).data
    assert data is not None
    own = data["data"]
    assert isinstance(own, dict)
    assert {key: own[key] for key in SAVED} == SAVED
    seen = profile(shy, account, account.token)
    assert (seen.number(4), seen.text(5), seen.text(6)) == (1_231_231_230, "杭州市", "西湖区")


def test_codes_of_places_stay_private(wire: WireClient) -> None:
    """The locationCode has no place in get-user (wire.md 3)."""
    account = told(wire)
    assert b"330106" not in wire.get_user(account.id).body
