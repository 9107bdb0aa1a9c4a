"""Setting a password, also the first, with a code that came by e-mail (security P1-P3, P6)."""

from hupan.clock import Clock
from hupan.domain.bindings import all_bound, kill_codes
from hupan.domain.codes import Codes, attempt_key
from hupan.domain.hash_queue import hash_client
from hupan.domain.notices import Notices
from hupan.domain.origins import NOWHERE, Origin
from hupan.domain.outcome import granted
from hupan.domain.password_strength import PasswordStrength
from hupan.domain.passwords import Passwords
from hupan.domain.refusals import AccountCancelled, Banned, Refusal, WrongCode
from hupan.domain.targets import Target, Targets
from hupan.domain.tries import limit_key, password_tries
from hupan.model import Account
from hupan.store.accounts import find_owner, hold_account, set_password_hash
from hupan.store.codes import Code
from hupan.store.engine import Engine, Transaction
from hupan.store.sessions import end_sessions
from hupan.store.tallies import forget_all

CHANGED_NOTICE = "notice-password-changed"
_CLASSES = ("own", "reset")


class PasswordResets:
    """Sets passwords.

    The new password is hashed before the code is looked at, so an address without an account, a
    wrong code and a right one take the same time (security E2). What that costs is bounded as it
    is for signing in: by the pool that hashes (security P5).
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        targets: Targets,
        codes: Codes,
        passwords: Passwords,
        strength: PasswordStrength,
        notices: Notices,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._codes = codes
        self._passwords = passwords
        self._strength = strength
        self._notices = notices

    async def reset(self, email: str, code: str, password: str, origin: Origin = NOWHERE) -> None:
        """Writes the password of the account that an address is bound to; its sessions end.

        Raises:
            InvalidField, PasswordTooShort, WeakPassword, Busy: told before the code is looked at.
            WrongCode, AccountCancelled, Banned
            WeakPassword: it is made of what the account holds; the code serves again.
        """
        target = self._targets.email(email, "email")
        self._strength.check(password, target.address.partition("@")[0])
        async with self._passwords.turn(hash_client(limit_key(target), origin)):
            hashed = await self._passwords.hash(password)

        async def change(tx: Transaction) -> Refusal | None:
            now = int(self._clock.now())
            device_key = await attempt_key(tx, target, "", "reset")
            spent = await self._codes.spend(tx, target, code, device_key=device_key, now=now)
            if isinstance(spent, Refusal):
                return spent
            account = await self._account(tx, target, spent)
            if isinstance(account, Refusal):
                return account
            if account.is_banned(now):
                return Banned()
            self._strength.check(password, account.name, account.phone, str(account.id))
            await self._write(tx, account, target, hashed, now)
            return None

        granted(await self._engine.change(change))
        self._notices.send()

    async def _account(self, tx: Transaction, target: Target, spent: Code) -> Account | Refusal:
        """Whose password a code sets: by its class, and if the address is still theirs (D1)."""
        owner = await find_owner(tx, target.kind, target.key)
        if spent.kind not in _CLASSES or owner != spent.account_id:
            return WrongCode()
        return await hold_account(tx, owner) or AccountCancelled()

    async def _write(
        self, tx: Transaction, account: Account, target: Target, hashed: str, now: int
    ) -> None:
        """Writes the hash; sessions and live codes end, everybody bound is told (security P6)."""
        await set_password_hash(tx, account.id, hashed)
        await end_sessions(tx, account.id)
        await forget_all(tx, password_tries(target.key))
        for bound_target in all_bound(account):
            await kill_codes(tx, bound_target)
        await self._notices.put(tx, all_bound(account), CHANGED_NOTICE, now=now)
