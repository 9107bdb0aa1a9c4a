"""Accounts made to order, with all they have: for the sandbox and for operators."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hupan.clock import Clock
from hupan.domain.accounts import Accounts
from hupan.domain.bans import Ban, put_ban, read_ban
from hupan.domain.coin_change import MOST_CENTS, CoinChange
from hupan.domain.coins import Coins
from hupan.domain.hash_queue import OPERATOR
from hupan.domain.invitations import Invitations
from hupan.domain.outcome import granted
from hupan.domain.passwords import Passwords
from hupan.domain.refusals import InvalidField
from hupan.domain.targets import Target, Targets
from hupan.domain.text import nickname
from hupan.model import NEVER_ENDS, AccountId, CoinType
from hupan.store.accounts import find_owner, set_password_hash
from hupan.store.engine import Engine, Transaction
from hupan.store.medals import get_or_define_medal, give_medal
from hupan.store.vip import set_vip

SECONDS_IN_A_DAY = 86_400
CENTS_IN_A_COIN = 100
_WHY_BANNED = "违反相关规定"


class AccountWanted(Struct, frozen=True, kw_only=True):
    """What an account shall have; "" and 0 leave a thing out.

    Attributes:
        vip_days: VIP from now on; below 0 it ended so many days ago.
        ban_days: banned from now on; a reason without days bans for good.
        invited_by: the invitation code of another account.
    """

    phone: str = ""
    email: str = ""
    password: str = ""
    nickname: str = ""
    coins: Decimal = Decimal(0)
    vip_days: int = 0
    medals: tuple[str, ...] = ()
    ban_days: int = 0
    ban_reason: str = ""
    invited_by: str = ""


class CheckedAccount(Struct, frozen=True):
    """What was wanted, in the form in which it is kept."""

    wanted: AccountWanted
    phone: Target | None
    email: Target | None
    name: str
    coin_cents: int
    ban: Ban | None
    password_hash: str = ""


class Provisioning:
    """Makes accounts to order."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        targets: Targets,
        accounts: Accounts,
        passwords: Passwords,
        coins: Coins,
        invitations: Invitations,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._accounts = accounts
        self._passwords = passwords
        self._coins = coins
        self._invitations = invitations

    async def create(self, wanted: AccountWanted) -> AccountId:
        """Makes an account; nothing of it if a part cannot be.

        Raises:
            The same as `check` and `write`.
        """
        (checked,) = await self.check([wanted])
        return await self._engine.change(lambda tx: self.write(tx, checked))

    async def is_free(self, wanted: AccountWanted) -> bool:
        """Whether nobody has the number or the address that is wanted.

        Raises:
            InvalidField: one of them cannot be.
        """
        read = self._read(wanted)
        owners = [
            await find_owner(self._engine, target.kind, target.key)
            for target in (read.phone, read.email)
            if target
        ]
        return not any(owners)

    async def check(self, wanted: Sequence[AccountWanted]) -> list[CheckedAccount]:
        """Reads what is wanted and hashes the passwords, before the change that writes it.

        A password that several accounts have is hashed once.

        Raises:
            InvalidField: a value cannot be; named as at the sandbox's door.
            Busy: too many passwords wait to be hashed.
        """
        read = [self._read(one) for one in wanted]
        hashes = {"": ""}
        for one in wanted:
            if one.password not in hashes:
                async with self._passwords.turn(OPERATOR):
                    hashes[one.password] = await self._passwords.hash(one.password)
        return [replace(one, password_hash=hashes[one.wanted.password]) for one in read]

    async def write(self, tx: Transaction, checked: CheckedAccount) -> AccountId:
        """Writes the account and all it shall have.

        Raises:
            PhoneTaken, EmailTaken: it belongs to another account.
            InvalidField: the invitation code invites nobody.
        """
        account = await self._accounts.create(
            tx, phone=checked.phone, email=checked.email, name=checked.name
        )
        await self._endow(tx, account.id, checked.coin_cents)
        await self._adorn(tx, account.id, checked.wanted)
        if checked.ban is not None:
            await put_ban(tx, account.id, checked.ban)
        if checked.password_hash:
            await set_password_hash(tx, account.id, checked.password_hash)
        return account.id

    def _read(self, wanted: AccountWanted) -> CheckedAccount:
        """All but the password, which takes long."""
        return CheckedAccount(
            wanted=wanted,
            phone=self._targets.phone(wanted.phone, "phone") if wanted.phone else None,
            email=self._targets.email(wanted.email, "email") if wanted.email else None,
            name=nickname(wanted.nickname, "nickname") if wanted.nickname else "",
            coin_cents=cents(wanted.coins, "coins"),
            ban=self._ban(wanted),
        )

    def _ban(self, wanted: AccountWanted) -> Ban | None:
        if not wanted.ban_days and not wanted.ban_reason:
            return None
        until = self._after(wanted.ban_days) if wanted.ban_days else NEVER_ENDS
        reason = wanted.ban_reason or _WHY_BANNED
        return read_ban(reason, "banReason", until, int(self._clock.now()))

    def _after(self, days: int) -> int:
        return max(1, int(self._clock.now()) + days * SECONDS_IN_A_DAY)

    async def _endow(self, tx: Transaction, account: AccountId, coin_cents: int) -> None:
        if coin_cents:
            change = CoinChange(
                account=account,
                change_cents=coin_cents,
                typ=CoinType.REWARD,
                reason="初始金币",
                key="provisioning",
            )
            granted(await self._coins.post(tx, change))

    async def _adorn(self, tx: Transaction, account: AccountId, wanted: AccountWanted) -> None:
        if wanted.vip_days:
            await set_vip(tx, account, self._after(wanted.vip_days))
        if wanted.invited_by:
            await self._invitations.accept(tx, account, wanted.invited_by, "invitedBy")
        for name in wanted.medals:
            medal = await get_or_define_medal(tx, nickname(name, "medals"))
            await give_medal(tx, account, medal)


def cents(coins: Decimal, field: str) -> int:
    """Coins as hundredths.

    Raises:
        InvalidField: below zero, too many, or with more than two decimals.
    """
    if not coins.is_finite() or not 0 <= coins <= MOST_CENTS:
        raise InvalidField(field)
    hundredths = coins * CENTS_IN_A_COIN
    if hundredths != int(hundredths) or hundredths > MOST_CENTS:
        raise InvalidField(field)
    return int(hundredths)
