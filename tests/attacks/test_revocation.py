"""When the owner locks a thief out, every worker enforces it at once (security T6)."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hupan.addresses import ContactAddress
from hupan.model import NO_ACCOUNT, AccountId
from tests.support.channels import EMAIL, PHONE, ContactChannel, forget
from tests.support.client import WireClient
from tests.support.console import call, run
from tests.support.servers import Server
from tests.support.two_workers import folder, one_of_each, server, third_process
from tests.support.world import World, email_address, phone_address

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]
__all__ = ["folder", "server"]

PASSWORD = "the lake at seven"


class Owner:
    """A member with all contacts bound, a session of the owner and one of the thief."""

    def __init__(self, world: World, folder: Path, here: WireClient, serial: int) -> None:
        self.world, self.folder, self.here = world, folder, here
        self.phone, self.email = f"1380000{serial:04}", f"owner{serial}@example.com"
        self.id: AccountId = asyncio.run(world.account_id(phone=self.phone, email=self.email))
        self.mine = asyncio.run(world.sign_in(self.id, "mine"))
        self.stolen = asyncio.run(world.sign_in(self.id, "stolen"))

    def code(self, target: ContactAddress, *, bound: bool = True) -> str:
        """Return a code as if it had been requested."""
        self.world.clock.time = time.time()
        owner = self.id if bound else NO_ACCOUNT
        return asyncio.run(self.world.issue(target, "own" if bound else "new", owner))

    def change(self, way: ContactChannel, to: str, target: ContactAddress) -> None:
        """Change to another number or address."""
        code = self.code(target, bound=False)
        assert way.change(self.here, self.mine, to, code).code == 1


def resets_password(owner: Owner) -> None:
    """Set a password with a code to the address."""
    assert (
        forget(owner.here, owner.email, owner.code(email_address(owner.email)), PASSWORD).code == 1
    )


def changes_phone(owner: Owner) -> None:
    """Change the number with the owner's own session."""
    owner.change(PHONE, "13911119999", phone_address("13911119999"))


def changes_email(owner: Owner) -> None:
    """Change the e-mail address."""
    owner.change(EMAIL, "later@example.com", email_address("later@example.com"))


def cancels(owner: Owner) -> None:
    """Cancel the account with a code to the number."""
    code = owner.code(phone_address(owner.phone))
    assert PHONE.cancel(owner.here, owner.mine, owner.phone, code).code == 1


def undone(owner: Owner) -> None:
    """Let an operator undo an earlier change."""
    owner.change(PHONE, "13911118888", phone_address("13911118888"))
    owner.stolen = asyncio.run(owner.world.sign_in(owner.id, "stolen again"))
    call(owner.folder, "account", "undo", str(owner.id), "1")


def deleted(owner: Owner) -> None:
    """Let an operator delete the account."""
    assert run(owner.folder, "account", "delete", str(owner.id), "--yes").exit_code == 0


def banned(owner: Owner) -> None:
    """Let an operator ban the account."""
    call(owner.folder, "account", "ban", str(owner.id), "--reason", "spam")


TRIGGERS: tuple[Callable[[Owner], None], ...] = (
    *(resets_password, changes_phone, changes_email, cancels, undone, deleted, banned),
)


def test_a_thief_is_out_everywhere_at_once(server: Server, folder: Path) -> None:
    """Each worker that has served a stolen token refuses it at once (security T6)."""
    with third_process(folder) as world, one_of_each(server) as (here, there):
        for serial, trigger in enumerate(TRIGGERS):
            owner = Owner(world, folder, here, serial)
            for client in (there, here, there, here):
                assert client.own_info(owner.stolen).code == 1
            trigger(owner)
            for client in (there, here, there):
                assert client.own_info(owner.stolen).code in {-101, 7100}, trigger.__name__
