"""Accounts with sessions in the store of a `hupan serve` that does not run yet."""

import asyncio
import time
from pathlib import Path

from hupan.crypto import SecretBox, load_or_create_key
from tests.support.world import open_world


def enrol(folder: Path, number: int) -> dict[str, str]:
    """Create a store, a key and accounts with different numbers; return the tokens by phone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    tokens = {}
    with open_world(
        folder / "hupan.db", secret_box=SecretBox(load_or_create_key(folder / "secret.key"))
    ) as world:
        world.clock.time = time.time()
        for at in range(number):
            phone = f"138{at:08}"
            account = asyncio.run(world.account_id(phone=phone))
            tokens[phone] = asyncio.run(world.sign_in(account))
    return tokens
