"""Messages to send are written in the change that wants them sent; codes in them are sealed."""

from hupan.chance import Chance
from hupan.domain.targets import Target
from hupan.seal import Seal
from hupan.store.engine import Transaction
from hupan.store.outbox import OutboxMessage, drop_codes, put_message

SEAL_PURPOSE = "outbox"
DISCARDED = "discard"
"""Purpose of a message that is never sent; it costs what a real one costs (security E2)."""
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
        message = OutboxMessage(
            target.address,
            self._chance.token_bytes(_ID_BYTES).hex(),
            target.channel,
            purpose,
            self._seal.close(SEAL_PURPOSE, code.encode()),
            now,
            expires_at,
        )
        await put_message(tx, message)
