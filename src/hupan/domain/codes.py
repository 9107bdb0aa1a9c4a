"""One-time codes: issue, send and redeem; a code's purpose is fixed when issued (security D1)."""

import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias

from hupan.addresses import ContactAddress, ContactParser
from hupan.clock import Clock
from hupan.crypto import SecretBox
from hupan.domain.captchas import Captchas, SolvedCaptcha
from hupan.domain.outbox import DISCARD_PURPOSE, OutboxWriter
from hupan.errors import AppError, WrongCode
from hupan.model import NO_ACCOUNT, AccountId, Limit
from hupan.ratelimit.stored import (
    UNLIMITED_PREFIX,
    AttemptPurpose,
    CodeSendLimits,
    StoredLimiter,
    attempt_key,
    code_attempts_key,
    unwrap,
)
from hupan.rng import RandomSource
from hupan.rules import StoredLimits
from hupan.store.accounts import find_account, find_identity_owner
from hupan.store.codes import Code, count_code_attempt, lock_live_code, put_code, spend_code
from hupan.store.database import Database, Transaction

CodePurpose: TypeAlias = Literal["own", "new", "reset", "decoy"]
"""What a code can be used for.

own: the contact was bound to an account; the code acts for that account only.
new: the contact was free; the code registers it, or binds it to the account that redeems it.
reset: bound, and requested with `forget_password`; resets that account's password only.
decoy: free, and requested with `forget_password`; useless and never sent.
"""

_CODE_MAC_PURPOSE = "code"
_UNLIMITED_ATTEMPTS, _UNLIMITED_WINDOW_SECONDS = 2**31 - 1, 60


class Codes:
    """Issues and redeems codes."""

    def __init__(
        self,
        secret_box: SecretBox,
        random_source: RandomSource,
        limiter: StoredLimiter,
        limits: StoredLimits,
        lifetime_seconds: int,
    ) -> None:
        self._secret_box = secret_box
        self._random_source = random_source
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
        """Create a six-digit code that replaces the contact's previous one (security C1)."""
        text = f"{self._random_source.randbelow(10**6):06}"
        code = Code(purpose, owner, self._mac(target, purpose, text))
        await put_code(tx, target.channel, target.key, code, now + self.lifetime_seconds)
        return text

    async def redeem(
        self,
        tx: Transaction,
        target: ContactAddress,
        text: str,
        *,
        device_id: str = "",
        purpose: AttemptPurpose = "",
        caller: AccountId | None = None,
        now: int,
    ) -> Code | AppError:
        """Check one attempt at the code of a target, and spend the code if the attempt is right.

        Args:
            tx: the transaction that does what the code allows.
            target: where the code was sent.
            text: the code that the client sent.
            device_id: chooses the counter of attempts with `purpose` and `caller` (C5).
            purpose: see `attempt_key`.
            caller: see `attempt_key`.
            now: unix seconds.

        Returns:
            The code, or the error to return from the transaction, so that the attempt is
            stored (C4).
        """
        own_key = await attempt_key(tx, target, device_id, purpose, caller)
        subject = code_attempts_key(target.channel, target.key) + own_key
        # An attempt without a live code costs the owner nothing (X11) but takes as long (E2): the
        # same number of counters is written, under names that no limit has.
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

    def _mac(self, target: ContactAddress, purpose: str, text: str) -> bytes:
        return self._secret_box.mac(_CODE_MAC_PURPOSE, target.channel, target.key, purpose, text)


_MESSAGE_PURPOSES: dict[CodePurpose, str] = {
    "own": "code",
    "new": "code",
    "reset": "reset",
    "decoy": DISCARD_PURPOSE,
}


class CodeRequests:
    """Sends codes after a solved captcha; known and unknown contacts look alike (E1, E2)."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        contact_parser: ContactParser,
        captchas: Captchas,
        codes: Codes,
        outbox: OutboxWriter,
        limits: CodeSendLimits,
        notify_worker: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._contact_parser = contact_parser
        self._captchas = captchas
        self._codes = codes
        self._outbox = outbox
        self._limits = limits
        self._notify_worker = notify_worker

    async def send_sms_code(self, mobile: str, solution: SolvedCaptcha) -> None:
        """Send a code to a phone number.

        Raises:
            InvalidField, WrongCaptcha, CaptchaNotOffered, TooManyTries, SendingStopped
        """
        target = self._contact_parser.parse_phone(mobile, "mobile")
        await self._send(target, solution, reset=False)

    async def send_email_code(self, email: str, solution: SolvedCaptcha, *, reset: bool) -> None:
        """Send a code to an address; with `reset`, one that can only reset the owner's password.

        Raises:
            InvalidField, WrongCaptcha, CaptchaNotOffered, TooManyTries, SendingStopped
        """
        target = self._contact_parser.parse_email(email, "email")
        await self._send(target, solution, reset=reset)

    async def _send(self, target: ContactAddress, solution: SolvedCaptcha, *, reset: bool) -> None:
        async def change(tx: Transaction) -> AppError | None:
            error = await self._captchas.redeem(tx, solution)
            return error or await self._issue(tx, target, reset=reset)

        unwrap(await self._database.run_transaction(change))
        self._notify_worker()

    async def _issue(
        self, tx: Transaction, target: ContactAddress, *, reset: bool
    ) -> AppError | None:
        now = int(self._clock.now())
        owner = await find_identity_owner(tx, target.identity_kind, target.key)
        is_sent = await self._limits.admit(tx, target, now, has_account=owner is not None)
        if isinstance(is_sent, AppError):
            return is_sent
        code_purpose = _code_purpose(owner, reset=reset)
        code = await self._codes.issue(tx, target, code_purpose, owner or NO_ACCOUNT, now)
        expires_at = now + self._codes.lifetime_seconds
        recipient = await self._as_stored(tx, target, owner or NO_ACCOUNT)
        purpose = _MESSAGE_PURPOSES[code_purpose] if is_sent else DISCARD_PURPOSE
        await self._outbox.enqueue_code(
            tx, recipient, purpose, code, now=now, expires_at=expires_at
        )
        return None

    async def _as_stored(
        self, tx: Transaction, target: ContactAddress, owner: AccountId
    ) -> ContactAddress:
        # In the spelling of its owner: some mail systems deliver another case to another mailbox.
        # The account is read for both channels, so that both take as long (security E2).
        account = await find_account(tx, owner)
        if account is None or target.channel == "sms":
            return target
        return replace(target, address=account.email)


def _code_purpose(owner: AccountId | None, *, reset: bool) -> CodePurpose:
    # From what the server knows now; a code never changes its purpose (security D1).
    if reset:
        return "decoy" if owner is None else "reset"
    return "new" if owner is None else "own"
