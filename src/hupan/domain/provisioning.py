"""Accounts created on request by operators and the sandbox."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hupan.addresses import ContactAddress, ContactParser
from hupan.clock import Clock
from hupan.domain.accounts import AccountCreator, Ban, apply_ban, parse_ban
from hupan.domain.coins import MAX_BALANCE_CENTS, CoinChange, Coins
from hupan.domain.hashing import OPERATOR_CLIENT, PasswordHasher
from hupan.domain.invitations import Invitations
from hupan.domain.sessions import Device, Sessions
from hupan.domain.text import parse_nickname
from hupan.errors import InvalidField
from hupan.model import PERMANENT_BAN_END, AccountId, CoinType
from hupan.ratelimit.stored import unwrap
from hupan.rules import CENTS_PER_COIN, DAY_SECONDS
from hupan.store.accounts import (
    find_identity_owner,
    get_or_define_medal,
    grant_medal,
    set_password_hash,
    set_vip,
)
from hupan.store.database import Database, Transaction

_DEFAULT_BAN_REASON = "违反相关规定"


class NewAccount(Struct, frozen=True, kw_only=True):
    """A requested account; "" and 0 omit a property.

    Attributes:
        vip_days: VIP from now on; if negative, it ended that number of days ago.
        ban_days: banned from now on; a reason without days bans permanently.
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


class ValidatedAccount(Struct, frozen=True):
    """A request with its values normalized."""

    request: NewAccount
    phone: ContactAddress | None
    email: ContactAddress | None
    name: str
    coin_cents: int
    ban: Ban | None
    password_hash: str = ""


class AccountProvisioner:
    """Creates accounts with everything that was requested."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        contact_parser: ContactParser,
        accounts: AccountCreator,
        passwords: PasswordHasher,
        coins: Coins,
        invitations: Invitations,
    ) -> None:
        self._database = database
        self._clock = clock
        self._contact_parser = contact_parser
        self._accounts = accounts
        self._passwords = passwords
        self._coins = coins
        self._invitations = invitations

    async def create(self, request: NewAccount) -> AccountId:
        """Create an account, or nothing if a part of the request is invalid.

        Raises:
            The same as `validate` and `insert`.
        """
        (checked,) = await self.validate([request])
        return await self._database.run_transaction(lambda tx: self.insert(tx, checked))

    async def is_available(self, request: NewAccount) -> bool:
        """Return whether the requested phone number and address are free.

        Raises:
            InvalidField: one of them is invalid.
        """
        parsed = self._parse(request)
        owners = [
            await find_identity_owner(self._database, target.identity_kind, target.key)
            for target in (parsed.phone, parsed.email)
            if target
        ]
        return not any(owners)

    async def validate(self, requests: Sequence[NewAccount]) -> list[ValidatedAccount]:
        """Validate requests and hash their passwords, before the transaction that inserts them.

        A password shared by several accounts is hashed once.

        Raises:
            InvalidField: a value is invalid; fields are named as in the sandbox's API.
            Busy: too many passwords wait to be hashed.
        """
        accounts = [self._parse(request) for request in requests]
        hashes = {"": ""}
        for request in requests:
            if request.password not in hashes:
                async with self._passwords.slot(OPERATOR_CLIENT):
                    hashes[request.password] = await self._passwords.hash(request.password)
        return [
            replace(account, password_hash=hashes[account.request.password]) for account in accounts
        ]

    async def insert(self, tx: Transaction, checked: ValidatedAccount) -> AccountId:
        """Insert an account with everything requested.

        Raises:
            PhoneTaken, EmailTaken: a contact belongs to another account.
            InvalidField: the invitation code is unknown.
        """
        account = await self._accounts.create(
            tx, phone=checked.phone, email=checked.email, name=checked.name
        )
        await self._grant_coins(tx, account.id, checked.coin_cents)
        await self._grant_extras(tx, account.id, checked.request)
        if checked.ban is not None:
            await apply_ban(tx, account.id, checked.ban)
        if checked.password_hash:
            await set_password_hash(tx, account.id, checked.password_hash)
        return account.id

    def _parse(self, request: NewAccount) -> ValidatedAccount:
        # Without the password, which takes long to hash.
        return ValidatedAccount(
            request=request,
            phone=self._contact_parser.parse_phone(request.phone, "phone")
            if request.phone
            else None,
            email=self._contact_parser.parse_email(request.email, "email")
            if request.email
            else None,
            name=parse_nickname(request.nickname, "nickname") if request.nickname else "",
            coin_cents=parse_coins(request.coins, "coins"),
            ban=self._parse_ban(request),
        )

    def _parse_ban(self, request: NewAccount) -> Ban | None:
        if not request.ban_days and not request.ban_reason:
            return None
        until = self._days_from_now(request.ban_days) if request.ban_days else PERMANENT_BAN_END
        reason = request.ban_reason or _DEFAULT_BAN_REASON
        return parse_ban(reason, "banReason", until, int(self._clock.now()))

    def _days_from_now(self, days: int) -> int:
        return max(1, int(self._clock.now()) + days * DAY_SECONDS)

    async def _grant_coins(self, tx: Transaction, account: AccountId, coin_cents: int) -> None:
        if coin_cents:
            change = CoinChange(
                account=account,
                change_cents=coin_cents,
                typ=CoinType.REWARD,
                reason="初始金币",
                key="provisioning",
            )
            unwrap(await self._coins.post(tx, change))

    async def _grant_extras(self, tx: Transaction, account: AccountId, request: NewAccount) -> None:
        if request.vip_days:
            await set_vip(tx, account, self._days_from_now(request.vip_days))
        if request.invited_by:
            await self._invitations.accept(tx, account, request.invited_by, "invitedBy")
        for name in request.medals:
            medal = await get_or_define_medal(tx, parse_nickname(name, "medals"))
            await grant_medal(tx, account, medal)


def parse_coins(coins: Decimal, field: str) -> int:
    """Convert coins to hundredths.

    Raises:
        InvalidField: negative, too many, or with more than two decimals.
    """
    if not coins.is_finite() or not 0 <= coins <= MAX_BALANCE_CENTS:
        raise InvalidField(field)
    hundredths = coins * CENTS_PER_COIN
    if hundredths != int(hundredths) or hundredths > MAX_BALANCE_CENTS:
        raise InvalidField(field)
    return int(hundredths)


class SandboxAccount(Struct, frozen=True):
    """A new account and the token of its first session."""

    id: AccountId
    token: str


class SandboxAccounts:
    """Creates accounts and signs them in."""

    def __init__(
        self, database: Database, provisioning: AccountProvisioner, sessions: Sessions
    ) -> None:
        self._database = database
        self._provisioning = provisioning
        self._sessions = sessions

    async def is_available(self, request: NewAccount) -> bool:
        """Return whether the requested phone number and address are free.

        Raises:
            InvalidField: one of them is invalid.
        """
        return await self._provisioning.is_available(request)

    async def create(self, request: NewAccount, device: Device) -> SandboxAccount:
        """Create an account and sign it in on a device, in one transaction.

        Raises:
            The same as `AccountProvisioner.create`.
        """
        return (await self.create_all([request], device))[0]

    async def create_all(
        self, requests: Sequence[NewAccount], device: Device
    ) -> list[SandboxAccount]:
        """Create accounts and sign each in; all of them or none.

        Raises:
            The same as `AccountProvisioner.create`.
        """
        validated = await self._provisioning.validate(requests)

        async def change(tx: Transaction) -> list[SandboxAccount]:
            return [await self._create_signed_in(tx, account, device) for account in validated]

        return await self._database.run_transaction(change)

    async def _create_signed_in(
        self, tx: Transaction, checked: ValidatedAccount, device: Device
    ) -> SandboxAccount:
        account = await self._provisioning.insert(tx, checked)
        return SandboxAccount(account, await self._sessions.open(tx, account, device))
