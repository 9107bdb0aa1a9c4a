"""Builds a server from its settings and its outside."""

import secrets
from dataclasses import dataclass

from hupan.api.cors import Cors
from hupan.api.dispatch import Dispatcher
from hupan.api.health import Health
from hupan.api.routes import routes
from hupan.api.services import Services
from hupan.app.outside import Outside
from hupan.app.rules import hash_cost, limits, rules, targets
from hupan.config import Settings
from hupan.domain.accounts import Accounts
from hupan.domain.captchas import Captchas
from hupan.domain.code_login import CodeLogins
from hupan.domain.codes import Codes
from hupan.domain.courier import Courier
from hupan.domain.days import Days
from hupan.domain.housekeeping import Housekeeping
from hupan.domain.limiter import Limiter
from hupan.domain.messages import Messages
from hupan.domain.password_login import PasswordLogins
from hupan.domain.passwords import Passwords
from hupan.domain.profiles import Profiles
from hupan.domain.sessions import Sessions
from hupan.domain.tokens import Tokens
from hupan.domain.verification import Verification
from hupan.pictures.drawing import ANSWER_DIGITS, READABLE_DIGITS, InkDrawer
from hupan.pictures.pool import PicturePool
from hupan.seal import Seal, load_key
from hupan.store.engine import Engine
from hupan.store.processes import next_process_number
from hupan.store.sqlite import SqliteEngine


@dataclass(frozen=True, slots=True)
class Server:
    """A server with all its parts; `start` and `stop` run on the event loop."""

    settings: Settings
    engine: Engine
    pictures: PicturePool
    passwords: Passwords
    accounts: Accounts
    courier: Courier
    housekeeping: Housekeeping
    services: Services
    dispatcher: Dispatcher
    health: Health

    def start(self) -> None:
        """Begins the work that no request asks for."""
        self.pictures.start()
        self.courier.start()
        self.housekeeping.start()

    async def stop(self) -> None:
        """Ends it and lets go of the store, once every request has its answer."""
        await self.housekeeping.stop()
        await self.courier.stop()
        self.pictures.stop()
        self.passwords.close()
        await self.engine.close()


async def build(settings: Settings, outside: Outside) -> Server:
    """Opens the store, which must be up to date, and joins the parts.

    Raises:
        StoreRefused, KeyFileError: the store or the key cannot be used.
    """
    engine = SqliteEngine(settings.database_path)
    seal = Seal(load_key(settings.secret_key_path))
    process_number = await engine.change(next_process_number)
    courier = Courier(engine, outside.clock, seal, outside.senders)
    pictures = make_pictures(settings, outside)
    passwords = Passwords(hash_cost(settings), settings.hashing_threads)
    accounts = Accounts(outside.clock, outside.chance("accounts"), rules(settings))
    services = _services(
        settings, outside, engine, seal, Joined(courier, pictures, passwords, accounts)
    )
    dispatcher = Dispatcher(
        routes(services).table,
        Cors(settings.cors_origins),
        process_number=process_number,
        web_host_prefix=settings.web_host_prefix,
    )
    return Server(
        settings,
        engine,
        pictures,
        passwords,
        accounts,
        courier,
        Housekeeping(engine, outside.clock),
        services,
        dispatcher,
        Health(engine.check),
    )


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts that both the services and the server itself hold."""

    courier: Courier
    pictures: PicturePool
    passwords: Passwords
    accounts: Accounts


def make_pictures(settings: Settings, outside: Outside) -> PicturePool:
    """The pool of captchas; the jitter of the drawing is no secret, the answer is."""
    chance = outside.chance("captcha-answers")

    def answer() -> str:
        return "".join(
            READABLE_DIGITS[chance.below(len(READABLE_DIGITS))] for _ in range(ANSWER_DIGITS)
        )

    drawer = InkDrawer(secrets.SystemRandom().uniform)
    return PicturePool(drawer, answer, size=settings.captcha_pool)


def _services(
    settings: Settings, outside: Outside, engine: Engine, seal: Seal, joined: Joined
) -> Services:
    """The domain, put together from the bottom up."""
    clock, chance = outside.clock, outside.chance
    its_rules, its_limits, its_targets = rules(settings), limits(settings), targets(settings)
    limiter = Limiter(enabled=its_limits.enabled)
    codes = Codes(seal, chance("codes"), limiter, its_limits, its_rules.code_lifetime_seconds)
    captchas = Captchas(
        joined.pictures, seal, clock, chance("captchas"), its_rules.captcha_lifetime_seconds
    )
    days = Days(its_rules.zone)
    sessions = Sessions(engine, clock, Tokens(seal, chance("tokens")), days)
    return Services(
        clock=clock,
        zone=its_rules.zone,
        captchas=captchas,
        verification=Verification(
            engine,
            clock,
            its_targets,
            captchas,
            codes,
            Messages(seal, chance("messages")),
            limiter,
            its_limits,
            joined.courier.wake,
        ),
        code_logins=CodeLogins(
            engine, clock, its_targets, codes, joined.accounts, sessions, its_rules
        ),
        password_logins=PasswordLogins(
            engine, clock, its_targets, joined.passwords, sessions, limiter, its_limits
        ),
        sessions=sessions,
        profiles=Profiles(engine, clock, days),
        on_captcha=outside.on_captcha,
    )
