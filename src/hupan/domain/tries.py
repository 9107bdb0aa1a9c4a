"""What wrong tries at the secrets of a target are counted under (security C5, E5).

The key of the device that tries may follow, for a device that the owner knows has a count of its
own. All of them end when a target belongs to its owner no more: whoever has it next is not locked
out by guesses at somebody else's secrets. Counts of messages stay, for they protect the target.
"""

from hupan.model import Channel
from hupan.store.engine import Transaction
from hupan.store.tallies import forget_below


def code_tries(channel: Channel, key: str) -> str:
    """What guesses at the codes of a target are counted under."""
    return f"{channel}:{key}:"


def password_tries(key: str) -> str:
    """What wrong passwords of an address are counted under."""
    return f"password:{key}:"


async def forget_tries(tx: Transaction, channel: Channel, key: str) -> None:
    """Forgets every try at a target's codes and password, from whatever device."""
    await forget_below(tx, code_tries(channel, key))
    if channel == "email":
        await forget_below(tx, password_tries(key))
