"""`hupan database distribute`, on a real PostgreSQL without Citus, or with a stand-in for it."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.store import citus as spread
from hupan.store.tables import list_tables
from tests.support.stores import Databases

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]

STAND_INS = """
CREATE TABLE calls (number BIGSERIAL PRIMARY KEY, made TEXT NOT NULL);
CREATE TABLE emptied (name TEXT NOT NULL);
CREATE FUNCTION truncate_local_data_after_distributing_table(name regclass)
RETURNS void LANGUAGE sql AS $$ INSERT INTO emptied VALUES (name) $$;
CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY);
CREATE FUNCTION create_distributed_table(
  name regclass, by_column TEXT, kind TEXT DEFAULT 'hash', colocate_with TEXT DEFAULT 'default'
) RETURNS void LANGUAGE sql AS $$
  INSERT INTO calls (made) VALUES (name || ' by ' || by_column || ' beside ' || colocate_with);
  INSERT INTO pg_dist_partition VALUES (name);
$$;
CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql AS $$
  INSERT INTO calls (made) VALUES (name || ' everywhere');
  INSERT INTO pg_dist_partition VALUES (name);
$$;
"""
"""They record their arguments; Citus itself would move rows."""
ALONE = {
    "accounts by id beside none",
    "identities by value beside none",
    "codes by target beside none",
    "outbox by target beside codes",
    "tallies by subject beside none",
    "spent_captchas by id beside none",
    "counters by name beside none",
    "limit_resets by subject beside none",
    "account_search by initial beside none",
    "socket_processes by process beside none",
    "drafts by process beside none",
    "picture_keys by client_key beside none",
}


@pytest.fixture
def store(databases: Databases) -> Iterator[str]:
    """Yield the URL of a separate store."""
    name = databases.make()
    yield databases.cluster.url(name)
    databases.drop(name)


def run(databases: Databases, url: str, sql: str) -> list[str]:
    """Run SQL on a store; return the first column of the result."""

    async def ask() -> list[str]:
        connection = await asyncpg.connect(url)
        try:
            if sql.startswith("SELECT"):
                return [str(row[0]) for row in await connection.fetch(sql)]
            await connection.execute(sql)
            return []
        finally:
            await connection.close()

    return databases.wait(ask())


def distribute(url: str) -> tuple[int, str, str]:
    """Run the command; return its exit status and output."""
    done = CliRunner().invoke(app, ["database", "distribute", "--database", url])
    return done.exit_code, done.stdout, done.stderr


def test_without_citus(store: str) -> None:
    """The command says what is missing and what to do, with status 1."""
    status, told, wrong = distribute(store)
    assert (status, told) == (1, "")
    assert "citus" in wrong
    assert "CREATE EXTENSION citus" in wrong
    assert "Traceback" not in wrong


def test_a_file_cannot_be_spread(tmp_path: Path) -> None:
    """SQLite runs on one machine only."""
    status, _, wrong = distribute(str(tmp_path / "hupan.db"))
    assert (status, "只有 PostgreSQL" in wrong) == (1, True)


def test_each_table_is_spread_once(databases: Databases, store: str) -> None:
    """The accounts come first, then their tables; a second run has nothing to do."""
    run(databases, store, STAND_INS)
    status, told, wrong = distribute(store)
    assert (status, wrong) == (0, "")
    assert f"已分布 {len(list_tables()) + 1} 张表" in told
    calls = run(databases, store, "SELECT made FROM calls ORDER BY number")
    assert calls[0] == "accounts by id beside none"
    everywhere = {f"{name} everywhere" for name in (*spread.REFERENCE_TABLES, "migrations")}
    beside = {
        f"{one.name} by account_id beside accounts"
        for one in list_tables()
        if one.primary_key[0] == "account_id" and one.name not in spread.REFERENCE_TABLES
    }
    assert sorted(calls) == sorted(ALONE | everywhere | beside)
    assert "已分布 0 张表：—" in distribute(store)[1]
    assert run(databases, store, "SELECT made FROM calls ORDER BY number") == calls


def test_it_goes_on_where_it_broke_off(databases: Databases, store: str) -> None:
    """Tables that are already distributed are left unchanged."""
    run(databases, store, STAND_INS)
    run(databases, store, "INSERT INTO pg_dist_partition VALUES ('accounts'), ('medals')")
    assert f"已分布 {len(list_tables()) - 1} 张表" in distribute(store)[1]
    calls = run(databases, store, "SELECT made FROM calls")
    assert not any(call.startswith(("accounts ", "medals ")) for call in calls)


def test_a_grown_store_takes_its_time(databases: Databases, store: str) -> None:
    """Request timeouts do not apply; if a table fails, the earlier ones stay distributed."""
    run(databases, store, STAND_INS)
    slow = """
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.made LIKE 'accounts %' THEN PERFORM pg_sleep(1.5); END IF;
      IF NEW.made LIKE 'codes %' THEN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER hold BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION hold();
    """
    run(databases, store, slow)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUPAN_DATABASE_TIMEOUT_SECONDS", "1")
        status, _, wrong = distribute(store)
        assert (status, "资源不足（53100）" in wrong) == (1, True)
        spread_before = run(databases, store, "SELECT logicalrelid::text FROM pg_dist_partition")
        assert "accounts" in spread_before
        run(databases, store, "DROP TRIGGER hold ON calls")
        status, told, _ = distribute(store)
    assert (status, "accounts" in told.partition("：")[2].split(", ")) == (0, False)
    assert f"已分布 {len(list_tables()) + 1 - len(spread_before)} 张表" in told


def test_no_rows_are_left_on_the_coordinator(databases: Databases, store: str) -> None:
    """This covers tables distributed now, and one where an earlier run was interrupted."""
    run(databases, store, STAND_INS)
    names = ", ".join(one.name for one in list_tables() if one.name != "counters")
    run(databases, store, f"TRUNCATE {names}")  # rows of an earlier test may have left their files
    run(databases, store, "INSERT INTO categories (name, position) VALUES ('chat', 1)")
    run(databases, store, "INSERT INTO pg_dist_partition VALUES ('categories')")
    assert distribute(store)[0] == 0
    assert set(run(databases, store, "SELECT name FROM emptied")) == {
        *("categories", "counters", "migrations"),
    }
