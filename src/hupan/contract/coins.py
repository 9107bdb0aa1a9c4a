"""Messages of the coin record (wire.md 4: gold-coin-increase-decrease-record)."""

from decimal import Decimal

from msgspec import Struct

from hupan.contract.endpoints import SESSION, Note, app, web
from hupan.contract.fields import PageNumber, PageSize


class CoinRecordRequest(Struct):
    """Requests one page, newest first; on the web surface the fields are in the query."""

    size: PageSize
    page: PageNumber


class CoinRecordEntry(Struct, rename="camel"):
    """One change. Amounts are coins with at most two decimals: 2, never 2.00.

    Attributes:
        id: 1 for the account's first, then ascending without a gap.
        typ: 2 reward, 3 post, 4 first avatar or name change, 6 redeem, 7 ad, 8 raffle, 9 invite.
        change_amount: negative for a deduction.
        create_time: unix seconds.
    """

    id: int
    user_id: str
    typ: int
    before_amount: Decimal
    after_amount: Decimal
    change_amount: Decimal
    reason: str
    remark: str
    create_time: int


class CoinRecordPage(Struct, rename="camel"):
    """One page, and the total number of entries."""

    gold_coin_record: list[CoinRecordEntry]
    total: int


list_coin_record = app.post(
    "/v1/user/gold-coin-increase-decrease-record",
    SESSION,
    CoinRecordRequest,
    CoinRecordPage,
    sample=CoinRecordRequest(size=20, page=1),
    source="R",
    notes=(
        Note(
            "D",
            "`id` ascends and is unique within the account only; `size` and `page` are required "
            "([decision 9](decisions/0009-coin-journal.md)).",
            "`id` 只在该账号内唯一且递增；`size` 与 `page` 必填（[决定 "
            "9](decisions/0009-coin-journal.md)）。",
        ),
    ),
)
web_list_coin_record = web.get(
    "/v1/user/gold-coin-increase-decrease-record",
    SESSION,
    CoinRecordRequest,
    CoinRecordPage,
    sample=CoinRecordRequest(size=20, page=1),
    source="C",
)
