"""The categories of discovery, in the order in which they are shown."""

from collections.abc import Sequence

from hupan.store.engine import Reader, Transaction

LIST = "SELECT name FROM categories ORDER BY position, name"
FORGET = "DELETE FROM categories"
PUT = "INSERT INTO categories (name, position) VALUES (?1, ?2)"


async def list_categories(reader: Reader) -> list[str]:
    """The names, none when none were ever set."""
    return [str(row[0]) for row in await reader.all(LIST)]


async def set_categories(tx: Transaction, names: Sequence[str]) -> None:
    """Replaces all of them."""
    await tx.run(FORGET)
    for position, name in enumerate(names):
        await tx.run(PUT, name, position)
