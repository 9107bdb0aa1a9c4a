"""Invitation codes and invitation rewards (decision 0008)."""

import re

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.coins import CoinChange, Coins
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import (
    AppError,
    InvalidField,
    InvitationCodeChanged,
    InvitationCodeTaken,
    UnknownUser,
)
from hupan.model import AccountId, CoinType
from hupan.ratelimit.stored import unwrap
from hupan.rules import InvitationRules
from hupan.store.accounts import (
    claim_identity,
    count_registered,
    find_identity_owner,
    lock_account,
)
from hupan.store.database import Database, Transaction
from hupan.store.invitations import (
    get_invited_counts,
    increment_invited,
    insert_code_change,
    insert_invitation,
    set_invitation_code,
)

_INVITATION_CODE = re.compile("[0-9A-Za-z]{4,16}")
_INVITER_REWARD_REASON = "邀请好友奖励"
_INVITED_REWARD_REASON = "受邀注册奖励"


class InvitationProgress(Struct, frozen=True):
    """How many accounts registered or were invited, and the targets."""

    today: int
    total: int
    target_today: int
    target_total: int


class Invitations:
    """Changes and accepts invitation codes, and pays rewards."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        calendar: DayCalendar,
        coins: Coins,
        rules: InvitationRules,
    ) -> None:
        self._database = database
        self._clock = clock
        self._calendar = calendar
        self._coins = coins
        self._rules = rules

    async def change_code(self, account_id: AccountId, text: str) -> None:
        """Replace an account's generated code, once; its current code changes nothing.

        Raises:
            InvalidField: `code` does not consist of 4 to 16 letters and digits.
            InvitationCodeChanged: the account has changed its code already.
            InvitationCodeTaken: the code belongs to an account already.
        """
        code, now = parse_invitation_code(text, "code"), int(self._clock.now())

        async def change(tx: Transaction) -> AppError | None:
            account = await lock_account(tx, account_id)
            if account is None:
                return UnknownUser()
            if account.invitation_code == code:
                return None
            if not await insert_code_change(tx, account_id, account.invitation_code, now):
                return InvitationCodeChanged()
            if not await claim_identity(tx, "invitation", code, account_id):
                raise InvitationCodeTaken  # raised, so that the one change is not used up
            await set_invitation_code(tx, account_id, code)
            return None

        unwrap(await self._database.run_transaction(change))

    async def accept(self, tx: Transaction, account: AccountId, text: str, field: str) -> None:
        """Link a new account to the owner of a code, in the transaction that creates the account.

        Raises:
            InvalidField: the code belongs to no account that may invite, or the account was
                invited already; the transaction must be rolled back.
        """
        code, now = parse_invitation_code(text, field), int(self._clock.now())
        owner = await find_identity_owner(tx, "invitation", code)
        inviter = None if owner is None else await lock_account(tx, owner)
        if inviter is None or inviter.id == account or inviter.is_banned(now):
            raise InvalidField(field)
        if not await insert_invitation(tx, account, inviter.id, now):
            raise InvalidField(field)
        await increment_invited(tx, inviter.id, self._calendar.today(now))
        await self._reward(tx, account, inviter.id)

    async def progress(self, account: AccountId) -> InvitationProgress:
        """Return how many accounts registered today, in the server's zone, and in total.

        Where the rules say so, only those that the account invited (wire.md 4).
        """
        now = self._clock.now()
        if self._rules.counts_server:
            since = self._calendar.day_start(now)
            today, in_all = await count_registered(self._database, int(since))
        else:
            day = self._calendar.today(now)
            today, in_all = await get_invited_counts(self._database, account, day)
        return InvitationProgress(today, in_all, self._rules.target_day, self._rules.target_total)

    async def _reward(self, tx: Transaction, account: AccountId, inviter: AccountId) -> None:
        # A full balance leaves the link as it is. The inviter comes first: its id is lower, and
        # `Coins.post` asks for the order of ids.
        rewards = (
            (
                inviter,
                self._rules.inviter_reward_cents,
                _INVITER_REWARD_REASON,
                f"invited:{account}",
            ),
            (account, self._rules.invited_reward_cents, _INVITED_REWARD_REASON, "was-invited"),
        )
        for to, change_cents, reason, key in rewards:
            if change_cents:
                await self._coins.post(
                    tx,
                    CoinChange(
                        account=to,
                        change_cents=change_cents,
                        typ=CoinType.INVITE,
                        reason=reason,
                        key=key,
                    ),
                )


def parse_invitation_code(text: str, field: str) -> str:
    """Normalize a code of 4 to 16 letters and digits to upper case.

    Raises:
        InvalidField: it is not such a code.
    """
    code = text.strip(" ")
    if not _INVITATION_CODE.fullmatch(code):
        raise InvalidField(field)
    return code.upper()
