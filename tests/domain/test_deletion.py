"""Account deletion: who may delete, responses meanwhile, what remains (D1, A4, A7).

Only the journal of coins remains of an erased account (security A4, A7).

The tables are read from the schema, so a new table that the erasure forgets is found.
"""

import asyncio
import hashlib
from functools import partial
from pathlib import Path

import pytest

from hupan.domain.codes import CodePurpose
from hupan.domain.coins import CoinChange, Coins
from hupan.domain.deletion import ERASE_BATCH_SIZE
from hupan.domain.sessions import Device
from hupan.errors import AccountCancelled, InvalidField, NotSignedIn, UnknownUser, WrongCode
from hupan.model import NO_ACCOUNT, AccountId, CoinType, Limit
from hupan.store.database import Transaction, Value
from hupan.store.rate_counters import try_increment
from hupan.store.tables import erased_tables
from tests.support.world import ERASED_AFTER_DAYS, World, email_address, open_world, phone_address

PHONE, EMAIL = "13900000001", "Who@example.com"
CANCELLED = "notice-account-cancelled"
HERE = Device("here", "android")
LONG_AFTER = 2**40


async def sign_in(world: World, phone: str, kind: CodePurpose, owner: AccountId) -> str:
    """Sign in with a right code."""
    code = await world.issue(phone_address(phone), kind, owner)
    return await world.code_logins.sign_in(phone, code, HERE)


@pytest.mark.parametrize("by", ["phone", "email"])
async def test_an_own_code_of_either_channel_cancels(tmp_path: Path, by: str) -> None:
    """The cancellation ends all sessions, and notifies both channels."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(phone=PHONE, email=EMAIL)
        tokens = [await world.sign_in(account) for _ in range(3)]
        session = (await world.caller(tokens[0])).session
        code = await world.issue(
            phone_address(PHONE) if by == "phone" else email_address(EMAIL), "own", account
        )
        given = (PHONE, "") if by == "phone" else ("", EMAIL.upper())
        await world.account_deletion.cancel(session, *given, code)
        assert [await world.is_signed_in(token) for token in tokens] == [False] * 3
        assert all([await world.sessions.was_logged_out(token) for token in tokens])
        assert not await world.exists(account)
        assert await world.recipients(CANCELLED) == [PHONE, EMAIL]
        with pytest.raises(NotSignedIn):
            await world.account_deletion.cancel(session, *given, code)


@pytest.mark.parametrize("whose", ["mine", "somebody's", "nobody's"])
@pytest.mark.parametrize("kind", ["own", "new", "reset", "decoy"])
async def test_only_an_own_code_of_ones_own_target_cancels(
    tmp_path: Path, whose: str, kind: CodePurpose
) -> None:
    """Any other purpose or target gets the same refusal and cancels nothing (D1, C8)."""
    async with open_world(tmp_path / "db") as world:
        mine = await world.account_id(phone=PHONE)
        other = await world.account_id(phone="13900000002")
        session = (await world.caller(await world.sign_in(mine))).session
        phone = {"mine": PHONE, "somebody's": "13900000002", "nobody's": "13900000003"}[whose]
        owner = {"mine": mine, "somebody's": other, "nobody's": NO_ACCOUNT}[whose]
        code = await world.issue(phone_address(phone), kind, owner)
        if (whose, kind) == ("mine", "own"):
            await world.account_deletion.cancel(session, phone, "", code)
        else:
            with pytest.raises(WrongCode):
                await world.account_deletion.cancel(session, phone, "", code)
        assert await world.exists(mine) is ((whose, kind) != ("mine", "own"))
        assert await world.exists(other)


async def test_a_code_of_a_former_owner_cancels_nothing(tmp_path: Path) -> None:
    """A code for another account is refused, even if the caller owns the number now (D1)."""
    async with open_world(tmp_path / "db") as world:
        mine = await world.account_id(phone=PHONE)
        session = (await world.caller(await world.sign_in(mine))).session
        code = await world.issue(phone_address(PHONE), "own", AccountId(mine + 1))
        with pytest.raises(WrongCode):
            await world.account_deletion.cancel(session, PHONE, "", code)
        assert await world.exists(mine)


async def test_wrong_guesses_use_the_code_up(tmp_path: Path) -> None:
    """After five wrong guesses the right code is refused (security C3, C4)."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(phone=PHONE)
        session = (await world.caller(await world.sign_in(account))).session
        code = await world.issue(phone_address(PHONE), "own", account)
        for guess in [f"{(int(code) + 1) % 10**6:06}"] * 5 + [code]:
            with pytest.raises(WrongCode):
                await world.account_deletion.cancel(session, PHONE, "", guess)
        assert await world.exists(account)


async def test_guesses_at_anothers_target_touch_nothing(tmp_path: Path) -> None:
    """Naming another account's number neither tests its code nor uses up its attempts."""
    async with open_world(tmp_path / "db") as world:
        await world.account_id(phone=PHONE)
        other = await world.account_id(phone="13900000002")
        mine = (await world.caller(await world.sign_in(await world.account_id()))).session
        code = await world.issue(phone_address("13900000002"), "own", other)
        for _ in range(6):
            with pytest.raises(WrongCode):
                await world.account_deletion.cancel(mine, "13900000002", "", code)
        assert await world.code_logins.sign_in("13900000002", code, HERE)


@pytest.mark.parametrize(
    ("phone", "email", "field"),
    [("", "", "phone"), (PHONE, EMAIL, "email"), ("12", "", "phone"), ("", "x", "email")],
)
async def test_one_target_must_be_named(tmp_path: Path, phone: str, email: str, field: str) -> None:
    """Neither, both or an invalid target are refused by name (wire.md 2, 1100)."""
    async with open_world(tmp_path / "db") as world:
        session = (
            await world.caller(await world.sign_in(await world.account_id(phone=PHONE)))
        ).session
        with pytest.raises(InvalidField) as refusal:
            await world.account_deletion.cancel(session, phone, email, "000000")
        assert refusal.value.field == field


async def test_live_codes_die_with_the_account(tmp_path: Path) -> None:
    """A code of the other channel, sent before the cancellation, no longer works."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(phone=PHONE, email=EMAIL)
        await world.issue(email_address(EMAIL), "own", account)
        await world.cancel(account, PHONE)
        assert await world.rows("SELECT 1 FROM codes") == []


async def test_a_right_code_meanwhile_is_answered_with_the_reason(tmp_path: Path) -> None:
    """Until the erasure the number makes no new account; a wrong code reveals nothing (E3)."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(phone=PHONE)
        await world.cancel(account, PHONE)
        world.pass_days(ERASED_AFTER_DAYS - 1)
        assert await world.account_deletion.erase_due() == 0
        code = await world.issue(phone_address(PHONE), "own", account)
        with pytest.raises(WrongCode):
            await world.code_logins.sign_in(PHONE, f"{(int(code) + 1) % 10**6:06}", HERE)
        with pytest.raises(AccountCancelled):
            await world.code_logins.sign_in(PHONE, code, HERE)


async def test_after_the_erasure_the_number_starts_from_nothing(tmp_path: Path) -> None:
    """A new account has a new id, and codes of the old one do not work (A4)."""
    async with open_world(tmp_path / "db") as world:
        old = await world.account_id(phone=PHONE, email=EMAIL)
        await world.cancel(old, PHONE)
        world.pass_days(ERASED_AFTER_DAYS)
        await world.issue(phone_address(PHONE), "own", old)
        assert await world.account_deletion.erase_due() == 1
        assert await world.rows("SELECT 1 FROM codes") == []
        new = (await world.caller(await sign_in(world, PHONE, "new", NO_ACCOUNT))).account
        assert new.id > old
        assert (new.phone, new.email, new.online_days) == (PHONE, "", 0)
        assert await world.account_id(email=EMAIL) > new.id
        assert not await world.exists(old)


async def test_the_highest_id_is_not_handed_out_again(tmp_path: Path) -> None:
    """Ids ascend even after the newest account was erased (A4)."""
    async with open_world(tmp_path / "db") as world:
        old = await world.account_id(phone=PHONE)
        await world.cancel(old, PHONE)
        world.pass_days(ERASED_AFTER_DAYS)
        await world.account_deletion.erase_due()
        assert await world.account_id(phone=PHONE) == old + 1


async def test_guesses_of_the_past_are_forgotten(tmp_path: Path) -> None:
    """Counters of the number are erased with the account, those of other numbers stay."""

    async def subjects(world: World) -> set[str]:
        rows = await world.rows("SELECT subject, name FROM tallies")
        return {subject + name.partition("#")[2] for subject, name in rows}

    async with open_world(tmp_path / "db") as world:
        others = ["13900000000", "13900000002"]
        account = await world.account_id(phone=PHONE)
        token = await world.sign_in(account, "known")
        await world.cancel(account, PHONE)
        world.pass_days(ERASED_AFTER_DAYS)
        for phone in [PHONE, *others]:
            with pytest.raises(WrongCode):
                await world.code_logins.sign_in(phone, "000000", Device("known", ""))
        with pytest.raises(WrongCode):
            await world.code_logins.sign_in(PHONE, "000000", HERE)
        named = hashlib.sha256(b"known").hexdigest()
        left = {f"sms:{phone}:" for phone in others}
        assert await subjects(world) > left | {f"sms:{PHONE}:", f"sms:{PHONE}:{named}"}
        await world.account_deletion.erase_due()
        assert await subjects(world) == left
        assert not await world.is_signed_in(token)


async def test_wrong_passwords_of_the_past_are_forgotten(tmp_path: Path) -> None:
    """The next owner of the address is not locked out by guesses at the old password."""

    async def count(subject: str, tx: Transaction) -> None:
        await try_increment(tx, subject, Limit("any", 20, LONG_AFTER), 0)

    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(email=EMAIL)
        mine, others = f"password:{EMAIL.lower()}:", "password:who@example.co:"
        for subject in (mine, f"{mine}ab", others, f"send:email:{EMAIL.lower()}:"):
            await world.engine.run_transaction(partial(count, subject))
        await world.account_deletion.cancel_by_operator(account)
        world.pass_days(ERASED_AFTER_DAYS)
        await world.account_deletion.erase_due()
        left = {row[0] for row in await world.rows("SELECT subject FROM tallies")}
        assert left == {others, f"send:email:{EMAIL.lower()}:"}


@pytest.mark.slow
async def test_many_erasures_by_two_processes(tmp_path: Path) -> None:
    """More accounts than fit in one batch are all erased, also by two processes at once."""
    async with open_world(tmp_path / "db") as world:
        accounts = [
            await world.account_id(email=f"{n}@example.com") for n in range(ERASE_BATCH_SIZE + 5)
        ]
        for account in accounts:
            await world.account_deletion.cancel_by_operator(account)
        world.pass_days(ERASED_AFTER_DAYS)
        found = await asyncio.gather(
            world.account_deletion.erase_due(), world.account_deletion.erase_due()
        )
        assert all(0 < some <= ERASE_BATCH_SIZE for some in found)
        while await world.account_deletion.erase_due():
            pass
        assert await world.rows("SELECT 1 FROM accounts") == []
        assert await world.rows("SELECT 1 FROM identities") == []


async def test_an_operator_ends_an_account_without_a_code(tmp_path: Path) -> None:
    """Its owner is notified; a second deletion, or an unknown account, is refused."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(email=EMAIL)
        token = await world.sign_in(account)
        await world.account_deletion.cancel_by_operator(account)
        assert not await world.is_signed_in(token)
        assert await world.recipients(CANCELLED) == [EMAIL]
        for unknown in (account, AccountId(account + 1)):
            with pytest.raises(UnknownUser):
                await world.account_deletion.cancel_by_operator(unknown)


ERASED_PHONE = "13900000001"
TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
COLUMNS = "SELECT name, type FROM pragma_table_info(?1)"
KEPT = {
    "picture_removals": "what is left to be deleted, until its files are",
    "coin_entries": "the journal stays whole, under an id that leads to nobody",
    "session_ends": "every process reads it within a second; deleted after some minutes",
}
BY_TARGET = {"codes": "found by what was bound, and killed with it"}
SAMPLES: dict[str, Value] = {"INTEGER": 1, "TEXT": "x", "BLOB": b"x"}


async def tables_of_accounts(world: World) -> list[str]:
    """Return every table with a column `account_id`."""
    names = [row[0] for row in await world.rows(TABLES)]
    return [name for name in names if "account_id" in dict(await columns(world, name))]


async def columns(world: World, table: str) -> list[tuple[str, str]]:
    """Return names and types of a table's columns."""
    return [(row[0], row[1]) for row in await world.rows(COLUMNS, table)]


async def tables_with(world: World, account: AccountId) -> set[str]:
    """Return the tables in which an account has a row."""
    found = set()
    for table in await tables_of_accounts(world):
        sql = f"SELECT 1 FROM {table} WHERE account_id = ?1"  # noqa: S608 - names of our own schema
        if await world.rows(sql, account):
            found.add(table)
    return found


async def put_samples(world: World, table: str, account: AccountId) -> None:
    """Insert a row of an account into a table with any columns."""
    names_and_types = await columns(world, table)
    names = ", ".join(name for name, _ in names_and_types)
    places = ", ".join(f"?{n}" for n in range(1, len(names_and_types) + 1))
    values = [account if name == "account_id" else SAMPLES[kind] for name, kind in names_and_types]
    sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - as above
    await world.engine.run_transaction(lambda tx: tx.execute(sql, *values))


@pytest.mark.one_engine
async def test_every_table_of_accounts_is_known_to_the_erasure(tmp_path: Path) -> None:
    """A table with an `account_id` is erased, or kept for a documented reason."""
    async with open_world(tmp_path / "db") as world:
        tables = await tables_of_accounts(world)
        assert set(tables) - set(erased_tables()) == {*KEPT, *BY_TARGET}


@pytest.mark.one_engine
async def test_every_row_is_erased(tmp_path: Path) -> None:
    """A row in each table goes with its account; the same rows of another account stay."""
    async with open_world(tmp_path / "db") as world:
        mine, other = await world.account_id(phone=ERASED_PHONE), await world.account_id()
        await world.account_deletion.cancel_by_operator(mine)
        world.pass_days(ERASED_AFTER_DAYS)
        await world.issue(phone_address(ERASED_PHONE), "own", mine)
        for table in set(erased_tables()) - {"identities"}:
            await put_samples(world, table, mine)
        kept = set(erased_tables()) - {"identities", "sessions"}
        for table in kept:
            await put_samples(world, table, other)
        assert await world.account_deletion.erase_due() == 1
        assert await tables_with(world, mine) == {"picture_removals"}  # until its files are deleted
        assert await tables_with(world, other) == kept | {"identities"}
        assert await world.rows("SELECT id FROM accounts") == [(other,)]


@pytest.mark.one_engine
async def test_the_journal_of_coins_stays_without_names(tmp_path: Path) -> None:
    """Entries remain after the account, each still with both sides (security J3)."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(phone=ERASED_PHONE)
        coins = Coins(world.engine, world.clock)
        for key, cents in (("a", 500), ("b", -200)):
            await coins.change(
                CoinChange(
                    account=account,
                    change_cents=cents,
                    typ=CoinType.REWARD,
                    reason="奖励",
                    key=key,
                )
            )
        await world.cancel(account, ERASED_PHONE)
        world.pass_days(ERASED_AFTER_DAYS)
        await world.account_deletion.erase_due()
        entries = await world.rows(
            "SELECT number, change_cents, change_cents + counter_cents FROM coin_entries"
        )
        assert entries == [(1, 500, 0), (2, -200, 0)]


@pytest.mark.one_engine
async def test_an_account_that_lives_is_never_erased(tmp_path: Path) -> None:
    """The erasure checks the end again in its own transaction."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(phone=ERASED_PHONE)
        world.pass_days(10 * 365)

        async def change(tx: Transaction) -> None:
            await world.account_deletion._erase(account, tx)  # noqa: SLF001 - no public call leads here

        await world.engine.run_transaction(change)
        assert await world.exists(account)
