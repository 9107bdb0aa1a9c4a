"""Every table has a bound, and each that users can grow has a test of it (security X5).

The story: each sign-in on a new device left a row for ever, without a decision that it should.
"""

from pathlib import Path

from hupan.store.sessions import MAX_LOGGED_OUT_TOKENS
from hupan.store.tables import data_tables, erased_tables, list_tables
from tests.support.table_growth import GROWN, OTHERWISE
from tools.docs.table_bounds import TABLE_BOUNDS, TableBound, bounds_in_schema


def test_every_table_is_in_the_list_once() -> None:
    """A new table needs a row with its bound (security X5)."""
    listed, tables = [one.table for one in TABLE_BOUNDS], [table.name for table in list_tables()]
    assert set(tables) ^ set(listed) == set(), (
        "write above CREATE TABLE `-- bound: account, MAX_ROWS, tests/….py: what enforces it` "
        "(CONTRIBUTING.md, Add a table)"
    )
    assert len(listed) == len(set(listed))
    assert set(data_tables()) < {one.table for one in TABLE_BOUNDS}


def test_rows_of_users_are_not_called_the_operators_own() -> None:
    """Rows by account, device, target or address can be added by users or strangers (X5)."""
    by_user = {"account_id", "device_id", "target", "subject", "token_hash"}
    operators = {one.table for one in TABLE_BOUNDS if one.per == "operators"}
    grown = {
        table.name for table in list_tables() if by_user & {column.name for column in table.columns}
    }
    assert grown & operators == {"account_medals", "limit_resets"}, (
        "a table with a column of users is bounded per account, target or server"
    )
    assert set(erased_tables()) - {"account_medals"} <= {
        one.table for one in TABLE_BOUNDS if one.per == "account"
    }, "a table with a column `account_id` is bounded per account"


def test_rows_of_an_account_are_erased_with_it() -> None:
    """A row under another name than `account_id` would outlive its account (security A7)."""
    tested = {"picture_keys": "tests/domain/test_media.py::test_erased_with_the_account"}
    by_account = {one.table for one in TABLE_BOUNDS if one.per == "account"}
    named = {
        table.name
        for table in list_tables()
        if "account_id" in {column.name for column in table.columns}
    }
    assert by_account - named == tested.keys(), "call the column of the account `account_id`"


def test_every_bound_is_reached_by_a_test() -> None:
    """A row of the list is tested generically, or names its test (security X5)."""
    growing = {one.table for one in TABLE_BOUNDS if one.per != "operators"}
    tried = GROWN.keys() | OTHERWISE.keys()
    assert tried ^ growing == set(), "name in the `-- bound:` line the test that reaches the bound"
    assert not GROWN.keys() & OTHERWISE.keys()


def test_every_bound_names_a_test_that_exists() -> None:
    """A path that leads nowhere shows nothing (security X5)."""
    root = Path(__file__).parents[2]
    missing = {one.table for one in TABLE_BOUNDS if one.test and not (root / one.test).is_file()}
    assert missing == set(), "name an existing test file in the `-- bound:` line of these tables"


def test_a_bound_next_to_its_table_is_read() -> None:
    """A bound is a number or a constant; a table without one is not in the list (X5)."""
    sql = """
-- Notes.
-- bound: account, store.sessions.MAX_LOGGED_OUT_TOKENS, tests/wire/test_x.py: the oldest goes
-- More about it.
CREATE TABLE notes (account_id INTEGER);
-- bound: operators, 0, -: written by operators alone
CREATE TABLE places (id INTEGER);
CREATE TABLE unbounded (id INTEGER);
"""
    most, test = MAX_LOGGED_OUT_TOKENS, "tests/wire/test_x.py"
    assert bounds_in_schema(sql) == [
        TableBound("notes", "account", most, "the oldest goes", test),
        TableBound("places", "operators", 0, "written by operators alone"),
    ]
