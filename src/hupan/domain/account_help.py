"""How an operator helps the owner of an account who lost phone, e-mail or password.

Whatever is done is told to all that is, or was, bound (security A2). An operator starts a reset of
a password and never sees nor sets one, nor a token (security Z6). docs/decisions/0031.
"""

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.bindings import all_bound, bound, kill_codes, rebind
from hupan.domain.codes import Codes
from hupan.domain.contacts import BOUND_NOTICE, CHANGED_NOTICE, TAKEN
from hupan.domain.messages import Messages
from hupan.domain.notices import Notices
from hupan.domain.refusals import UnknownUser
from hupan.domain.settings import SessionLife
from hupan.domain.targets import Target
from hupan.model import Account, AccountId, Channel
from hupan.store.accounts import find_password_hash, hold_account, set_password_hash
from hupan.store.contacts import note_change
from hupan.store.engine import Engine, Transaction
from hupan.store.session_ends import LiveSession, end_numbered, leave_all, list_with_places
from hupan.store.sessions import end_sessions

REMOVED_NOTICE = "notice-password-removed"
RESET_NOTICE = "notice-password-reset"
SIGNED_OUT_NOTICE = "notice-signed-out"


class LastContact(Exception):  # noqa: N818 - it names what was met; no client ever hears of it
    """The account would have nothing left to sign in with (security A6)."""


class NothingToResetBy(Exception):  # noqa: N818 - likewise
    """No address is bound that a code could go to."""


class PasswordHelp(Struct, frozen=True):
    """What was done about a password.

    Attributes:
        removed: whether there was one that opens nothing any more.
        sent: whether a code to set a new one is on its way.
    """

    removed: bool
    sent: bool


class AccountHelp:
    """Changes what an account is signed in with, by an operator's hand."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        codes: Codes,
        messages: Messages,
        notices: Notices,
        life: SessionLife,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._codes = codes
        self._messages = messages
        self._notices = notices
        self._life = life

    async def set_contact(
        self, account_id: AccountId, channel: Channel, target: Target | None
    ) -> None:
        """Binds a number or an address in the place of the one that is bound, or takes it away.

        All sessions end: somebody else may hold what was lost. It can be undone like a change that
        the owner made. What is bound already, to the letter, changes nothing.

        Raises:
            UnknownUser: there is no such account.
            PhoneTaken, EmailTaken: it belongs to another account.
            LastContact: it would leave nothing to sign in with.
        """

        async def change(tx: Transaction) -> None:
            account = await self._hold(tx, account_id)
            if bound(account, channel) != target:
                await self._set_contact(tx, account, channel, target)

        await self._engine.change(change)
        self._notices.send()

    async def start_reset(self, account_id: AccountId, *, remove: bool) -> PasswordHelp:
        """Sends the code that sets a new password to the address that is bound.

        Args:
            account_id: whose password it is.
            remove: whether the old one shall open nothing any more; then all sessions end, too.

        Raises:
            UnknownUser: there is no such account.
            NothingToResetBy: no address is bound, and the password shall stay.
        """

        async def change(tx: Transaction) -> PasswordHelp:
            account = await self._hold(tx, account_id)
            address = bound(account, "email")
            if address is None and not remove:
                raise NothingToResetBy
            now = int(self._clock.now())
            removed = remove and await self._remove_password(tx, account, now)
            if address is not None:
                await self._send_reset(tx, account, address, now)
            return PasswordHelp(removed=removed, sent=address is not None)

        done = await self._engine.change(change)
        self._notices.send()
        return done

    async def sessions(self, account: AccountId) -> list[LiveSession]:
        """The live sessions of an account, the newest first."""
        now = int(self._clock.now())
        return await list_with_places(
            self._engine,
            account,
            signed_in_after=now - self._life.absolute_seconds,
            used_after=now - self._life.idle_seconds,
        )

    async def sign_out(self, account_id: AccountId, number: int | None) -> int:
        """Ends one session by its number, or all; gives how many ended.

        Raises:
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> int:
            account = await self._hold(tx, account_id)
            now = int(self._clock.now())
            if number is None:
                ended = await leave_all(tx, account.id, now)
            else:
                ended = await end_numbered(tx, account.id, number, now)
            if ended:
                await self._notices.put(tx, all_bound(account), SIGNED_OUT_NOTICE, now=now)
            return ended

        ended = await self._engine.change(change)
        self._notices.send()
        return ended

    async def _hold(self, tx: Transaction, account_id: AccountId) -> Account:
        account = await hold_account(tx, account_id)
        if account is None:
            raise UnknownUser
        return account

    async def _set_contact(
        self, tx: Transaction, account: Account, channel: Channel, target: Target | None
    ) -> None:
        now, old = int(self._clock.now()), bound(account, channel)
        if target is None and all_bound(account) == [old]:
            raise LastContact
        if not await rebind(tx, account, channel, target):
            raise TAKEN[channel]
        await note_change(
            tx,
            account.id,
            channel,
            old=old.address if old else "",
            new=target.address if target else "",
            is_proven=True,
            now=now,
        )
        await end_sessions(tx, account.id)
        notice = CHANGED_NOTICE if old else BOUND_NOTICE
        await self._notices.put(tx, all_bound(account), notice[channel], now=now)
        if target is not None:
            await self._notices.put(tx, [target], BOUND_NOTICE[channel], now=now)

    async def _remove_password(self, tx: Transaction, account: Account, now: int) -> bool:
        had_one = bool(await find_password_hash(tx, account.id))
        await set_password_hash(tx, account.id, "")
        await end_sessions(tx, account.id)
        for target in all_bound(account):
            await kill_codes(tx, target)
        await self._notices.put(tx, all_bound(account), REMOVED_NOTICE, now=now)
        return had_one

    async def _send_reset(
        self, tx: Transaction, account: Account, address: Target, now: int
    ) -> None:
        """The code goes to the address alone; whatever else is bound is told."""
        code = await self._codes.issue(tx, address, "reset", account.id, now)
        expires_at = now + self._codes.lifetime_seconds
        await self._messages.put_code(tx, address, "reset", code, now=now, expires_at=expires_at)
        others = [target for target in all_bound(account) if target != address]
        await self._notices.put(tx, others, RESET_NOTICE, now=now)
