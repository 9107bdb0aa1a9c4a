"""New accounts."""

from hupan.chance import Chance
from hupan.clock import Clock
from hupan.domain.refusals import EmailTaken, PhoneTaken
from hupan.domain.settings import Rules
from hupan.domain.targets import Target
from hupan.domain.tokens import HIGHEST_ACCOUNT_ID
from hupan.model import Account, AccountId
from hupan.store.accounts import claim_identity, insert_account, next_account_id
from hupan.store.engine import Transaction

# Without 0, 1, I, L, O: people read these codes to each other.
_INVITATION_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_INVITATION_LENGTH = 8


class Accounts:
    """Makes accounts."""

    def __init__(self, clock: Clock, chance: Chance, rules: Rules) -> None:
        self._clock = clock
        self._chance = chance
        self._rules = rules

    async def create(
        self, tx: Transaction, *, phone: Target | None, email: Target | None, name: str = ""
    ) -> Account:
        """Writes a new account that owns the targets.

        Raises:
            PhoneTaken, EmailTaken: a target has an owner already.
        """
        account_id = await next_account_id(tx)
        if account_id > HIGHEST_ACCOUNT_ID:
            raise OverflowError("the ids that fit into a token are used up")
        account = self._new(account_id, phone, email, name, await self._invite(tx, account_id))
        for target in (phone, email):
            if target and not await claim_identity(tx, target.kind, target.key, account_id):
                raise PhoneTaken if target is phone else EmailTaken
        await insert_account(tx, account)
        return account

    def _new(
        self, account: AccountId, phone: Target | None, email: Target | None, name: str, code: str
    ) -> Account:
        now = int(self._clock.now())
        return Account(
            id=account,
            name=name or f"用户{account}",
            name_id=0,
            avatar_url=self._rules.default_avatar_url,
            avatar_id=0,
            phone=phone.address if phone else "",
            email=email.address if email else "",
            coin_cents=0,
            vip_until=0,
            banned_until=0,
            ban_reason="",
            invitation_code=code,
            registered_at=now,
            online_days=0,
            days_in_a_row=0,
            last_seen_day=0,
            last_active_at=now,
            country="",
        )

    async def _invite(self, tx: Transaction, account: AccountId) -> str:
        """Claims an invitation code that nobody has; 31^8 of them make a second try rare."""
        while True:
            code = "".join(
                _INVITATION_ALPHABET[self._chance.below(len(_INVITATION_ALPHABET))]
                for _ in range(_INVITATION_LENGTH)
            )
            if await claim_identity(tx, "invitation", code, account):
                return code
