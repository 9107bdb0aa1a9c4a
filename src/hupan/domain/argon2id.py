"""Argon2id in PHC strings, by libsodium (decision 20; security P4)."""

import base64
import hmac
import os
import re
from dataclasses import dataclass

from nacl.bindings import (
    crypto_pwhash_alg,
    crypto_pwhash_ALG_ARGON2ID13,
    crypto_pwhash_argon2id_MEMLIMIT_MAX,
    crypto_pwhash_argon2id_MEMLIMIT_MIN,
)

SALT_BYTES, DIGEST_BYTES = 16, 32
# Base64 without padding: 16 bytes are 22 characters, 32 are 43. libsodium knows one lane only.
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,10}),t=([0-9]{1,3}),p=1\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})"
)


@dataclass(frozen=True, slots=True)
class HashCost:
    """Parameters of argon2id."""

    memory_kib: int = 19456
    passes: int = 2

    @property
    def phc(self) -> str:
        """What a hash of this cost begins with."""
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p=1$"


def hashed(password: str, cost: HashCost) -> str:
    """The string to store: parameters, a fresh salt and the digest in PHC form.

    Raises:
        RuntimeError: there is no memory for it.
    """
    salt = os.urandom(SALT_BYTES)
    return f"{cost.phc}{_text(salt)}${_text(_digest(password, salt, cost))}"


def is_hash(stored: str) -> bool:
    """Whether a text is a PHC string that some password may match."""
    found = _PHC.fullmatch(stored)
    return found is not None and _is_possible(HashCost(int(found[1]), int(found[2])))


def matches(stored: str, password: str) -> bool:
    """Whether a password is the one of a PHC string; what is none matches nothing.

    Raises:
        RuntimeError: there is no memory for it, so nothing is known.
    """
    found = _PHC.fullmatch(stored)
    if found is None or not is_hash(stored):
        return False
    cost = HashCost(int(found[1]), int(found[2]))
    return hmac.compare_digest(_digest(password, _bytes(found[3]), cost), _bytes(found[4]))


def _is_possible(cost: HashCost) -> bool:
    least, most = crypto_pwhash_argon2id_MEMLIMIT_MIN, crypto_pwhash_argon2id_MEMLIMIT_MAX
    return least <= cost.memory_kib * 1024 <= most and cost.passes > 0


def _digest(password: str, salt: bytes, cost: HashCost) -> bytes:
    return crypto_pwhash_alg(
        DIGEST_BYTES,
        password.encode(),
        salt,
        cost.passes,
        cost.memory_kib * 1024,
        crypto_pwhash_ALG_ARGON2ID13,
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
