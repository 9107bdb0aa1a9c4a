"""What of an account others see: its own choice, else the server's setting (security D4)."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from hupan.domain.refusals import UnknownUser
from hupan.model import NO_CHOICE, AccountId, PersonalData, PrivacyChoice
from hupan.store.accounts import hold_account
from hupan.store.engine import Engine, Transaction
from hupan.store.profiles import get_privacy, set_privacy


class Shown(Struct, frozen=True):
    """What is shown; the parts are those of `PrivacyChoice`."""

    birthday: bool = True
    address: bool = True
    last_active: bool = True
    country: bool = True


ALL_SHOWN = Shown()


class Privacy:
    """Keeps what accounts choose. The wire has no endpoint for it; operators set it for them."""

    def __init__(self, engine: Engine, by_default: Shown) -> None:
        self._engine = engine
        self._by_default = by_default

    async def choose(self, account: AccountId, choice: PrivacyChoice) -> None:
        """Replaces the choice of an account as a whole.

        Raises:
            UnknownUser: there is no such account.
        """
        await self.amend(account, lambda _before: choice)

    async def amend(
        self, account: AccountId, amended: Callable[[PrivacyChoice], PrivacyChoice]
    ) -> None:
        """Makes another choice of the one that an account has, in one change.

        Raises:
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> None:
            if await hold_account(tx, account) is None:
                raise UnknownUser
            await set_privacy(tx, account, amended(await get_privacy(tx, account)))

        await self._engine.change(change)

    async def find_choice(self, account: AccountId) -> PrivacyChoice:
        """What an account chose."""
        return await get_privacy(self._engine, account)

    def shown(self, choice: PrivacyChoice) -> Shown:
        """What others see of an account with this choice."""
        default = self._by_default
        if choice is NO_CHOICE:
            return default
        return Shown(
            birthday=default.birthday if choice.birthday is None else choice.birthday,
            address=default.address if choice.address is None else choice.address,
            last_active=default.last_active if choice.last_active is None else choice.last_active,
            country=default.country if choice.country is None else choice.country,
        )


def as_shown(data: PersonalData, shown: Shown) -> PersonalData:
    """Personal data without what is not shown."""
    if not shown.birthday:
        data = replace(data, birthday=0)
    if not shown.address:
        data = replace(data, province="", city="", district="", location_code="")
    return data
