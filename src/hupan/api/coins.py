"""Handler of the record of coins, and coins as the wire writes them."""

from decimal import Decimal

from hupan.api.services import Services
from hupan.contract.messages.coins import CoinRecord, CoinRecordEntry, CoinRecordWanted
from hupan.model import Caller, CoinEntry

CENTS_IN_A_COIN = 100


async def coin_record(services: Services, caller: Caller, request: CoinRecordWanted) -> CoinRecord:
    """One page of the caller's entries, newest first."""
    page = await services.coins.page(caller.account.id, size=request.size, page=request.page)
    return CoinRecord([_entry(entry) for entry in page.entries], page.total)


def coin_amount(cents: int) -> Decimal:
    """Coins as a number with at most two decimals, exactly: 200 cents are 2, 5501 are 55.01."""
    if cents % CENTS_IN_A_COIN == 0:
        return Decimal(cents // CENTS_IN_A_COIN)
    return Decimal(cents).scaleb(-2).normalize()


def _entry(entry: CoinEntry) -> CoinRecordEntry:
    return CoinRecordEntry(
        id=entry.number,
        user_id=str(entry.account_id),
        typ=entry.typ,
        before_amount=coin_amount(entry.before_cents),
        after_amount=coin_amount(entry.after_cents),
        change_amount=coin_amount(entry.change_cents),
        reason=entry.reason,
        remark=entry.remark,
        create_time=entry.created_at,
    )
