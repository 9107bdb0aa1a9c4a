"""What is counted of a target: wrong tries at its secrets, messages to it (security C5, C11, E5).

The key of the device that tries may follow, for a device that the owner knows has a count of its
own. All of them end when a target belongs to its owner no more: whoever has it next is not locked
out by guesses at somebody else's secrets. Counts of messages stay, for they protect the target.
"""

from hupan.model import Channel
from hupan.store.engine import Transaction
from hupan.store.tallies import forget_all


def code_tries(channel: Channel, key: str) -> str:
    """What guesses at the codes of a target are counted under."""
    return f"{channel}:{key}:"


def password_tries(key: str) -> str:
    """What wrong passwords of an address are counted under."""
    return f"password:{key}:"


def sends(channel: Channel, key: str) -> str:
    """What messages to a target are counted under."""
    return f"send:{channel}:{key}:"


def sends_lately(key: str) -> str:
    """What tells whether a number was sent to lately (security C12)."""
    return f"number:{key}:"


def block_sends(block: str) -> str:
    """What numbers that begin with the same digits are counted under (security C12)."""
    return f"block:{block}:"


def notices(channel: Channel, key: str) -> str:
    """What notices to a target are counted under; their purpose follows."""
    return f"notice:{channel}:{key}:"


def everything_of(channel: Channel, key: str) -> tuple[str, ...]:
    """The beginnings of all that is counted of a target."""
    told = (
        code_tries(channel, key),
        sends(channel, key),
        sends_lately(key),
        notices(channel, key),
    )
    return (*told, password_tries(key)) if channel == "email" else told


async def forget_tries(tx: Transaction, channel: Channel, key: str) -> None:
    """Forgets every try at a target's codes and password, from whatever device."""
    await forget_all(tx, code_tries(channel, key))
    if channel == "email":
        await forget_all(tx, password_tries(key))
