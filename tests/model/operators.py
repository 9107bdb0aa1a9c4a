"""Operator actions, by the services behind the commands."""

from hupan.domain.accounts import AccountDirectory, Bans
from hupan.domain.coins import CoinChange, Coins
from hupan.errors import AppError
from hupan.model import CoinType
from tests.model.coins import Line
from tests.model.inprocess_server import InProcessServer
from tests.support.stores import STORES


def ban(served: InProcessServer, who: str, until: int) -> int:
    """Ban an account until a time, or unban with 0; return the code of the response."""
    parts = served.server.infrastructure
    bans = Bans(parts.database, parts.clock)

    async def act() -> None:
        account = await AccountDirectory(parts.database, parts.contact_parser).get(who)
        if until:
            await bans.ban(account.id, "广告", until)
        else:
            await bans.unban(account.id)

    try:
        served.run(act())
    except AppError as refusal:
        return refusal.code
    return 1


def change_coins(served: InProcessServer, who: str, key: str, cents: int, typ: int) -> Line | int:
    """Grant or take coins; return the journal entry, or the code of the refusal."""
    parts = served.server.infrastructure

    async def act() -> Line:
        account = await AccountDirectory(parts.database, parts.contact_parser).get(who)
        change = CoinChange(
            account=account.id, change_cents=cents, typ=CoinType(typ), reason="测试", key=key
        )
        entry = await parts.coins.change(change)
        return Line(
            entry.number, entry.typ, entry.before_cents, entry.change_cents, entry.after_cents
        )

    try:
        return served.run(act())
    except AppError as refusal:
        return refusal.code


def assert_sound(served: InProcessServer) -> None:
    """Check the invariants of the store after any operations (security J3, J4, J5)."""
    coins: Coins = served.server.infrastructure.coins
    assert served.run(coins.list_faults()) == []
    assert served.rows(BROKEN) == []


def assert_whole(served: InProcessServer) -> None:
    """Check the file itself, which is expensive (security J7)."""
    if STORES.engine == "postgres":
        return
    assert served.rows("PRAGMA integrity_check") == [("ok",)]
    assert served.rows("PRAGMA foreign_key_check") == []


BROKEN = """
SELECT 'J3: both sides of all entries sum to nothing', CAST(total AS TEXT)
FROM (SELECT sum(change_cents + counter_cents) AS total FROM coin_entries) AS sums
WHERE total <> 0
UNION ALL
SELECT 'J4: a number is one account''s', phone
FROM accounts WHERE phone <> '' GROUP BY phone HAVING count(*) > 1
UNION ALL
SELECT 'J4: an address is one account''s', lower(email)
FROM accounts WHERE email <> '' GROUP BY lower(email) HAVING count(*) > 1
UNION ALL
SELECT 'J4: an account owns the number that it shows', CAST(id AS TEXT) FROM accounts a
WHERE phone <> '' AND phone NOT IN
  (SELECT value FROM identities WHERE kind = 'phone' AND account_id = a.id)
UNION ALL
SELECT 'J4: an account owns the address that it shows', CAST(id AS TEXT) FROM accounts a
WHERE email <> '' AND lower(email) NOT IN
  (SELECT value FROM identities WHERE kind = 'email' AND account_id = a.id)
UNION ALL
SELECT 'J4: an account shows what it owns', value FROM identities i
WHERE kind <> 'invitation' AND value NOT IN
  (SELECT phone FROM accounts WHERE id = i.account_id
   UNION SELECT lower(email) FROM accounts WHERE id = i.account_id)
UNION ALL
SELECT 'J5: five tries', target FROM codes WHERE attempts > 5
"""
