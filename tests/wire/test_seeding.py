"""The sandbox's routes for data: packs and accounts (design 8).

The accounts created by these routes: packs, bans, guests (design 8, decision 0008).
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hupan.store.database import Database
from hupan.store.discovery import begin_build
from tests.support.client import WireClient
from tests.support.seeding import seed
from tests.support.servers import CHEAP_HASHES, Server
from tests.support.stores import EngineName, open_store

pytestmark = pytest.mark.slow

PACKS = ["minimal", "vip", "banned", "coins", "discovery", "unicode"]
PASSWORD = "long enough 湖 1"


@pytest.fixture(scope="module")
def module_sandbox(engine: EngineName) -> Iterator[WireClient]:
    """Yield a sandbox for this file only."""
    del engine  # the other engine has a separate server
    with (
        Server("sandbox", environment=CHEAP_HASHES) as server,
        WireClient(server) as wire,
    ):
        yield wire


@pytest.fixture
def empty_sandbox(module_sandbox: WireClient) -> WireClient:
    """Return that sandbox, emptied."""
    assert module_sandbox.request("POST", "/sandbox/reset").is_success
    return module_sandbox


@pytest.mark.slow
@pytest.mark.parametrize("pack", PACKS)
def test_every_pack_goes_in(empty_sandbox: WireClient, pack: str) -> None:
    """Each pack can be seeded, and the server continues (design 8)."""
    seed(empty_sandbox, pack, 5)
    assert empty_sandbox.request("GET", "/readyz").status_code == 200
    assert empty_sandbox.own_info(empty_sandbox.account().token).code == 1


@pytest.mark.slow
@pytest.mark.one_engine
@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_lists_its_accounts(empty_sandbox: WireClient, pack: str) -> None:
    """The response lists the created accounts, each with its secrets (design 8)."""
    members = seed(empty_sandbox, pack, 5)
    assert members
    assert len({member.id for member in members}) == len(members)
    for member in members:
        login = empty_sandbox.email_login(member.email, member.password, deviceId="other")
        assert login.code == (7100 if pack == "banned" else 1)
        if login.code == 1:
            data = empty_sandbox.own_info(member.token).pb_data
            bound = (data.text(1), data.text(6), data.text(7))
            assert bound == (member.id, member.phone, member.email)


@pytest.mark.slow
def test_vip_pack_has_every_state(empty_sandbox: WireClient) -> None:
    """The pack `vip` has active and expired VIP (design 8, wire.md 3 vip_status)."""
    told = [empty_sandbox.get_user(member.id).pb_data for member in seed(empty_sandbox, "vip", 5)]
    assert {(data.number(13), data.number(15)) for data in told} >= {(1, 1), (0, 2)}


@pytest.mark.slow
def test_coins_pack_has_coins(empty_sandbox: WireClient) -> None:
    """The pack `coins` has an account with coins (design 8)."""
    told = [
        empty_sandbox.own_info(member.token).pb_data for member in seed(empty_sandbox, "coins", 5)
    ]
    assert any(data.double(8) > 0 for data in told)


@pytest.mark.slow
def test_unicode_pack_has_other_scripts(empty_sandbox: WireClient) -> None:
    """The pack `unicode` has names beyond ASCII and beyond the first plane (design 8)."""
    told = [
        empty_sandbox.get_user(member.id).pb_data for member in seed(empty_sandbox, "unicode", 5)
    ]
    names = [data.text(2) for data in told]
    assert all(names)
    assert any(not name.isascii() for name in names)
    assert any(ord(character) > 0xFFFF for name in names for character in name)


@pytest.mark.slow
@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_repeats_itself(empty_sandbox: WireClient, pack: str) -> None:
    """The same pack with the same number gives the same accounts (design 5, 8)."""

    def made() -> list[tuple[str, str, str]]:
        return [(member.id, member.phone, member.email) for member in seed(empty_sandbox, pack, 5)]

    first = made()
    assert empty_sandbox.request("POST", "/sandbox/reset").is_success
    assert made() == first


@pytest.mark.slow
def test_packs_stand_side_by_side(empty_sandbox: WireClient) -> None:
    """All packs, and one pack with two numbers, fit into one sandbox (design 8)."""
    members = [
        member
        for pack in PACKS
        for number in (5, 6)
        for member in seed(empty_sandbox, pack, number)
    ]
    assert len({member.phone for member in members}) == len(members)


@pytest.mark.slow
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
    """An invalid pack is refused clearly, without a server error (design 8)."""
    reply = wire.request("POST", "/sandbox/seed", body)
    assert 400 <= reply.status_code < 500
    assert reply.text


@pytest.mark.slow
def test_reset_takes_packs_away(empty_sandbox: WireClient) -> None:
    """After a reset nothing of a pack remains (design 8)."""
    members = [member for pack in PACKS for member in seed(empty_sandbox, pack, 5)]
    assert empty_sandbox.request("POST", "/sandbox/reset").is_success
    assert {empty_sandbox.get_user(member.id).code for member in members} == {4402}
    assert {empty_sandbox.own_info(member.token).code for member in members} == {-101}
    token = empty_sandbox.account().token
    assert empty_sandbox.post("user/recommend", token=token).data == {"botList": []}


@pytest.mark.slow
@pytest.mark.one_engine
def test_the_route_is_a_post(wire: WireClient) -> None:
    """Only POST is served (design 8)."""
    assert wire.request("GET", "/sandbox/seed").status_code in {404, 405}


@pytest.mark.slow
def test_accounts_takes_everything(wire: WireClient) -> None:
    """An account can have all fields at once (design 8)."""
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


@pytest.mark.slow
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
    """An invalid field is refused clearly, and creates no account (design 8)."""
    reply = wire.request("POST", "/sandbox/accounts", fields)
    assert 400 <= reply.status_code < 500, (reply.status_code, reply.text)
    assert reply.text


@pytest.mark.slow
@pytest.mark.parametrize("key", ["phone", "email"])
def test_a_taken_target_is_refused(wire: WireClient, key: str) -> None:
    """This route does not give one number or address to two accounts either (A3)."""
    target = wire.fresh_phone() if key == "phone" else wire.fresh_email()
    owner = wire.account(**{key: target})
    reply = wire.request("POST", "/sandbox/accounts", {key: target, "nickname": "second"})
    if reply.is_success:
        assert reply.json()["id"] == owner.id
    else:
        assert 400 <= reply.status_code < 500


KEYS = {"id", "phone", "email", "password", "token"}
SIZES = {"minimal": 1, "vip": 3, "banned": 2, "coins": 2, "discovery": 1, "unicode": 14}
DAY_SECONDS = 86_400
NOW = 2_000_000_000

Planted = list[dict[str, str]]


def seed_pack(wire: WireClient, pack: str, number: int | None = None) -> Planted:
    """Seed a pack, in its usual size or in the given one, and return the accounts."""
    body: dict[str, object] = {"pack": pack} if number is None else {"pack": pack, "number": number}
    reply = wire.request("POST", "/sandbox/seed", body)
    assert reply.status_code == 200, reply.text
    made: Planted = reply.json()
    return made


def code_of(wire: WireClient, token: str) -> str:
    """Return the invitation code of an account."""
    return wire.own_info(token).pb_data.text(12)


def progress(wire: WireClient, token: str) -> tuple[object, object]:
    """Return how many accounts registered on the server, today and in total."""
    data = wire.post("user/invite/invite-progress", token=token).data
    assert data is not None
    return data["currentNumberDay"], data["currentNumberTotal"]


@pytest.mark.parametrize("pack", SIZES)
def test_a_pack_has_all_ways_to_sign_in(wire: WireClient, pack: str) -> None:
    """Each account of a pack has a number, an address, a password and a session."""
    made = seed_pack(wire, pack)
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


def nicknames(wire: WireClient, made: Planted) -> list[str]:
    """Return the nicknames of the accounts."""
    return [wire.get_user(account["id"]).pb_data.text(2) for account in made]


def count_groups(wire: WireClient, token: str) -> int:
    """Return how many groups are listed."""
    page, count = 1, 0
    while True:
        body: dict[str, object] = {"category": "", "keyword": "", "size": 100, "page": page}
        data = wire.post("user/recommend-list", body, token=token).data
        assert data is not None
        found = data["groupList"]
        assert isinstance(found, list)
        if not found:
            return count
        page, count = page + 1, count + len(found)


def test_a_reset_brings_the_same_again(own_wire: WireClient) -> None:
    """The same seeds in the same order give the same accounts, each with a new token."""
    first = [account for pack in (*SIZES, *SIZES) for account in seed_pack(own_wire, pack)]
    for key in ("id", "phone", "email"):
        assert len({account[key] for account in first}) == len(first)
    assert own_wire.request("POST", "/sandbox/reset").is_success
    second = [account for pack in (*SIZES, *SIZES) for account in seed_pack(own_wire, pack)]
    for old, new in zip(first, second, strict=True):
        assert {**old, "token": ""} == {**new, "token": ""}
        assert old["token"] != new["token"]


def test_numbers_go_on(own_wire: WireClient) -> None:
    """A pack seeded in two parts equals the whole pack."""
    parts = seed_pack(own_wire, "minimal", 2) + seed_pack(own_wire, "minimal", 3)
    assert [one["phone"] for one in parts] == [f"1700000000{n}" for n in range(1, 6)]
    assert [one["email"] for one in parts] == [f"minimal-{n}@example.com" for n in range(1, 6)]
    own_wire.request("POST", "/sandbox/reset")
    whole = seed_pack(own_wire, "minimal", 5)
    assert [{**one, "token": ""} for one in whole] == [{**one, "token": ""} for one in parts]


def test_the_kinds_of_a_pack_take_turns(own_wire: WireClient) -> None:
    """The kinds alternate with any number of accounts; each seed starts with the first kind."""
    kinds = ["会员", "会员将到期", "会员已过期"]
    assert nicknames(own_wire, seed_pack(own_wire, "vip", 7)) == [*kinds, *kinds, kinds[0]]
    assert nicknames(own_wire, seed_pack(own_wire, "vip", 1)) == kinds[:1]
    assert nicknames(own_wire, seed_pack(own_wire, "vip")) == kinds


def test_two_hundred_at_once(own_wire: WireClient) -> None:
    """Two hundred is the maximum; the last account works like the first."""
    made = seed_pack(own_wire, "coins", 200)
    assert len({account["id"] for account in made}) == 200
    balances = [own_wire.own_info(one["token"]).pb_data.double(8) for one in made[-2:]]
    assert balances == [0, 832.68]
    assert own_wire.email_login(made[-1]["email"], made[-1]["password"]).code == 1


def test_what_is_taken_is_passed_over(own_wire: WireClient) -> None:
    """A number and an address in use stay with their owner."""
    (first,) = seed_pack(own_wire, "minimal", 1)
    own_wire.request("POST", "/sandbox/reset")
    own_wire.account(phone=first["phone"])
    own_wire.account(email="minimal-3@example.com")
    made = seed_pack(own_wire, "minimal", 2)
    assert [account["phone"] for account in made] == ["17000000002", "17000000004"]


def test_packs_go_on_after_another_start(tmp_path: Path) -> None:
    """With a kept store, existing accounts are skipped."""
    planted = []
    for _ in range(2):
        with Server("sandbox", "--data-dir", str(tmp_path)) as server, WireClient(server) as wire:
            planted += seed_pack(wire, "vip")
    assert len({account["phone"] for account in planted}) == 6


def test_the_number_of_discovery_is_that_of_groups(own_wire: WireClient) -> None:
    """It adds this number of groups to the list, and one account."""
    assert len(seed_pack(own_wire, "discovery", 250)) == 1
    token = own_wire.account().token
    assert count_groups(own_wire, token) == 250
    assert len(seed_pack(own_wire, "discovery", 1)) == 1
    assert count_groups(own_wire, token) == 251
    seed_pack(own_wire, "discovery")
    assert count_groups(own_wire, token) == 371
    own_wire.request("POST", "/sandbox/reset")
    seed_pack(own_wire, "discovery", 1)
    assert count_groups(own_wire, own_wire.account().token) == 1


@pytest.mark.slow
def test_an_import_that_begins_while_groups_are_planted(tmp_path: Path) -> None:
    """The later import succeeds; the seed is refused, lists nothing, and can be repeated."""

    async def overtake() -> None:
        engine = open_store(tmp_path / "hupan.db")
        try:
            while await draft_number(engine) == 0:  # noqa: ASYNC110 - the server sets no event
                await asyncio.sleep(0.01)
            await engine.run_transaction(begin_build)
        finally:
            await engine.close()

    with (
        Server("sandbox", "--data-dir", str(tmp_path)) as server,
        WireClient(server) as wire,
        ThreadPoolExecutor(1) as beside,
    ):
        importing = beside.submit(asyncio.run, overtake())
        reply = wire.request("POST", "/sandbox/seed", {"pack": "discovery", "number": 20_000})
        importing.result(timeout=30)
        assert (reply.status_code, list(reply.json())) == (409, ["error"])
        assert reply.json()["error"] == "另一个导入已开始"
        token = wire.account().token
        assert count_groups(wire, token) == 0
        seed_pack(wire, "discovery", 1)
        assert count_groups(wire, token) == 1
        assert "Traceback" not in server.output()


async def draft_number(engine: Database) -> int:
    """Return the number of the newest draft of the list."""
    row = await engine.fetch_one("SELECT value FROM counters WHERE name = 'groups-draft'")
    assert row is not None
    return int(row[0])


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("pack", "number"),
    [
        ("minimal", 0),
        ("minimal", 201),
        ("discovery", 0),
        ("discovery", 100_001),
        ("vip", 1.5),
        ("vip", True),
    ],
)
def test_bad_numbers_are_refused(wire: WireClient, pack: str, number: object) -> None:
    """They create nothing: the next account has the next id."""
    before = int(wire.account().id)
    reply = wire.request("POST", "/sandbox/seed", {"pack": pack, "number": number})
    assert reply.status_code == 400
    assert reply.json()["error"]
    assert int(wire.account().id) == before + 1


def test_vip_pack(wire: WireClient) -> None:
    """The pack has current VIP, VIP that ends within a day, and expired VIP."""
    shown = [wire.own_info(account["token"]).pb_data for account in seed_pack(wire, "vip")]
    assert [(data.number(9), data.number(11)) for data in shown] == [(1, 1), (1, 1), (0, 2)]
    assert shown[0].number(10) - shown[1].number(10) == 29 * DAY_SECONDS


def test_coins_pack(wire: WireClient) -> None:
    """One account has no history, one has more than a page of it, of every type."""
    empty, full = seed_pack(wire, "coins")
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
    """One ban is permanent, one lasts a day."""
    own_wire.set_clock(set=NOW)
    for_good, for_a_day = seed_pack(own_wire, "banned")
    own_wire.set_clock(set=NOW + DAY_SECONDS + 60)
    assert own_wire.get_user(for_a_day["id"]).code == 1
    own_wire.set_clock(set=NOW + 10_000 * DAY_SECONDS)
    assert own_wire.get_user(for_good["id"]).code == 7100


def test_bans_of_created_accounts(own_wire: WireClient) -> None:
    """Days set the end, a reason alone is permanent, and without both there is no ban."""
    own_wire.set_clock(set=NOW)
    bans: list[dict[str, object]] = [{"banDays": 2}, {"banReason": "刷屏"}, {"banDays": 0}]
    accounts = [own_wire.account(**ban) for ban in bans]
    assert [own_wire.get_user(one.id).code for one in accounts] == [7100, 7100, 1]
    own_wire.set_clock(set=NOW + 2 * DAY_SECONDS + 60)
    assert [own_wire.get_user(one.id).code for one in accounts] == [1, 7100, 1]


def test_created_accounts_are_counted(own_wire: WireClient) -> None:
    """Every new account counts, with or without an invitation code (wire.md 4)."""
    own_wire.set_clock(set=NOW)
    inviter = own_wire.account()
    code = code_of(own_wire, inviter.token)
    assert progress(own_wire, inviter.token) == (1, 1)
    for written in (code, code.lower(), f" {code} "):
        own_wire.account(invitedBy=written)
    own_wire.account()
    assert progress(own_wire, inviter.token) == (5, 5)
    own_wire.set_clock(set=NOW + DAY_SECONDS)
    assert progress(own_wire, inviter.token) == (0, 5)
    own_wire.account(invitedBy=code)
    assert progress(own_wire, inviter.token) == (1, 6)


@pytest.mark.one_engine
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
    """The request is refused, and the next account has the next id."""
    before = int(wire.account().id)
    assert wire.request("POST", "/sandbox/accounts", fields).status_code == 400
    assert int(wire.account().id) == before + 1
