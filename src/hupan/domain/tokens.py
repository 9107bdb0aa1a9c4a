"""Tokens: 8-4-4-4-12 lower-case hex (wire.md 5); only a hash is stored (security T1, T2).

A token carries its account's id, so that a session is found beside its account in one read. To
fit both into 128 bits, the id's 32 bits are masked by a keyed hash of the 96 random ones: whoever
does not hold the server's key sees 128 random bits. Decision 0005 tells why.
"""

import hashlib
import re

from hupan.chance import Chance
from hupan.model import AccountId
from hupan.seal import Seal

HIGHEST_ACCOUNT_ID = 2**32 - 1
_SHAPE = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RANDOM_BYTES = 12
_MASK_BYTES = 4


class Tokens:
    """Makes tokens and reads the account out of them."""

    def __init__(self, seal: Seal, chance: Chance) -> None:
        self._keyed = hashlib.blake2b(digest_size=_MASK_BYTES, key=seal.key_for("token"))
        self._chance = chance

    def make(self, account: AccountId) -> str:
        """A token for an account's new session."""
        chosen = self._chance.token_bytes(_RANDOM_BYTES)
        masked = (account ^ self._mask(chosen)).to_bytes(_MASK_BYTES)
        text = (chosen + masked).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def account_of(self, token: str) -> AccountId | None:
        """The account whose token this would be; None when it has not the shape of a token.

        Whether the token is one, only the stored hash tells.
        """
        if not _SHAPE.fullmatch(token):
            return None
        raw = bytes.fromhex(token.replace("-", ""))
        masked = int.from_bytes(raw[_RANDOM_BYTES:])
        return AccountId(masked ^ self._mask(raw[:_RANDOM_BYTES]))

    def _mask(self, chosen: bytes) -> int:
        hashed = self._keyed.copy()
        hashed.update(chosen)
        return int.from_bytes(hashed.digest())
