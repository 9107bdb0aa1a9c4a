"""One-time codes. The class of a code is decided when it is issued (security D1)."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias

from hupan.addresses import ContactAddress, ContactParser
from hupan.clock import Clock
from hupan.crypto import SecretBox
from hupan.domain.captchas import Captchas
from hupan.domain.outbox import DISCARD_PURPOSE, OutboxWriter
from hupan.errors import AppError, WrongCode
from hupan.model import AccountId, Limit
from hupan.ratelimit.stored import (
    UNLIMITED_PREFIX,
    CodeSendLimits,
    StoredLimiter,
    code_attempts_key,
    unwrap,
)
from hupan.rng import RandomSource
from hupan.rules import StoredLimits
from hupan.store.accounts import find_account, find_identity_owner, lock_account
from hupan.store.codes import Code, count_code_attempt, lock_live_code, put_code, spend_code
from hupan.store.database import Database, Transaction
from hupan.store.sessions import has_device

CodePurpose: TypeAlias = Literal["own", "new", "reset", "decoy"]
"""What a code may ever do.

own: the target was bound to an account; the code acts for that account alone.
new: the target was free; the code registers it, or binds it to whoever proves it.
reset: bound, and asked for with `forget_password`; it resets that account's password alone.
decoy: free, and asked for with `forget_password`; it opens nothing and was never sent.
"""

AttemptPurpose: TypeAlias = Literal["", "reset", "binding"]
"""What a code is guessed at for: a sign-in, a reset of the password, a change of contacts."""

NO_ACCOUNT = AccountId(0)
_CODE_MAC_PURPOSE = "code"
_UNLIMITED_ATTEMPTS, _UNLIMITED_WINDOW_SECONDS = 2**31 - 1, 60


class Codes:
    """Makes codes and takes guesses."""

    def __init__(
        self,
        seal: SecretBox,
        chance: RandomSource,
        limiter: StoredLimiter,
        limits: StoredLimits,
        lifetime_seconds: int,
    ) -> None:
        self._seal = seal
        self._chance = chance
        self._limiter = limiter
        self._limits = limits.wrong_codes
        self._unlimited = tuple(
            Limit(UNLIMITED_PREFIX + limit.name, _UNLIMITED_ATTEMPTS, _UNLIMITED_WINDOW_SECONDS)
            for limit in self._limits
        )
        self.lifetime_seconds = lifetime_seconds

    async def issue(
        self,
        tx: Transaction,
        target: ContactAddress,
        purpose: CodePurpose,
        owner: AccountId,
        now: int,
    ) -> str:
        """Makes a code of six digits; the target's old one dies (security C1)."""
        text = f"{self._chance.randbelow(10**6):06}"
        code = Code(purpose, owner, self._mac(target, purpose, text))
        await put_code(tx, target.channel, target.key, code, now + self.lifetime_seconds)
        return text

    async def redeem(
        self, tx: Transaction, target: ContactAddress, text: str, *, device_key: str, now: int
    ) -> Code | AppError:
        """Takes one guess at the code of a target and uses the code up when it is right.

        Args:
            tx: the change that does what the code allows.
            target: where the code went.
            text: the guess.
            device_key: whose budget of guesses is used, as `attempt_key` returns it (C5).
            now: unix seconds.

        Returns:
            The code, or the refusal to return from the change, so that the try is kept (C4).
        """
        subject = code_attempts_key(target.channel, target.key) + device_key
        # A guess where no code is live costs the owner nothing (X11), and as much time (E2): as
        # many counts are written, under names that no limit has.
        is_live = await lock_live_code(tx, target.channel, target.key, now)
        limits = self._limits if is_live else self._unlimited
        if not await self._limiter.take(tx, subject, limits, now):
            return WrongCode()
        code = await count_code_attempt(tx, target.channel, target.key, now)
        if code is None or not self._matches(code, target, text):
            return WrongCode()
        if not await spend_code(tx, target.channel, target.key, code.mac):
            return WrongCode()
        await self._limiter.give_back(tx, subject, limits, now)
        return code

    def _matches(self, code: Code, target: ContactAddress, text: str) -> bool:
        return hmac.compare_digest(code.mac, self._mac(target, code.purpose, text))

    def _mac(self, target: ContactAddress, kind: str, text: str) -> bytes:
        return self._seal.mac(_CODE_MAC_PURPOSE, target.channel, target.key, kind, text)


async def attempt_key(
    tx: Transaction,
    target: ContactAddress,
    device_id: str,
    purpose: AttemptPurpose = "",
    caller: AccountId | None = None,
) -> str:
    """Return whose budget an attempt at a secret of a target uses (security C5, X11).

    A device of the owner has one of its own, and so has the owner once signed in. All others share
    one for each purpose: guesses at a sign-in do not stop a reset, nor those at a binding either.

    Args:
        tx: the change that the attempt belongs to.
        target: whose secret is tried.
        device_id: what the client says it runs on.
        purpose: what it is tried for.
        caller: the account that is signed in, if any is.
    """
    owner = await find_identity_owner(tx, target.identity_kind, target.key)
    await lock_account(
        tx, owner or NO_ACCOUNT
    )  # before any code; of nobody too, to take as long (E2)
    is_known = await has_device(tx, owner or NO_ACCOUNT, device_id)
    if owner is not None and device_id and is_known:
        return hashlib.sha256(device_id.encode()).hexdigest()
    return "owner" if owner is not None and owner == caller else purpose


_MESSAGE_PURPOSES: dict[CodePurpose, str] = {
    "own": "code",
    "new": "code",
    "reset": "reset",
    "decoy": DISCARD_PURPOSE,
}


class CodeRequests:
    """Sends codes to whoever solved a captcha. Known and unknown targets look alike (E1, E2)."""

    def __init__(
        self,
        engine: Database,
        clock: Clock,
        targets: ContactParser,
        captchas: Captchas,
        codes: Codes,
        messages: OutboxWriter,
        limits: CodeSendLimits,
        notify_worker: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._captchas = captchas
        self._codes = codes
        self._messages = messages
        self._limits = limits
        self._notify_worker = notify_worker

    async def send_sms_code(self, mobile: str, captcha_id: str, answer: str) -> None:
        """Sends a code to a phone number.

        Raises:
            InvalidField, WrongCaptcha, TooManyTries, SendingStopped
        """
        await self._send(
            self._targets.parse_phone(mobile, "mobile"), captcha_id, answer, reset=False
        )

    async def send_email_code(
        self, email: str, captcha_id: str, answer: str, *, reset: bool
    ) -> None:
        """Sends a code to an address; with `reset` one that only resets the owner's password.

        Raises:
            InvalidField, WrongCaptcha, TooManyTries, SendingStopped
        """
        await self._send(self._targets.parse_email(email, "email"), captcha_id, answer, reset=reset)

    async def _send(
        self, target: ContactAddress, captcha_id: str, answer: str, *, reset: bool
    ) -> None:
        async def change(tx: Transaction) -> AppError | None:
            refusal = await self._captchas.redeem(tx, captcha_id, answer)
            return refusal or await self._issue(tx, target, reset=reset)

        unwrap(await self._engine.run_transaction(change))
        self._notify_worker()

    async def _issue(
        self, tx: Transaction, target: ContactAddress, *, reset: bool
    ) -> AppError | None:
        now = int(self._clock.now())
        owner = await find_identity_owner(tx, target.identity_kind, target.key)
        is_sent = await self._limits.admit(tx, target, now, has_account=owner is not None)
        if isinstance(is_sent, AppError):
            return is_sent
        kind = _code_purpose(owner, reset=reset)
        code = await self._codes.issue(tx, target, kind, owner or NO_ACCOUNT, now)
        expires_at = now + self._codes.lifetime_seconds
        to = await self._as_stored(tx, target, owner or NO_ACCOUNT)
        purpose = _MESSAGE_PURPOSES[kind] if is_sent else DISCARD_PURPOSE
        await self._messages.enqueue_code(tx, to, purpose, code, now=now, expires_at=expires_at)
        return None

    async def _as_stored(
        self, tx: Transaction, target: ContactAddress, owner: AccountId
    ) -> ContactAddress:
        """The target as its owner wrote it: to some mail systems another case is another box.

        The account is read in either case, so that both take as long (security E2).
        """
        account = await find_account(tx, owner)
        if account is None or target.channel == "sms":
            return target
        return replace(target, address=account.email)


def _code_purpose(owner: AccountId | None, *, reset: bool) -> CodePurpose:
    """The class of a code, from what the server knows at this moment (security D1)."""
    if reset:
        return "decoy" if owner is None else "reset"
    return "new" if owner is None else "own"
