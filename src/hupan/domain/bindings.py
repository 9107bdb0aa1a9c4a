"""What is bound to an account: its phone number and its address (security A2, A3, D1)."""

from hupan.domain.targets import Target
from hupan.domain.tries import forget_tries
from hupan.model import Account, Channel
from hupan.store.accounts import claim_identity, release_identity
from hupan.store.codes import kill_code
from hupan.store.contacts import set_address
from hupan.store.engine import Transaction
from hupan.store.outbox import drop_codes
from hupan.store.step_ups import drop_step_ups

CHANNELS: tuple[Channel, ...] = ("sms", "email")


def bound(account: Account, channel: Channel) -> Target | None:
    """The number or address that an account has."""
    address = account.phone if channel == "sms" else account.email
    return target_of(channel, address) if address else None


def all_bound(account: Account) -> list[Target]:
    """Everything that messages can reach an account by."""
    return [target for channel in CHANNELS if (target := bound(account, channel))]


def target_of(channel: Channel, address: str) -> Target:
    """The target that an address, kept as its owner is shown it, stands for."""
    return Target(channel, address.lower(), address)


async def rebind(tx: Transaction, account: Account, channel: Channel, to: Target | None) -> bool:
    """Puts a target, or none, in the place of what is bound; False when somebody has it.

    Codes of both and proofs of the old one die (security D1), and so do the wrong tries that were
    counted against the old one (security A4); a False has changed nothing.
    """
    old = bound(account, channel)
    moves = (old and old.key) != (to and to.key)
    if moves and to and not await claim_identity(tx, to.kind, to.key, account.id):
        return False
    if moves and old:
        await release_identity(tx, old.kind, old.key, account.id)
        await forget_tries(tx, old.channel, old.key)
    for target in filter(None, (old, to)):
        await kill_codes(tx, target)
    await drop_step_ups(tx, account.id, channel)
    await set_address(tx, account.id, channel, to.address if to else "")
    return True


async def kill_codes(tx: Transaction, target: Target) -> None:
    """Ends the live code of a target, and what of it could not be sent so far."""
    await kill_code(tx, target.channel, target.key)
    await drop_codes(tx, target.channel, target.address)
