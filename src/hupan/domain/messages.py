"""Messages to send are written in the change that wants them sent; codes in them are sealed."""

from hupan.chance import Chance
from hupan.domain.targets import Target
from hupan.seal import Seal
from hupan.store.engine import Transaction
from hupan.store.outbox import CODE, OutboxMessage, drop_codes, put_message

SEAL_PURPOSE = "outbox"
DISCARDED = "discard"
"""Purpose of a message that is never sent; it costs what a real one costs (security E2)."""
NOTICE_LIFETIME_SECONDS = 2 * 86_400
"""How long a notice that cannot be sent is tried again: into the budget of the next day."""
_NO_CODE = b""
_ID_BYTES = 16


class Messages:
    """Writes the outbox."""

    def __init__(self, seal: Seal, chance: Chance) -> None:
        self._seal = seal
        self._chance = chance

    async def put_code(
        self, tx: Transaction, target: Target, purpose: str, code: str, *, now: int, expires_at: int
    ) -> None:
        """Has a code sent; an older one that could not be sent so far never will be."""
        await drop_codes(tx, target.channel, target.address)
        sealed = self._seal.close(SEAL_PURPOSE, code.encode())
        await put_message(tx, self._message(target, purpose, sealed, now, expires_at, CODE))

    def notice(self, target: Target, purpose: str, priority: int, *, now: int) -> OutboxMessage:
        """A message that tells what happened: a purpose `notice-…` (security A2)."""
        expires_at = now + NOTICE_LIFETIME_SECONDS
        return self._message(target, purpose, _NO_CODE, now, expires_at, priority)

    def _message(
        self,
        target: Target,
        purpose: str,
        sealed_code: bytes,
        now: int,
        expires_at: int,
        priority: int,
    ) -> OutboxMessage:
        return OutboxMessage(
            target=target.address,
            id=self._chance.token_bytes(_ID_BYTES).hex(),
            channel=target.channel,
            purpose=purpose,
            sealed_code=sealed_code,
            created_at=now,
            expires_at=expires_at,
            priority=priority,
        )
