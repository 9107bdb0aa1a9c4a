"""Composition root: builds infrastructure, request services and admin services.

They work beside a server, whose courier finds their notices by itself within seconds.
"""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from hupan.addresses import ContactParser
from hupan.admin.accounts import AccountAdmin, DeletionAdmin, MedalAdmin, PrivacyAdmin
from hupan.admin.coins import CoinAdmin
from hupan.admin.limits import LimitAdmin
from hupan.admin.recovery import ContactAdmin, RecoveryAdmin
from hupan.api.audit import AuditLog
from hupan.api.context import ClientResolver
from hupan.api.limits import RateLimitContext, RateLimits
from hupan.api.routing import Services
from hupan.captcha import READABLE_DIGITS, CaptchaPool, CaptchaRenderer
from hupan.clock import Clock
from hupan.config import Settings
from hupan.crypto import KeyFileError, SecretBox, load_existing_key
from hupan.domain.accounts import AccountCreator, AccountDirectory, Bans, VipMemberships
from hupan.domain.captchas import Captchas
from hupan.domain.codes import CodeRequests, Codes
from hupan.domain.coins import Coins
from hupan.domain.contacts import Contacts, StepUps
from hupan.domain.deletion import AccountDeletion
from hupan.domain.devices import Devices, DeviceSettings
from hupan.domain.discovery import Discovery
from hupan.domain.hashing import PasswordHasher
from hupan.domain.invitations import Invitations
from hupan.domain.limits import LimitCounters, LimitResets
from hupan.domain.login import CodeLogins, PasswordLogins
from hupan.domain.medals import Medals
from hupan.domain.outbox import NoticeBudget, NoticeQueue, OutboxWorker, OutboxWriter
from hupan.domain.passwords import PasswordPolicy, PasswordResets, load_common_passwords
from hupan.domain.profiles import PersonalDataService, Privacy, ProfileEdits, Profiles, Remarks
from hupan.domain.provisioning import AccountProvisioner
from hupan.domain.recovery import AccountRecovery, ContactUndo
from hupan.domain.sessions import Sessions, Tokens
from hupan.domain.timekeeping import DayCalendar, load_store_clock
from hupan.environment import (
    Environment,
    make_adverts,
    make_contact_parser,
    make_contact_rules,
    make_default_visibility,
    make_geoip,
    make_hash_cost,
    make_invitation_rules,
    make_password_rules,
    make_profile_edit_rules,
    make_server_rules,
    make_session_policy,
)
from hupan.errors import AccountCancelled, AppError, InvalidField
from hupan.localized import LocalizedText
from hupan.metrics import IncrementMetric, MetricCounters
from hupan.opening import OperationRefused, open_for_admin
from hupan.ratelimit.detector import Alarms, AttackDetector
from hupan.ratelimit.memory import MemoryLimits
from hupan.ratelimit.stored import CodeSendLimits, StoredLimiter
from hupan.ratelimit.table import (
    make_destinations,
    make_exemption,
    make_memory_limits,
    make_stored_limits,
)
from hupan.rng import SystemRandomSource
from hupan.rules import DAY_SECONDS, ServerRules, StoredLimits
from hupan.store.database import Database, MeasuredDatabase


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """What the services share, from the outside and the settings up to the sessions."""

    settings: Settings
    environment: Environment
    database: MeasuredDatabase
    clock: Clock
    metric_counters: MetricCounters
    alerts: Alarms
    secret_box: SecretBox
    rules: ServerRules
    limits: StoredLimits
    memory_limits: MemoryLimits
    contact_parser: ContactParser
    captcha_pool: CaptchaPool
    password_hasher: PasswordHasher
    outbox_worker: OutboxWorker
    limiter: StoredLimiter
    codes: Codes
    outbox_writer: OutboxWriter
    notice_queue: NoticeQueue
    day_calendar: DayCalendar
    coins: Coins
    accounts: AccountCreator
    sessions: Sessions


def make_infrastructure(
    settings: Settings, environment: Environment, database: MeasuredDatabase, secret_box: SecretBox
) -> Infrastructure:
    """Makes them from the bottom up."""
    clock, random_source = environment.clock, environment.random_source
    rules, limits = make_server_rules(settings), make_stored_limits(settings)
    contact_parser, day_calendar, metric_counters = (
        make_contact_parser(settings),
        DayCalendar(rules.zone),
        MetricCounters(),
    )
    exemption = make_exemption(settings, contact_parser)
    limiter = StoredLimiter(enabled=limits.enabled, exemption=exemption, count=metric_counters)
    alerts = Alarms(metric_counters, clock)
    notice_budget = NoticeBudget(limiter, limits.server_notices, alerts)
    outbox_worker = OutboxWorker(
        database, clock, secret_box, environment.senders, metric_counters, notice_budget
    )
    outbox_writer = OutboxWriter(secret_box, random_source("messages"))
    notice_queue = NoticeQueue(outbox_writer, outbox_worker.notify, limiter)
    tokens = Tokens(secret_box, random_source("tokens"))
    return Infrastructure(
        settings=settings,
        environment=environment,
        database=database,
        clock=clock,
        metric_counters=metric_counters,
        alerts=alerts,
        secret_box=secret_box,
        rules=rules,
        limits=limits,
        memory_limits=make_memory_limits(settings),
        contact_parser=contact_parser,
        captcha_pool=make_captcha_pool(settings, environment, metric_counters),
        password_hasher=PasswordHasher(make_hash_cost(settings), settings.hashing_threads),
        outbox_worker=outbox_worker,
        limiter=limiter,
        codes=Codes(
            secret_box, random_source("codes"), limiter, limits, rules.code_lifetime_seconds
        ),
        outbox_writer=outbox_writer,
        notice_queue=notice_queue,
        day_calendar=day_calendar,
        coins=Coins(database, clock),
        accounts=AccountCreator(clock, random_source("accounts"), rules),
        sessions=Sessions(
            database, clock, tokens, day_calendar, make_session_policy(settings), notice_queue
        ),
    )


def make_captcha_pool(
    settings: Settings, environment: Environment, count: IncrementMetric
) -> CaptchaPool:
    """The pool of captchas; the jitter of the drawing is no secret, the answer is."""
    random_source = environment.random_source("captcha-answers")

    def answer() -> str:
        return "".join(
            READABLE_DIGITS[random_source.randbelow(len(READABLE_DIGITS))]
            for _ in range(settings.captcha_length)
        )

    renderer = CaptchaRenderer(secrets.SystemRandom().uniform)
    return CaptchaPool(
        renderer,
        answer,
        size=settings.captcha_pool,
        on_failure=partial(count, "background_failures", "pictures"),
    )


def make_services(infrastructure: Infrastructure) -> Services:
    """Everything that the handlers may use."""
    settings, database, clock = (
        infrastructure.settings,
        infrastructure.database,
        infrastructure.clock,
    )
    captchas = _make_captchas(infrastructure)
    addresses = ClientResolver(settings.trusted_proxies, settings.client_ip_header)
    return Services(
        clock=clock,
        zone=infrastructure.rules.zone,
        captchas=captchas,
        verification=_make_verification(infrastructure, captchas),
        code_logins=_make_code_logins(infrastructure),
        password_logins=_make_password_logins(infrastructure),
        password_resets=_make_password_resets(infrastructure),
        contacts=_make_contacts(infrastructure),
        contact_undo=ContactUndo(
            database, clock, infrastructure.notice_queue, make_contact_rules(settings)
        ),
        sessions=infrastructure.sessions,
        profiles=_make_profiles(infrastructure),
        profile_edits=ProfileEdits(
            database, infrastructure.coins, make_profile_edit_rules(settings)
        ),
        personal_data=PersonalDataService(database, clock),
        remarks=Remarks(database),
        coins=infrastructure.coins,
        medals=Medals(database),
        invitations=_make_invitations(infrastructure),
        devices=Devices(database, clock, make_session_policy(settings)),
        account_deletion=_make_account_deletion(infrastructure),
        discovery=Discovery(database),
        device_settings=DeviceSettings(database, clock),
        adverts=make_adverts(settings),
        client_resolver=addresses,
        country_resolver=make_geoip(settings),
        audit_log=AuditLog(
            addresses, infrastructure.sessions.account_of, infrastructure.metric_counters, clock
        ),
        rate_limits=_make_rate_limits(infrastructure, addresses),
        on_captcha=infrastructure.environment.on_captcha,
    )


def _make_rate_limits(infrastructure: Infrastructure, addresses: ClientResolver) -> RateLimits:
    """Where nothing is limited, nothing rings an alarm either."""
    settings, is_on = infrastructure.settings, infrastructure.settings.limits_enabled
    detector = AttackDetector(
        infrastructure.alerts,
        infrastructure.clock,
        wrong_percent=settings.wrong_tries_alarm_percent * is_on,
        used_percent=settings.unused_codes_alarm_percent * is_on,
    )
    return RateLimits(
        RateLimitContext(
            addresses, infrastructure.clock, infrastructure.alerts, infrastructure.metric_counters
        ),
        infrastructure.memory_limits,
        detector,
    )


def _make_captchas(infrastructure: Infrastructure) -> Captchas:
    random_source, lifetime_seconds = (
        infrastructure.environment.random_source,
        infrastructure.rules.captcha_lifetime_seconds,
    )
    return Captchas(
        infrastructure.captcha_pool,
        infrastructure.secret_box,
        infrastructure.clock,
        random_source("captchas"),
        lifetime_seconds,
    )


def _make_verification(infrastructure: Infrastructure, captchas: Captchas) -> CodeRequests:
    return CodeRequests(
        infrastructure.database,
        infrastructure.clock,
        infrastructure.contact_parser,
        captchas,
        infrastructure.codes,
        infrastructure.outbox_writer,
        CodeSendLimits(
            infrastructure.limiter,
            infrastructure.limits,
            make_destinations(infrastructure.settings),
            infrastructure.alerts,
        ),
        infrastructure.outbox_worker.notify,
    )


def _make_code_logins(infrastructure: Infrastructure) -> CodeLogins:
    return CodeLogins(
        infrastructure.database,
        infrastructure.clock,
        infrastructure.contact_parser,
        infrastructure.codes,
        infrastructure.accounts,
        infrastructure.sessions,
        infrastructure.rules,
    )


def _make_password_logins(infrastructure: Infrastructure) -> PasswordLogins:
    return PasswordLogins(
        infrastructure.database,
        infrastructure.clock,
        infrastructure.contact_parser,
        infrastructure.password_hasher,
        infrastructure.sessions,
        infrastructure.limiter,
        infrastructure.limits,
    )


def _make_password_resets(infrastructure: Infrastructure) -> PasswordResets:
    return PasswordResets(
        infrastructure.database,
        infrastructure.clock,
        infrastructure.contact_parser,
        infrastructure.codes,
        infrastructure.password_hasher,
        PasswordPolicy(load_common_passwords(), make_password_rules(infrastructure.settings)),
        infrastructure.notice_queue,
    )


def _make_contacts(infrastructure: Infrastructure) -> Contacts:
    return Contacts(
        infrastructure.database,
        infrastructure.clock,
        infrastructure.contact_parser,
        infrastructure.codes,
        infrastructure.notice_queue,
        StepUps(make_contact_rules(infrastructure.settings)),
    )


def _make_profiles(infrastructure: Infrastructure) -> Profiles:
    privacy = Privacy(infrastructure.database, make_default_visibility(infrastructure.settings))
    return Profiles(
        infrastructure.database, infrastructure.clock, infrastructure.day_calendar, privacy
    )


def _make_invitations(infrastructure: Infrastructure) -> Invitations:
    rules = make_invitation_rules(infrastructure.settings)
    return Invitations(
        infrastructure.database,
        infrastructure.clock,
        infrastructure.day_calendar,
        infrastructure.coins,
        rules,
    )


def _make_account_deletion(infrastructure: Infrastructure) -> AccountDeletion:
    return AccountDeletion(
        infrastructure.database,
        infrastructure.clock,
        infrastructure.contact_parser,
        infrastructure.codes,
        infrastructure.notice_queue,
        StepUps(make_contact_rules(infrastructure.settings)),
        infrastructure.settings.account_erasure_days * DAY_SECONDS,
    )


def make_admin_account_deletion(
    settings: Settings, database: Database, clock: Clock
) -> AccountDeletion:
    """Ends accounts.

    Raises:
        OperationRefused: the server's key cannot be read.
    """
    secret_box = _read_secret_box(settings)
    return AccountDeletion(
        database,
        clock,
        make_contact_parser(settings),
        _make_admin_codes(settings, secret_box),
        _make_admin_notice_queue(secret_box),
        StepUps(make_contact_rules(settings)),
        settings.account_erasure_days * DAY_SECONDS,
    )


def make_admin_contact_undo(settings: Settings, database: Database, clock: Clock) -> ContactUndo:
    """Undoes changes of numbers and addresses.

    Raises:
        OperationRefused: the server's key cannot be read.
    """
    return ContactUndo(
        database,
        clock,
        _make_admin_notice_queue(_read_secret_box(settings)),
        make_contact_rules(settings),
    )


def make_admin_recovery(settings: Settings, database: Database, clock: Clock) -> AccountRecovery:
    """Helps owners of accounts who lost what they sign in with.

    Raises:
        OperationRefused: the server's key cannot be read.
    """
    secret_box = _read_secret_box(settings)
    return AccountRecovery(
        database,
        clock,
        _make_admin_codes(settings, secret_box),
        OutboxWriter(secret_box, SystemRandomSource()),
        _make_admin_notice_queue(secret_box),
        make_session_policy(settings),
    )


def _make_admin_codes(settings: Settings, secret_box: SecretBox) -> Codes:
    limits = make_stored_limits(settings)
    limiter = StoredLimiter(enabled=limits.enabled)
    lifetime_seconds = make_server_rules(settings).code_lifetime_seconds
    return Codes(secret_box, SystemRandomSource(), limiter, limits, lifetime_seconds)


def _read_secret_box(settings: Settings) -> SecretBox:
    try:
        return SecretBox(load_existing_key(settings.secret_key_path))
    except (KeyFileError, OSError) as error:
        raise OperationRefused.wrap(error) from error


def _make_admin_notice_queue(secret_box: SecretBox) -> NoticeQueue:
    return NoticeQueue(OutboxWriter(secret_box, SystemRandomSource()), _no_worker_to_notify)


def _no_worker_to_notify() -> None:
    """The courier is another process's."""


@dataclass(frozen=True, slots=True)
class AdminServices:
    """One for each kind of work."""

    accounts: AccountAdmin
    coins: CoinAdmin
    medals: MedalAdmin
    account_deletion: DeletionAdmin
    recovery: RecoveryAdmin
    contacts: ContactAdmin
    privacy: PrivacyAdmin
    limits: LimitAdmin


@asynccontextmanager
async def open_admin_services(settings: Settings) -> AsyncIterator[AdminServices]:
    """Opens the store of a server for one command; a server may run beside it.

    Raises:
        OperationRefused: the store cannot be used, or the domain says no.
    """
    async with open_for_admin(settings) as database:
        password_hasher = PasswordHasher(make_hash_cost(settings), settings.hashing_threads)
        try:
            yield _make_admin_services(
                settings, database, password_hasher, await load_store_clock(database)
            )
        except AppError as error:
            text = localize_refusal(error)
            raise OperationRefused(text.zh, text.en) from error
        finally:
            password_hasher.close()


def localize_refusal(error: AppError) -> LocalizedText:
    """Return a refusal as clients get it; a field by the name of its option."""
    if isinstance(error, InvalidField):
        option = _option_name(error.field)
        return LocalizedText(f"{option} 的值非法", f"the value of {option} is not valid")
    if isinstance(error, AccountCancelled):
        return LocalizedText(
            "该账号已注销；清除之前可用 hupan account restore 恢复",
            "this account was cancelled; until it is erased, hupan account restore restores it",
        )
    return LocalizedText(error.message(english=False), error.message(english=True))


def _option_name(field: str) -> str:
    """What operators call a field: `--vip-days` for `vip_days`, and NAME, which is no option."""
    words = re.sub("[A-Z]", r"-\g<0>", field).replace("_", "-").lower()
    return "NAME" if words == "name" else f"--{words}"


def _make_admin_services(
    settings: Settings, database: Database, password_hasher: PasswordHasher, clock: Clock
) -> AdminServices:
    rules, contact_parser = make_server_rules(settings), make_contact_parser(settings)
    directory, coins, medals = (
        AccountDirectory(database, contact_parser),
        Coins(database, clock),
        Medals(database),
    )
    invitations = Invitations(
        database, clock, DayCalendar(rules.zone), coins, make_invitation_rules(settings)
    )
    accounts = AccountCreator(clock, SystemRandomSource(), rules)
    provisioning = AccountProvisioner(
        database, clock, contact_parser, accounts, password_hasher, coins, invitations
    )
    return AdminServices(
        AccountAdmin(
            clock,
            rules.zone,
            directory,
            Bans(database, clock),
            VipMemberships(database, clock),
            medals,
            provisioning,
            PasswordPolicy(load_common_passwords(), make_password_rules(settings)),
        ),
        CoinAdmin(directory, coins),
        MedalAdmin(medals),
        DeletionAdmin(
            clock, directory, partial(make_admin_account_deletion, settings, database, clock)
        ),
        RecoveryAdmin(
            clock,
            directory,
            contact_parser,
            partial(make_admin_recovery, settings, database, clock),
        ),
        ContactAdmin(clock, directory, partial(make_admin_contact_undo, settings, database, clock)),
        PrivacyAdmin(directory, Privacy(database, make_default_visibility(settings))),
        LimitAdmin(
            LimitCounters(database, clock, contact_parser, directory),
            LimitResets(database, clock, contact_parser),
            settings,
        ),
    )
