"""Accounts made to order, with all they have: for the sandbox and for operators."""

from decimal import Decimal

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.accounts import Accounts
from hupan.domain.passwords import Passwords
from hupan.domain.refusals import InvalidField
from hupan.domain.sessions import Sessions, device
from hupan.domain.targets import Targets
from hupan.domain.text import nickname
from hupan.model import AccountId
from hupan.store.accounts import set_coins, set_password_hash, set_vip
from hupan.store.engine import Engine, Transaction
from hupan.store.medals import get_or_define_medal, give_medal

SECONDS_IN_A_DAY = 86_400
CENTS_IN_A_COIN = 100


class AccountWanted(Struct, frozen=True, kw_only=True):
    """What an account shall have; "" and 0 leave a thing out."""

    phone: str = ""
    email: str = ""
    password: str = ""
    nickname: str = ""
    coins: Decimal = Decimal(0)
    vip_days: int = 0
    medals: tuple[str, ...] = ()
    device_id: str = ""
    platform: str = ""


class Provisioned(Struct, frozen=True):
    """A new account and the token of its first session."""

    id: AccountId
    token: str


class Provisioning:
    """Makes accounts to order."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        targets: Targets,
        accounts: Accounts,
        passwords: Passwords,
        sessions: Sessions,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._accounts = accounts
        self._passwords = passwords
        self._sessions = sessions

    async def make(self, wanted: AccountWanted) -> Provisioned:
        """Makes an account and signs it in, in one change.

        Raises:
            InvalidField: a value cannot be.
            PhoneTaken, EmailTaken: it belongs to another account.
        """
        phone = self._targets.phone(wanted.phone, "phone") if wanted.phone else None
        email = self._targets.email(wanted.email, "email") if wanted.email else None
        name = nickname(wanted.nickname, "nickname") if wanted.nickname else ""
        on = device(wanted.device_id, wanted.platform)
        coin_cents = cents(wanted.coins, "coins")
        hashed = await self._passwords.hash(wanted.password) if wanted.password else ""

        async def change(tx: Transaction) -> Provisioned:
            account = await self._accounts.create(tx, phone=phone, email=email, name=name)
            await set_coins(tx, account.id, coin_cents)
            await self._adorn(tx, account.id, wanted)
            if hashed:
                await set_password_hash(tx, account.id, hashed)
            return Provisioned(account.id, await self._sessions.open(tx, account.id, on))

        return await self._engine.change(change)

    async def _adorn(self, tx: Transaction, account: AccountId, wanted: AccountWanted) -> None:
        if wanted.vip_days:
            until = int(self._clock.now()) + wanted.vip_days * SECONDS_IN_A_DAY
            await set_vip(tx, account, until)
        for name in wanted.medals:
            medal = await get_or_define_medal(tx, nickname(name, "medals"))
            await give_medal(tx, account, medal)


def cents(coins: Decimal, field: str) -> int:
    """Coins as hundredths.

    Raises:
        InvalidField: below zero, too many, or with more than two decimals.
    """
    hundredths = coins * CENTS_IN_A_COIN
    if not coins.is_finite() or hundredths != int(hundredths) or not 0 <= hundredths < 2**53:
        raise InvalidField(field)
    return int(hundredths)
