"""Handler of the coin record."""

from decimal import Decimal

from hupan.api.app import Services, handles
from hupan.contract import coins
from hupan.contract.coins import CoinRecordEntry, CoinRecordPage, CoinRecordRequest
from hupan.model import Caller, CoinEntry
from hupan.rules import CENTS_PER_COIN


@handles(coins.list_coin_record, coins.web_list_coin_record)
async def list_coin_record(
    services: Services, caller: Caller, request: CoinRecordRequest
) -> CoinRecordPage:
    """Return one page of the caller's coin record, newest first."""
    page = await services.coins.list_page(caller.account.id, size=request.size, page=request.page)
    return CoinRecordPage([_entry(entry) for entry in page.entries], page.total)


def cents_to_coins(cents: int) -> Decimal:
    """Convert exactly, with at most two decimals: 200 cents are 2, 5501 are 55.01."""
    if cents % CENTS_PER_COIN == 0:
        return Decimal(cents // CENTS_PER_COIN)
    return Decimal(cents).scaleb(-2).normalize()


def _entry(entry: CoinEntry) -> CoinRecordEntry:
    return CoinRecordEntry(
        id=entry.number,
        user_id=str(entry.account_id),
        typ=entry.typ,
        before_amount=cents_to_coins(entry.before_cents),
        after_amount=cents_to_coins(entry.after_cents),
        change_amount=cents_to_coins(entry.change_cents),
        reason=entry.reason,
        remark=entry.remark,
        create_time=entry.created_at,
    )
