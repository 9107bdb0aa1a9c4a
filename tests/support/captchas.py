"""Solve captchas of a server whose folder the test owns, with the server's own key."""

import base64
from pathlib import Path

from msgspec import msgpack

from hupan.captcha import UniformSource
from hupan.crypto import SecretBox, load_or_create_key
from hupan.domain.captchas import SealedAnswer
from hupan.rng import SeededRandomSource


def solve(folder: Path, captcha_id: str) -> str:
    """Return the answer of a captcha."""
    seal = SecretBox(load_or_create_key(folder / "secret.key"))
    plain = seal.decrypt("captcha", base64.urlsafe_b64decode(captcha_id))
    assert plain is not None
    return msgpack.decode(plain, type=SealedAnswer).answer


def seeded(seed: str) -> UniformSource:
    """Return a jitter with a fixed seed."""
    chance = SeededRandomSource(seed)
    return lambda low, high: low + (high - low) * chance.randbelow(2**32) / 2**32
