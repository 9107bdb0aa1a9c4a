"""Builds a server from its settings and its outside."""

import secrets
from dataclasses import dataclass

from hupan.api.address import ClientAddresses
from hupan.api.cors import Cors
from hupan.api.dispatch import Dispatcher
from hupan.api.health import Health
from hupan.api.routes import routes
from hupan.api.services import Services
from hupan.app.outside import Outside
from hupan.app.places import make_places
from hupan.app.rules import (
    adverts,
    contact_rules,
    edit_rules,
    hash_cost,
    invitation_rules,
    limits,
    password_rules,
    rules,
    session_life,
    shown_by_default,
    targets,
)
from hupan.config import Settings
from hupan.domain.accounts import Accounts
from hupan.domain.captchas import Captchas
from hupan.domain.code_login import CodeLogins
from hupan.domain.codes import Codes
from hupan.domain.coins import Coins
from hupan.domain.common_passwords import load_common_passwords
from hupan.domain.contact_undo import ContactUndo
from hupan.domain.contacts import Contacts
from hupan.domain.courier import Courier
from hupan.domain.days import Days
from hupan.domain.device_settings import DeviceSettings
from hupan.domain.devices import Devices
from hupan.domain.discovery import Discovery
from hupan.domain.endings import Endings
from hupan.domain.housekeeping import Housekeeping
from hupan.domain.invitations import Invitations
from hupan.domain.limiter import Limiter
from hupan.domain.medals import Medals
from hupan.domain.messages import Messages
from hupan.domain.notices import Notices
from hupan.domain.password_login import PasswordLogins
from hupan.domain.password_reset import PasswordResets
from hupan.domain.password_strength import PasswordStrength
from hupan.domain.passwords import Passwords
from hupan.domain.personal_data import PersonalDataKeeper
from hupan.domain.privacy import Privacy
from hupan.domain.profile_edits import ProfileEdits
from hupan.domain.profiles import Profiles
from hupan.domain.remarks import Remarks
from hupan.domain.sessions import Sessions
from hupan.domain.settings import DAY
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
        Housekeeping(
            engine,
            outside.clock,
            [
                services.devices.forget_expired,
                services.contact_undo.forget_expired,
                services.endings.erase_due,
            ],
        ),
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
    messages, wake = Messages(seal, chance("messages")), joined.courier.wake
    notices = Notices(messages, wake)
    passwords = joined.passwords
    strength = PasswordStrength(load_common_passwords(), password_rules(settings))
    codes = Codes(seal, chance("codes"), limiter, its_limits, its_rules.code_lifetime_seconds)
    captchas = Captchas(
        joined.pictures, seal, clock, chance("captchas"), its_rules.captcha_lifetime_seconds
    )
    days = Days(its_rules.zone)
    coins = Coins(engine, clock)
    sessions = Sessions(
        engine, clock, Tokens(seal, chance("tokens")), days, session_life(settings), notices
    )
    return Services(
        clock=clock,
        zone=its_rules.zone,
        captchas=captchas,
        verification=Verification(
            engine, clock, its_targets, captchas, codes, messages, limiter, its_limits, wake
        ),
        code_logins=CodeLogins(
            engine, clock, its_targets, codes, joined.accounts, sessions, its_rules
        ),
        password_logins=PasswordLogins(
            engine, clock, its_targets, passwords, sessions, limiter, its_limits
        ),
        password_resets=PasswordResets(
            engine, clock, its_targets, codes, passwords, strength, notices, limiter, its_limits
        ),
        contacts=Contacts(engine, clock, its_targets, codes, notices, contact_rules(settings)),
        contact_undo=ContactUndo(engine, clock, notices, contact_rules(settings)),
        sessions=sessions,
        profiles=Profiles(engine, clock, days, Privacy(engine, shown_by_default(settings))),
        profile_edits=ProfileEdits(engine, coins, edit_rules(settings)),
        personal_data=PersonalDataKeeper(engine, clock),
        remarks=Remarks(engine),
        coins=coins,
        medals=Medals(engine),
        invitations=Invitations(engine, clock, days, coins, invitation_rules(settings)),
        devices=Devices(engine, clock, session_life(settings)),
        endings=Endings(
            engine, clock, its_targets, codes, notices, settings.account_erasure_days * DAY
        ),
        discovery=Discovery(engine),
        device_settings=DeviceSettings(engine, clock),
        adverts=adverts(settings),
        client_addresses=ClientAddresses(settings.trusted_proxies, settings.client_ip_header),
        places=make_places(settings),
        on_captcha=outside.on_captcha,
    )
