"""The sandbox's doors for data: packs and accounts (design 8)."""

from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.wire.client import WireClient
from tests.wire.seeds import seed

pytestmark = pytest.mark.slow

PACKS = ["minimal", "vip", "banned", "coins", "discovery", "unicode"]
PASSWORD = "long enough 湖 1"


@pytest.fixture(scope="module")
def plot() -> Iterator[WireClient]:
    """A sandbox for this file alone."""
    with Server("sandbox") as server, WireClient(server) as wire:
        yield wire


@pytest.fixture
def garden(plot: WireClient) -> WireClient:
    """That sandbox, empty."""
    assert plot.request("POST", "/sandbox/reset").is_success
    return plot


@pytest.mark.parametrize("pack", PACKS)
def test_every_pack_goes_in(garden: WireClient, pack: str) -> None:
    """Each pack can be put in, and the server goes on (design 8)."""
    seed(garden, pack, 5)
    assert garden.request("GET", "/readyz").status_code == 200
    assert garden.own_info(garden.account().token).code == 1


@pytest.mark.one_engine
@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_tells_its_accounts(garden: WireClient, pack: str) -> None:
    """The answer lists the accounts that were made, each with what opens it (design 8)."""
    members = seed(garden, pack, 5)
    assert members
    assert len({member.id for member in members}) == len(members)
    for member in members:
        login = garden.email_login(member.email, member.password, deviceId="other")
        assert login.code == (7100 if pack == "banned" else 1)
        if login.code == 1:
            data = garden.own_info(member.token).pb_data
            bound = (data.text(1), data.text(6), data.text(7))
            assert bound == (member.id, member.phone, member.email)


def test_vip_pack_has_every_state(garden: WireClient) -> None:
    """The pack `vip` has active and expired VIP (design 8, wire.md 3 vip_status)."""
    told = [garden.get_user(member.id).pb_data for member in seed(garden, "vip", 5)]
    assert {(data.number(13), data.number(15)) for data in told} >= {(1, 1), (0, 2)}


def test_coins_pack_has_coins(garden: WireClient) -> None:
    """The pack `coins` has somebody with coins (design 8)."""
    told = [garden.own_info(member.token).pb_data for member in seed(garden, "coins", 5)]
    assert any(data.double(8) > 0 for data in told)


def test_unicode_pack_has_other_scripts(garden: WireClient) -> None:
    """The pack `unicode` has names beyond ASCII and beyond the first plane (design 8)."""
    told = [garden.get_user(member.id).pb_data for member in seed(garden, "unicode", 5)]
    names = [data.text(2) for data in told]
    assert all(names)
    assert any(not name.isascii() for name in names)
    assert any(ord(character) > 0xFFFF for name in names for character in name)


@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_repeats_itself(garden: WireClient, pack: str) -> None:
    """The same pack with the same number makes the same accounts (design 5, 8)."""

    def made() -> list[tuple[str, str, str]]:
        return [(member.id, member.phone, member.email) for member in seed(garden, pack, 5)]

    first = made()
    assert garden.request("POST", "/sandbox/reset").is_success
    assert made() == first


def test_packs_stand_side_by_side(garden: WireClient) -> None:
    """All packs, and one pack with two numbers, go into one sandbox (design 8)."""
    members = [
        member for pack in PACKS for number in (5, 6) for member in seed(garden, pack, number)
    ]
    assert len({member.phone for member in members}) == len(members)


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        {},
        {"pack": "no such pack", "number": 1},
        {"pack": 5, "number": 1},
        {"pack": None, "number": 1},
        {"pack": "minimal", "number": -1},
        {"pack": "minimal", "number": "5"},
        {"pack": "minimal", "number": 10**30},
    ],
)
def test_bad_seeds_are_refused(wire: WireClient, body: dict[str, object] | bytes) -> None:
    """What is no pack is refused clearly, never with an accident (design 8)."""
    reply = wire.request("POST", "/sandbox/seed", body)
    assert 400 <= reply.status_code < 500
    assert reply.text


def test_reset_takes_packs_away(garden: WireClient) -> None:
    """After a reset nothing of a pack is left (design 8)."""
    members = [member for pack in PACKS for member in seed(garden, pack, 5)]
    assert garden.request("POST", "/sandbox/reset").is_success
    assert {garden.get_user(member.id).code for member in members} == {4402}
    assert {garden.own_info(member.token).code for member in members} == {-101}
    token = garden.account().token
    assert garden.post("user/recommend", token=token).data == {"botList": []}


@pytest.mark.one_engine
def test_the_door_is_a_post(wire: WireClient) -> None:
    """The door is a POST; anything else is no door (design 8)."""
    assert wire.request("GET", "/sandbox/seed").status_code in {404, 405}


def test_accounts_takes_everything(wire: WireClient) -> None:
    """All fields of the door at once make an account that has them all (design 8)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(
        phone=phone,
        email=email,
        password=PASSWORD,
        nickname="湖畔",
        coins=12.34,
        vipDays=3,
        medals=["一", "二"],
        deviceId="door",
        platform="windows",
    )
    own = wire.own_info(account.token).pb_data
    assert (own.text(1), own.text(2)) == (account.id, "湖畔")
    assert (own.text(6), own.text(7)) == (phone, email)
    assert (own.double(8), own.number(9), own.number(11)) == (12.34, 1, 1)
    medals = wire.get_user(account.id).pb_data.messages(6)
    assert {medal.text(2) for medal in medals} == {"一", "二"}
    assert wire.email_login(email, PASSWORD, deviceId="other").code == 1
    clients = wire.request("GET", "/v1/user/clients", token=account.token)
    assert b"door" in clients.content
    assert b"windows" in clients.content


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "fields",
    [
        {"phone": 5},
        {"phone": "nonsense"},
        {"email": "nobody"},
        {"password": 5},
        {"nickname": "\u202e"},
        {"nickname": 5},
        {"coins": -1},
        {"coins": 0.001},
        {"coins": 10**30},
        {"vipDays": -1},
        {"vipDays": "3"},
        {"vipDays": 10**30},
        {"medals": "一"},
        {"medals": [5]},
        {"deviceId": 5},
        {"platform": 5},
    ],
)
def test_bad_accounts_are_refused(wire: WireClient, fields: dict[str, object]) -> None:
    """A field that cannot be is refused clearly, and makes no account (design 8)."""
    reply = wire.request("POST", "/sandbox/accounts", fields)
    assert 400 <= reply.status_code < 500, (reply.status_code, reply.text)
    assert reply.text


@pytest.mark.parametrize("key", ["phone", "email"])
def test_a_taken_target_is_refused(wire: WireClient, key: str) -> None:
    """One number or address never belongs to two accounts, by this door neither (A3)."""
    target = wire.fresh_phone() if key == "phone" else wire.fresh_email()
    owner = wire.account(**{key: target})
    reply = wire.request("POST", "/sandbox/accounts", {key: target, "nickname": "second"})
    if reply.is_success:
        assert reply.json()["id"] == owner.id
    else:
        assert 400 <= reply.status_code < 500
