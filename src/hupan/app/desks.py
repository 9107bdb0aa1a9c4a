"""The desks at which operators work, on the open store of a server."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from hupan.api.failures import failure_of
from hupan.app.account_desk import AccountDesk
from hupan.app.coin_desk import CoinDesk
from hupan.app.contact_desk import ContactDesk
from hupan.app.ending_desk import EndingDesk
from hupan.app.help_desk import HelpDesk
from hupan.app.keyed import make_account_help, make_contact_undo, make_endings
from hupan.app.limit_desk import LimitDesk
from hupan.app.medal_desk import MedalDesk
from hupan.app.operating import OperationRefused, operating
from hupan.app.privacy_desk import PrivacyDesk
from hupan.app.rules import (
    hash_cost,
    invitation_rules,
    password_rules,
    rules,
    shown_by_default,
    targets,
)
from hupan.chance import SystemChance
from hupan.clock import Clock
from hupan.config import Settings
from hupan.domain.accounts import Accounts
from hupan.domain.bans import Bans
from hupan.domain.coins import Coins
from hupan.domain.common_passwords import load_common_passwords
from hupan.domain.days import Days
from hupan.domain.invitations import Invitations
from hupan.domain.limit_counts import LimitCounts
from hupan.domain.limit_resets import LimitResets
from hupan.domain.medals import Medals
from hupan.domain.password_strength import PasswordStrength
from hupan.domain.passwords import Passwords
from hupan.domain.privacy import Privacy
from hupan.domain.provisioning import Provisioning
from hupan.domain.refusals import AccountCancelled, InvalidField, Refusal
from hupan.domain.roster import Roster
from hupan.domain.timekeeping import store_clock
from hupan.domain.vip import VipTerms
from hupan.store.engine import Engine


@dataclass(frozen=True, slots=True)
class Desks:
    """One for each kind of work."""

    accounts: AccountDesk
    coins: CoinDesk
    medals: MedalDesk
    endings: EndingDesk
    help: HelpDesk
    contacts: ContactDesk
    privacy: PrivacyDesk
    limits: LimitDesk


@asynccontextmanager
async def open_desks(settings: Settings) -> AsyncIterator[Desks]:
    """Opens the store of a server for one command; a server may run beside it.

    Raises:
        OperationRefused: the store cannot be used, or the domain says no.
    """
    async with operating(settings) as engine:
        passwords = Passwords(hash_cost(settings), settings.hashing_threads)
        try:
            yield _desks(settings, engine, passwords, await store_clock(engine))
        except Refusal as refusal:
            raise OperationRefused(in_words(refusal)) from refusal
        finally:
            passwords.close()


def in_words(refusal: Refusal) -> str:
    """A refusal in both languages, as clients are told it; a field by the name of its option."""
    if isinstance(refusal, InvalidField):
        option = _option(refusal.field)
        return f"{option} 的值非法 / the value of {option} is not valid"
    if isinstance(refusal, AccountCancelled):
        return (
            "该账号已注销；清除之前可用 hupan account restore 恢复 / this account was cancelled; "
            "until it is erased, hupan account restore brings it back"
        )
    failure, filling = failure_of(refusal, 0)
    zh, en = (failure.message(english=english, field=filling) for english in (False, True))
    return f"{zh} / {en}"


def _option(field: str) -> str:
    """What operators call a field: `--vip-days` for `vip_days`, and NAME, which is no option."""
    words = re.sub("[A-Z]", r"-\g<0>", field).replace("_", "-").lower()
    return "NAME" if words == "name" else f"--{words}"


def _desks(settings: Settings, engine: Engine, passwords: Passwords, clock: Clock) -> Desks:
    its_rules, its_targets = rules(settings), targets(settings)
    roster, coins, medals = Roster(engine, its_targets), Coins(engine, clock), Medals(engine)
    invitations = Invitations(
        engine, clock, Days(its_rules.zone), coins, invitation_rules(settings)
    )
    accounts = Accounts(clock, SystemChance(), its_rules)
    provisioning = Provisioning(engine, clock, its_targets, accounts, passwords, coins, invitations)
    return Desks(
        AccountDesk(
            clock,
            its_rules.zone,
            roster,
            Bans(engine, clock),
            VipTerms(engine, clock),
            medals,
            provisioning,
            PasswordStrength(load_common_passwords(), password_rules(settings)),
        ),
        CoinDesk(roster, coins),
        MedalDesk(medals),
        EndingDesk(clock, roster, partial(make_endings, settings, engine, clock)),
        HelpDesk(clock, roster, its_targets, partial(make_account_help, settings, engine, clock)),
        ContactDesk(clock, roster, partial(make_contact_undo, settings, engine, clock)),
        PrivacyDesk(roster, Privacy(engine, shown_by_default(settings))),
        LimitDesk(
            LimitCounts(engine, clock, its_targets, roster),
            LimitResets(engine, clock, its_targets),
            settings,
        ),
    )
