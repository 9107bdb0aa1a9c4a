"""What the sandbox's doors make of accounts: packs, bans, guests (design 8, decision 0008)."""

import pytest

from tests.wire.client import WireClient

KEYS = {"id", "phone", "email", "password", "token"}
SIZES = {"minimal": 1, "vip": 3, "banned": 2, "coins": 2, "discovery": 1, "unicode": 14}
DAY_SECONDS = 86_400
NOW = 2_000_000_000

Planted = list[dict[str, str]]


def plant(wire: WireClient, pack: str, number: int) -> Planted:
    """Plant a pack and return what was made."""
    reply = wire.request("POST", "/sandbox/seed", {"pack": pack, "number": number})
    assert reply.status_code == 200, reply.text
    made: Planted = reply.json()
    return made


def code_of(wire: WireClient, token: str) -> str:
    """Return the invitation code of an account."""
    return wire.own_info(token).pb_data.text(12)


def progress(wire: WireClient, token: str) -> tuple[object, object]:
    """Return how many an account invited, today and in all."""
    data = wire.post("user/invite/invite-progress", token=token).data
    assert data is not None
    return data["currentNumberDay"], data["currentNumberTotal"]


@pytest.mark.parametrize("pack", SIZES)
def test_a_pack_tells_how_to_sign_in(wire: WireClient, pack: str) -> None:
    """Each account of a pack has a number, an address, a password and a session."""
    made = plant(wire, pack, 1)
    assert len(made) == SIZES[pack]
    for account in made:
        assert set(account) == KEYS
        code = 7100 if pack == "banned" else 1
        assert wire.own_info(account["token"]).code == code
        assert wire.email_login(account["email"], account["password"]).code == code
    if pack != "banned":
        shown = wire.own_info(made[0]["token"]).pb_data
        told = (shown.text(1), shown.text(6), shown.text(7))
        assert told == (made[0]["id"], made[0]["phone"], made[0]["email"])


def test_a_number_repeats_and_others_differ(own_wire: WireClient) -> None:
    """The same number makes the same accounts; two numbers, or two packs, share none."""
    first = [plant(own_wire, pack, number) for pack in SIZES for number in (2, 3)]
    phones = [account["phone"] for made in first for account in made]
    assert len(set(phones)) == len(phones)
    again = own_wire.request("POST", "/sandbox/seed", {"pack": "minimal", "number": 2})
    assert again.status_code == 409
    assert own_wire.request("POST", "/sandbox/reset").is_success
    second = [plant(own_wire, pack, number) for pack in SIZES for number in (2, 3)]
    for made, anew in zip(first, second, strict=True):
        for old, new in zip(made, anew, strict=True):
            assert {**old, "token": ""} == {**new, "token": ""}
            assert old["token"] != new["token"]


def test_a_pack_goes_in_whole_or_not_at_all(own_wire: WireClient) -> None:
    """Where one of its numbers is taken, none of its accounts is made."""
    taken = plant(own_wire, "vip", 4)[1]["phone"]
    own_wire.request("POST", "/sandbox/reset")
    owner = own_wire.account(phone=taken)
    reply = own_wire.request("POST", "/sandbox/seed", {"pack": "vip", "number": 4})
    assert reply.status_code == 409
    assert int(own_wire.account().id) == int(owner.id) + 1


def test_vip_pack(wire: WireClient) -> None:
    """VIP that is in force, that ends within a day, and that has expired."""
    shown = [wire.own_info(account["token"]).pb_data for account in plant(wire, "vip", 5)]
    assert [(data.number(9), data.number(11)) for data in shown] == [(1, 1), (1, 1), (0, 2)]
    assert shown[0].number(10) - shown[1].number(10) == 29 * DAY_SECONDS


def test_coins_pack(wire: WireClient) -> None:
    """One purse without a history and one with more than a page of it, of every type."""
    empty, full = plant(wire, "coins", 6)
    page = {"size": 100, "page": 1}
    nothing = wire.post("user/gold-coin-increase-decrease-record", page, token=empty["token"])
    assert nothing.data == {"goldCoinRecord": [], "total": 0}
    told = wire.post("user/gold-coin-increase-decrease-record", page, token=full["token"]).data
    assert told is not None
    records = told["goldCoinRecord"]
    assert isinstance(records, list)
    assert told["total"] == len(records) == 63
    assert {record["typ"] for record in records} == {2, 3, 4, 6, 7, 8, 9}
    balance = wire.own_info(full["token"]).pb_data.double(8)
    assert balance == records[0]["afterAmount"] == 832.68


def test_banned_pack(own_wire: WireClient) -> None:
    """One for good, one for a day."""
    own_wire.wind(set=NOW)
    for_good, for_a_day = plant(own_wire, "banned", 7)
    own_wire.wind(set=NOW + DAY_SECONDS + 60)
    assert own_wire.get_user(for_a_day["id"]).code == 1
    own_wire.wind(set=NOW + 10_000 * DAY_SECONDS)
    assert own_wire.get_user(for_good["id"]).code == 7100


def test_bans_at_the_door(own_wire: WireClient) -> None:
    """Days ban for so long, a reason alone for good, and neither not at all."""
    own_wire.wind(set=NOW)
    bans: list[dict[str, object]] = [{"banDays": 2}, {"banReason": "刷屏"}, {"banDays": 0}]
    accounts = [own_wire.account(**ban) for ban in bans]
    assert [own_wire.get_user(one.id).code for one in accounts] == [7100, 7100, 1]
    own_wire.wind(set=NOW + 2 * DAY_SECONDS + 60)
    assert [own_wire.get_user(one.id).code for one in accounts] == [1, 7100, 1]


def test_guests_at_the_door(own_wire: WireClient) -> None:
    """Who came by a code is counted for its owner, whatever its case."""
    own_wire.wind(set=NOW)
    inviter = own_wire.account()
    code = code_of(own_wire, inviter.token)
    assert progress(own_wire, inviter.token) == (0, 0)
    for written in (code, code.lower(), f" {code} "):
        own_wire.account(invitedBy=written)
    assert progress(own_wire, inviter.token) == (3, 3)
    own_wire.wind(set=NOW + DAY_SECONDS)
    assert progress(own_wire, inviter.token) == (0, 3)
    own_wire.account(invitedBy=code)
    assert progress(own_wire, inviter.token) == (1, 4)


@pytest.mark.parametrize(
    "fields",
    [
        {"invitedBy": "NOBODYS"},
        {"invitedBy": "!"},
        {"invitedBy": 5},
        {"banDays": -1},
        {"banDays": 36_501},
        {"banReason": "a\nb"},
        {"banReason": "长" * 201},
        {"banDays": 1, "banReason": " "},
    ],
)
def test_what_cannot_be_makes_no_account(wire: WireClient, fields: dict[str, object]) -> None:
    """It is refused, and the next account has the next id."""
    before = int(wire.account().id)
    assert wire.request("POST", "/sandbox/accounts", fields).status_code == 400
    assert int(wire.account().id) == before + 1
