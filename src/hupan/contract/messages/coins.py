"""Messages of the coin record (wire.md 4: gold-coin-increase-decrease-record)."""

from decimal import Decimal

from msgspec import Struct

from hupan.contract.messages.fields import PageNumber, PageSize


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
