"""One-time codes. The class of a code is decided when it is issued (security D1)."""

import hashlib
import hmac
from typing import Literal, TypeAlias

from hupan.chance import Chance
from hupan.domain.limiter import Limiter
from hupan.domain.refusals import Refusal, WrongCode
from hupan.domain.settings import Limits
from hupan.domain.targets import Target
from hupan.domain.tries import FREE_ATTEMPTS, code_tries
from hupan.model import AccountId, Limit
from hupan.seal import Seal
from hupan.store.accounts import find_owner, hold_account
from hupan.store.codes import Code, count_try, hold_live_code, put_code, spend_code
from hupan.store.engine import Transaction
from hupan.store.sessions import knows_device

CodeKind: TypeAlias = Literal["own", "new", "reset", "decoy"]
"""What a code may ever do.

own: the target was bound to an account; the code acts for that account alone.
new: the target was free; the code registers it, or binds it to whoever proves it.
reset: bound, and asked for with `forget_password`; it resets that account's password alone.
decoy: free, and asked for with `forget_password`; it opens nothing and was never sent.
"""

AttemptPurpose: TypeAlias = Literal["", "reset", "binding"]
"""What a code is guessed at for: a sign-in, a reset of the password, a change of contacts."""

NOBODY = AccountId(0)
_PURPOSE = "code"
_FREE_OF_CHARGE, _FREE_SECONDS = 2**31 - 1, 60


class Codes:
    """Makes codes and takes guesses."""

    def __init__(
        self, seal: Seal, chance: Chance, limiter: Limiter, limits: Limits, lifetime_seconds: int
    ) -> None:
        self._seal = seal
        self._chance = chance
        self._limiter = limiter
        self._limits = limits.wrong_codes
        self._free = tuple(
            Limit(FREE_ATTEMPTS + limit.name, _FREE_OF_CHARGE, _FREE_SECONDS)
            for limit in self._limits
        )
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
            device_key: whose budget of guesses is used, as `attempt_key` returns it (C5).
            now: unix seconds.

        Returns:
            The code, or the refusal to return from the change, so that the try is kept (C4).
        """
        subject = code_tries(target.channel, target.key) + device_key
        # A guess where no code is live costs the owner nothing (X11), and as much time (E2): as
        # many counts are written, under names that no limit has.
        is_live = await hold_live_code(tx, target.channel, target.key, now)
        limits = self._limits if is_live else self._free
        if not await self._limiter.take(tx, subject, limits, now):
            return WrongCode()
        code = await count_try(tx, target.channel, target.key, now)
        if code is None or not self._is(code, target, text):
            return WrongCode()
        if not await spend_code(tx, target.channel, target.key, code.mac):
            return WrongCode()
        await self._limiter.give_back(tx, subject, limits, now)
        return code

    def _is(self, code: Code, target: Target, text: str) -> bool:
        return hmac.compare_digest(code.mac, self._mac(target, code.kind, text))

    def _mac(self, target: Target, kind: str, text: str) -> bytes:
        return self._seal.mac(_PURPOSE, target.channel, target.key, kind, text)


async def attempt_key(
    tx: Transaction,
    target: Target,
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
    owner = await find_owner(tx, target.kind, target.key)
    await hold_account(tx, owner or NOBODY)  # before any code; of nobody too, to take as long (E2)
    is_known = await knows_device(tx, owner or NOBODY, device_id)
    if owner is not None and device_id and is_known:
        return hashlib.sha256(device_id.encode()).hexdigest()
    return "owner" if owner is not None and owner == caller else purpose
