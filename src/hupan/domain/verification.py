"""Asking for a code: captcha, limits, the class of the code, and the message, in one change."""

from collections.abc import Callable
from dataclasses import replace

from hupan.clock import Clock
from hupan.domain.captchas import Captchas
from hupan.domain.codes import NOBODY, CodeKind, Codes
from hupan.domain.messages import DISCARDED, Messages
from hupan.domain.outcome import granted
from hupan.domain.refusals import Refusal
from hupan.domain.send_limits import SendLimits
from hupan.domain.targets import Target, Targets
from hupan.model import AccountId
from hupan.store.accounts import find_account, find_owner
from hupan.store.engine import Engine, Transaction

_MESSAGE_OF: dict[CodeKind, str] = {
    "own": "code",
    "new": "code",
    "reset": "reset",
    "decoy": DISCARDED,
}


class Verification:
    """Sends codes to whoever solved a captcha. Known and unknown targets look alike (E1, E2)."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        targets: Targets,
        captchas: Captchas,
        codes: Codes,
        messages: Messages,
        limits: SendLimits,
        wake_courier: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._targets = targets
        self._captchas = captchas
        self._codes = codes
        self._messages = messages
        self._limits = limits
        self._wake_courier = wake_courier

    async def send_sms_code(self, mobile: str, captcha_id: str, answer: str) -> None:
        """Sends a code to a phone number.

        Raises:
            InvalidField, WrongCaptcha, TooManyTries, SendingStopped
        """
        await self._send(self._targets.phone(mobile, "mobile"), captcha_id, answer, reset=False)

    async def send_email_code(
        self, email: str, captcha_id: str, answer: str, *, reset: bool
    ) -> None:
        """Sends a code to an address; with `reset` one that only resets the owner's password.

        Raises:
            InvalidField, WrongCaptcha, TooManyTries, SendingStopped
        """
        await self._send(self._targets.email(email, "email"), captcha_id, answer, reset=reset)

    async def _send(self, target: Target, captcha_id: str, answer: str, *, reset: bool) -> None:
        async def change(tx: Transaction) -> Refusal | None:
            refusal = await self._captchas.redeem(tx, captcha_id, answer)
            return refusal or await self._issue(tx, target, reset=reset)

        granted(await self._engine.change(change))
        self._wake_courier()

    async def _issue(self, tx: Transaction, target: Target, *, reset: bool) -> Refusal | None:
        now = int(self._clock.now())
        owner = await find_owner(tx, target.kind, target.key)
        leaves = await self._limits.admit(tx, target, now, has_account=owner is not None)
        if isinstance(leaves, Refusal):
            return leaves
        kind = _kind(owner, reset=reset)
        code = await self._codes.issue(tx, target, kind, owner or NOBODY, now)
        expires_at = now + self._codes.lifetime_seconds
        to = await self._as_bound(tx, target, owner or NOBODY)
        purpose = _MESSAGE_OF[kind] if leaves else DISCARDED
        await self._messages.put_code(tx, to, purpose, code, now=now, expires_at=expires_at)
        return None

    async def _as_bound(self, tx: Transaction, target: Target, owner: AccountId) -> Target:
        """The target as its owner wrote it: to some mail systems another case is another box.

        The account is read in either case, so that both take as long (security E2).
        """
        account = await find_account(tx, owner)
        if account is None or target.channel == "sms":
            return target
        return replace(target, address=account.email)


def _kind(owner: AccountId | None, *, reset: bool) -> CodeKind:
    """The class of a code, from what the server knows at this moment (security D1)."""
    if reset:
        return "decoy" if owner is None else "reset"
    return "new" if owner is None else "own"
