"""Every table has a bound in the one list, and each that users can grow has a test (security X5).

The story: each sign-in on a new device left a row for ever; nobody had decided that, and nobody had
asked.
"""

from hupan.store.database import DATA_TABLES as RESET
from hupan.store.deletion import ERASED_TABLES
from hupan.store.migrate import list_tables
from tests.support.table_growth import GROWN, OTHERWISE
from tools.docs.table_bounds import TABLE_BOUNDS


def test_every_table_is_in_the_list_once() -> None:
    """A new table needs a line that says where it ends (security X5)."""
    listed, tables = [one.table for one in TABLE_BOUNDS], [table.name for table in list_tables()]
    assert set(tables) ^ set(listed) == set(), "say in tools/docs/table_bounds.py where it ends"
    assert len(listed) == len(set(listed))
    assert set(RESET) < {one.table for one in TABLE_BOUNDS}


def test_rows_of_users_are_not_called_the_operators_own() -> None:
    """What is kept by account, device, target or address, an account or a stranger grows (X5)."""
    by_user = {"account_id", "device_id", "target", "subject", "token_hash"}
    operators = {one.table for one in TABLE_BOUNDS if one.per == "operators"}
    grown = {
        table.name for table in list_tables() if by_user & {column.name for column in table.columns}
    }
    assert grown & operators == {"account_medals", "limit_resets"}
    assert set(ERASED_TABLES) - {"account_medals"} <= {
        one.table for one in TABLE_BOUNDS if one.per == "account"
    }


def test_every_bound_is_reached_by_a_test() -> None:
    """A line of the list is tried, or says which test does (security X5)."""
    growing = {one.table for one in TABLE_BOUNDS if one.per != "operators"}
    tried = GROWN.keys() | OTHERWISE.keys()
    assert tried ^ growing == set(), "name the test in tests/support/table_growth.py"
    assert not GROWN.keys() & OTHERWISE.keys()
