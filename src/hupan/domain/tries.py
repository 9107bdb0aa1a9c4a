"""What is counted of a target: wrong tries at its secrets, messages to it (security C5, C11, E5).

The key of the device that tries may follow, for a device that the owner knows has a count of its
own. All of them end when a target belongs to its owner no more: whoever has it next is not locked
out by guesses at somebody else's secrets. Counts of messages stay, for they protect the target.

A target is counted in its folded form, so that the spellings of one mailbox share one limit (X11).
"""

import hashlib

from hupan.domain.folding import folded
from hupan.domain.targets import Target
from hupan.model import Channel
from hupan.store.engine import Transaction
from hupan.store.tallies import forget_all

NETWORK_SHARE = "network-"
FREE_ATTEMPTS = "free-"
"""The beginning of names under which attempts are counted that no limit counts."""


def limit_key(target: Target) -> str:
    """Return the folded form of a target: what has one limit is one account to the hash queue."""
    return folded(target.channel, target.key)


def code_tries(channel: Channel, key: str) -> str:
    """What guesses at the codes of a target are counted under."""
    return f"{channel}:{folded(channel, key)}:"


def password_tries(key: str) -> str:
    """What wrong passwords of an address are counted under."""
    return f"password:{folded('email', key)}:"


def sign_ins(key: str) -> str:
    """Return what the sign-ins with the password of an address are counted under (X3)."""
    return f"sign-in:{folded('email', key)}:"


def network_share(network: str) -> str:
    """Return what follows a target's subject for attempts that come from one network.

    A short hash: a subject ends at its last colon, and an address of IPv6 has some.
    """
    return NETWORK_SHARE + hashlib.sha256(network.encode()).hexdigest()[:16]


def sends(channel: Channel, key: str) -> str:
    """What messages to a target are counted under."""
    return f"send:{channel}:{folded(channel, key)}:"


def sends_lately(key: str) -> str:
    """What tells whether a number was sent to lately (security C12)."""
    return f"number:{key}:"


def block_sends(block: str) -> str:
    """What numbers that begin with the same digits are counted under (security C12)."""
    return f"block:{block}:"


def notices(channel: Channel, key: str) -> str:
    """What notices to a target are counted under; their purpose follows."""
    return f"notice:{channel}:{folded(channel, key)}:"


def everything_of(channel: Channel, key: str) -> tuple[str, ...]:
    """The beginnings of all that is counted of a target."""
    told = (
        code_tries(channel, key),
        sends(channel, key),
        sends_lately(key),
        notices(channel, key),
    )
    return (*told, password_tries(key), sign_ins(key)) if channel == "email" else told


def of_spelling(key: str) -> str:
    """Return what follows a subject for a count of one spelling of a target alone."""
    return "-" + hashlib.sha256(key.encode()).hexdigest()[:16]


async def forget_tries(tx: Transaction, channel: Channel, key: str) -> None:
    """Forgets every try at a target's codes and password, from whatever device."""
    await forget_all(tx, code_tries(channel, key))
    if channel == "email":
        await forget_all(tx, password_tries(key))
