"""Invitation codes, and who invited whom (decision 0008)."""

import re

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.coin_change import CoinChange
from hupan.domain.coins import Coins
from hupan.domain.days import Days
from hupan.domain.outcome import granted
from hupan.domain.refusals import (
    InvalidField,
    InvitationCodeChanged,
    InvitationCodeTaken,
    Refusal,
    UnknownUser,
)
from hupan.domain.settings import InvitationRules
from hupan.model import AccountId, CoinType
from hupan.store.accounts import claim_identity, find_owner, hold_account
from hupan.store.engine import Engine, Transaction
from hupan.store.invitations import (
    count_invited,
    find_invited_counts,
    link_inviter,
    note_code_change,
    set_invitation_code,
)

_CODE = re.compile("[0-9A-Za-z]{4,16}")
_FOR_INVITING = "邀请好友奖励"
_FOR_COMING = "受邀注册奖励"


class InviteProgress(Struct, frozen=True):
    """How many an account invited, and how many it is meant to."""

    today: int
    in_all: int
    target_today: int
    target_in_all: int


class Invitations:
    """Changes codes, links who came by one to its owner, and counts."""

    def __init__(
        self, engine: Engine, clock: Clock, days: Days, coins: Coins, rules: InvitationRules
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._days = days
        self._coins = coins
        self._rules = rules

    async def change_code(self, account_id: AccountId, text: str) -> None:
        """Gives an account the code it chose, once; the one it has already changes nothing.

        Raises:
            InvalidField: `code` is not of 4 to 16 letters and digits.
            InvitationCodeChanged: it chose one before.
            InvitationCodeTaken: the code leads to an account already.
        """
        code, now = invitation_code(text, "code"), int(self._clock.now())

        async def change(tx: Transaction) -> Refusal | None:
            account = await hold_account(tx, account_id)
            if account is None:
                return UnknownUser()
            if account.invitation_code == code:
                return None
            if not await note_code_change(tx, account_id, account.invitation_code, now):
                return InvitationCodeChanged()
            if not await claim_identity(tx, "invitation", code, account_id):
                raise InvitationCodeTaken  # raised: the one change is not used up
            await set_invitation_code(tx, account_id, code)
            return None

        granted(await self._engine.change(change))

    async def accept(self, tx: Transaction, account: AccountId, text: str, field: str) -> None:
        """Links an account to the owner of a code, in the change that makes the account.

        Raises:
            InvalidField: the code leads to nobody who may invite, or somebody invited the
                account before; nothing of the change is kept.
        """
        code, now = invitation_code(text, field), int(self._clock.now())
        owner = await find_owner(tx, "invitation", code)
        inviter = None if owner is None else await hold_account(tx, owner)
        if inviter is None or inviter.id == account or inviter.is_banned(now):
            raise InvalidField(field)
        if not await link_inviter(tx, account, inviter.id, now):
            raise InvalidField(field)
        await count_invited(tx, inviter.id, self._days.today(now))
        await self._reward(tx, account, inviter.id)

    async def progress(self, account: AccountId) -> InviteProgress:
        """How many an account invited today, in the server's zone, and in all."""
        day = self._days.today(self._clock.now())
        today, in_all = await find_invited_counts(self._engine, account, day)
        return InviteProgress(today, in_all, self._rules.target_day, self._rules.target_total)

    async def _reward(self, tx: Transaction, account: AccountId, inviter: AccountId) -> None:
        """Pays both sides by setting; a balance that is full leaves the link as it is.

        The inviter comes first: its id is the lower one, as the ledger wants it.
        """
        rewards = (
            (inviter, self._rules.inviter_reward_cents, _FOR_INVITING, f"invited:{account}"),
            (account, self._rules.invited_reward_cents, _FOR_COMING, "was-invited"),
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


def invitation_code(text: str, field: str) -> str:
    """A code in its one form: 4 to 16 letters and digits, small letters counting as capitals.

    Raises:
        InvalidField: it is none.
    """
    code = text.strip(" ")
    if not _CODE.fullmatch(code):
        raise InvalidField(field)
    return code.upper()
