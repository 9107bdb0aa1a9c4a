"""The parts that several services stand on, each made once."""

import secrets
from dataclasses import dataclass
from functools import partial

from hupan.app.limit_table import exemption, floods, limits
from hupan.app.outside import Outside
from hupan.app.rules import hash_cost, rules, session_life, targets
from hupan.clock import Clock
from hupan.config import Settings
from hupan.counting import Count, Counts
from hupan.domain.accounts import Accounts
from hupan.domain.alarms import Alarms
from hupan.domain.codes import Codes
from hupan.domain.coins import Coins
from hupan.domain.courier import Courier
from hupan.domain.days import Days
from hupan.domain.floods import Floods
from hupan.domain.limiter import Limiter
from hupan.domain.messages import Messages
from hupan.domain.notice_budget import NoticeBudget
from hupan.domain.notices import Notices
from hupan.domain.passwords import Passwords
from hupan.domain.sessions import Sessions
from hupan.domain.settings import Limits, Rules
from hupan.domain.targets import Targets
from hupan.domain.tokens import Tokens
from hupan.pictures.drawing import READABLE_DIGITS, InkDrawer
from hupan.pictures.pool import PicturePool
from hupan.seal import Seal
from hupan.store.engine import MeasuredEngine


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services share, from the outside and the settings up to the sessions."""

    settings: Settings
    outside: Outside
    engine: MeasuredEngine
    clock: Clock
    counts: Counts
    alarms: Alarms
    seal: Seal
    rules: Rules
    limits: Limits
    floods: Floods
    targets: Targets
    pictures: PicturePool
    passwords: Passwords
    courier: Courier
    limiter: Limiter
    codes: Codes
    messages: Messages
    notices: Notices
    days: Days
    coins: Coins
    accounts: Accounts
    sessions: Sessions


def make_parts(settings: Settings, outside: Outside, engine: MeasuredEngine, seal: Seal) -> Parts:
    """Makes them from the bottom up."""
    clock, chance = outside.clock, outside.chance
    its_rules, its_limits = rules(settings), limits(settings)
    its_targets, days, counts = targets(settings), Days(its_rules.zone), Counts()
    exempt = exemption(settings, its_targets)
    limiter = Limiter(enabled=its_limits.enabled, exemption=exempt, count=counts)
    alarms = Alarms(counts, clock)
    budget = NoticeBudget(limiter, its_limits.notices_in_all, alarms)
    courier = Courier(engine, clock, seal, outside.senders, counts, budget)
    messages = Messages(seal, chance("messages"))
    notices = Notices(messages, courier.wake, limiter)
    tokens = Tokens(seal, chance("tokens"))
    return Parts(
        settings=settings,
        outside=outside,
        engine=engine,
        clock=clock,
        counts=counts,
        alarms=alarms,
        seal=seal,
        rules=its_rules,
        limits=its_limits,
        floods=floods(settings),
        targets=its_targets,
        pictures=make_pictures(settings, outside, counts),
        passwords=Passwords(hash_cost(settings), settings.hashing_threads),
        courier=courier,
        limiter=limiter,
        codes=Codes(seal, chance("codes"), limiter, its_limits, its_rules.code_lifetime_seconds),
        messages=messages,
        notices=notices,
        days=days,
        coins=Coins(engine, clock),
        accounts=Accounts(clock, chance("accounts"), its_rules),
        sessions=Sessions(engine, clock, tokens, days, session_life(settings), notices),
    )


def make_pictures(settings: Settings, outside: Outside, count: Count) -> PicturePool:
    """The pool of captchas; the jitter of the drawing is no secret, the answer is."""
    chance = outside.chance("captcha-answers")

    def answer() -> str:
        return "".join(
            READABLE_DIGITS[chance.below(len(READABLE_DIGITS))]
            for _ in range(settings.captcha_length)
        )

    drawer = InkDrawer(secrets.SystemRandom().uniform)
    return PicturePool(
        drawer,
        answer,
        size=settings.captcha_pool,
        on_failure=partial(count, "background_failures", "pictures"),
    )
