"""One-time codes. The class of a code is decided when it is issued (security D1)."""

import hashlib
import hmac
from typing import Literal, TypeAlias

from hupan.chance import Chance
from hupan.domain.limiter import Limiter
from hupan.domain.refusals import Refusal, WrongCode
from hupan.domain.settings import Limits
from hupan.domain.targets import Target
from hupan.domain.tries import code_tries
from hupan.model import AccountId
from hupan.seal import Seal
from hupan.store.accounts import find_owner, hold_account
from hupan.store.codes import Code, count_try, put_code, spend_code
from hupan.store.engine import Transaction
from hupan.store.sessions import knows_device

CodeKind: TypeAlias = Literal["own", "new", "reset", "decoy"]
"""What a code may ever do.

own: the target was bound to an account; the code acts for that account alone.
new: the target was free; the code registers it, or binds it to whoever proves it.
reset: bound, and asked for with `forget_password`; it resets that account's password alone.
decoy: free, and asked for with `forget_password`; it opens nothing and was never sent.
"""

NOBODY = AccountId(0)
_PURPOSE = "code"


class Codes:
    """Makes codes and takes guesses."""

    def __init__(
        self, seal: Seal, chance: Chance, limiter: Limiter, limits: Limits, lifetime_seconds: int
    ) -> None:
        self._seal = seal
        self._chance = chance
        self._limiter = limiter
        self._limits = limits.wrong_codes
        self.lifetime_seconds = lifetime_seconds

    async def issue(
        self, tx: Transaction, target: Target, kind: CodeKind, owner: AccountId, now: int
    ) -> str:
        """Makes a code of six digits; the target's old one dies (security C1)."""
        text = f"{self._chance.below(10**6):06}"
        code = Code(kind, owner, self._mac(target, kind, text))
        await put_code(tx, target.channel, target.key, code, now + self.lifetime_seconds)
        return text

    async def spend(
        self, tx: Transaction, target: Target, text: str, *, device_key: str, now: int
    ) -> Code | Refusal:
        """Takes one guess at the code of a target and uses the code up when it is right.

        Args:
            tx: the change that does what the code allows.
            target: where the code went.
            text: the guess.
            device_key: whose budget of guesses is used: "" or a device known to the owner (C5).
            now: unix seconds.

        Returns:
            The code, or the refusal to return from the change, so that the try is kept (C4).
        """
        subject = code_tries(target.channel, target.key) + device_key
        if not await self._limiter.take(tx, subject, self._limits, now):
            return WrongCode()
        code = await count_try(tx, target.channel, target.key, now)
        if code is None or not self._is(code, target, text):
            return WrongCode()
        if not await spend_code(tx, target.channel, target.key, code.mac):
            return WrongCode()
        await self._limiter.give_back(tx, subject, self._limits, now)
        return code

    def _is(self, code: Code, target: Target, text: str) -> bool:
        return hmac.compare_digest(code.mac, self._mac(target, code.kind, text))

    def _mac(self, target: Target, kind: str, text: str) -> bytes:
        return self._seal.mac(_PURPOSE, target.channel, target.key, kind, text)


async def budget(tx: Transaction, target: Target, device_id: str) -> str:
    """The `device_key` of a guess: the owner's own devices have budgets of their own (C5).

    So strangers who guess cannot lock the owner of a target out.
    """
    owner = await find_owner(tx, target.kind, target.key)
    await hold_account(tx, owner or NOBODY)  # before any code; of nobody too, to take as long (E2)
    if owner is None or device_id == "" or not await knows_device(tx, owner, device_id):
        return ""
    return hashlib.sha256(device_id.encode()).hexdigest()
