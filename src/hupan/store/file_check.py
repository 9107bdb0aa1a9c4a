"""Looks at a whole SQLite file, beside the server that works on it."""

import asyncio
from pathlib import Path

import apsw

from hupan.model import StoreUnavailable
from hupan.store.other_programs import faults_beside_sums
from hupan.store.page_sums import is_damage, is_wrong_sum, told
from hupan.store.row_checks import check_rows
from hupan.store.sqlite import Statements, connect
from hupan.store.writer import drive

MOST_FAULTS = 100


async def check_file(path: Path) -> list[str]:
    """Reads every page and every row that matters, on a thread and a connection of its own.

    Returns:
        What is wrong, [] when nothing is; nobody's data stand in it.

    Raises:
        StoreUnavailable: it could not be looked at, which says nothing about the file.
    """
    connection = connect(path)
    looking = asyncio.ensure_future(asyncio.to_thread(_check, path, connection))
    try:
        return await asyncio.shield(looking)
    except asyncio.CancelledError:
        connection.interrupt()  # or the end of the server would wait for it
        await asyncio.wait({looking})
        looking.exception()
        raise
    except apsw.Error as error:
        raise StoreUnavailable(told(error)) from error
    finally:
        connection.close()


def _check(path: Path, connection: apsw.Connection) -> list[str]:
    try:
        read = connection.execute(f"PRAGMA integrity_check({MOST_FAULTS})").fetchall()
        found = [f"the file: {text}" for (text,) in read if text != "ok"]
        astray = connection.execute("PRAGMA foreign_key_check").fetchall()
        found += [f"{row[0]}: a row that points to nothing" for row in astray]
        return found + drive(check_rows(Statements(connection)))
    except apsw.Error as error:
        if is_wrong_sum(error):
            return faults_beside_sums(path)
        if is_damage(error):
            return [f"the file: {told(error)}"]
        raise
