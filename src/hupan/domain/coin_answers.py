"""The first answer to a key is its answer for good (security R09)."""

from hupan.domain.coin_change import CoinChange, content
from hupan.domain.refusals import CoinKeyReused, NotEnoughCoins, Refusal, TooManyCoins
from hupan.model import CoinEntry
from hupan.store.coin_refusals import RefusedCoins, find_refusal, remember_refusal
from hupan.store.coins import find_entry
from hupan.store.engine import Transaction

_CAUSES: dict[str, type[Refusal]] = {"not-enough": NotEnoughCoins, "too-many": TooManyCoins}


async def find_answer(tx: Transaction, change: CoinChange) -> CoinEntry | Refusal | None:
    """What the key was answered the first time; None when it is new."""
    entry = await find_entry(tx, change.account, change.key)
    if entry is not None:
        return entry if content(entry) == content(change) else CoinKeyReused()
    refused = await find_refusal(tx, change.account, change.key)
    if refused is not None:
        return _CAUSES[refused.cause]() if content(refused) == content(change) else CoinKeyReused()
    return None


async def refuse(tx: Transaction, change: CoinChange, now: int) -> Refusal:
    """Says which bound a change would pass, and keeps that as the answer to its key."""
    cause = "not-enough" if change.change_cents < 0 else "too-many"
    refused = RefusedCoins(change.account, change.key, cause, now, *content(change))
    await remember_refusal(tx, refused)
    return _CAUSES[cause]()
