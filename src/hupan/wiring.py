"""Composition root: every service of the server, the operators and the sandbox is built here."""

import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeAlias

from google.protobuf.message import Message

from hupan.addresses import ClientResolver
from hupan.admin.accounts import AccountAdmin
from hupan.admin.clients import ClientAdmin
from hupan.admin.coins import CoinAdmin
from hupan.admin.discovery import DiscoveryAdmin
from hupan.admin.limits import LimitAdmin
from hupan.admin.recovery import RecoveryAdmin
from hupan.admin.shop import ShopAdmin
from hupan.api.app import Route, Services, require_session
from hupan.api.limits import RateLimits
from hupan.api.socket_relay import SocketRelays
from hupan.api.upstream import CallerSigner, Upstream, UpstreamCallers, UpstreamRules
from hupan.captcha import (
    READABLE_DIGITS,
    SLIDE_MAX_X,
    SLIDE_MIN_X,
    CaptchaPool,
    CaptchaRenderer,
    SlideImages,
    SlideRenderer,
)
from hupan.config import Settings
from hupan.contract import ENDPOINTS
from hupan.crypto import KeyFileError, SecretBox, load_existing_key
from hupan.domain.accounts import AccountCreator, AccountDirectory, Bans, Medals, VipMemberships
from hupan.domain.captchas import CaptchaKind, Captchas
from hupan.domain.clients import Clients
from hupan.domain.codes import CodeRequests, Codes
from hupan.domain.coins import Coins
from hupan.domain.contacts import Contacts, StepUps
from hupan.domain.deletion import AccountDeletion
from hupan.domain.devices import Devices, DeviceSettings
from hupan.domain.discovery import Discovery
from hupan.domain.drafts import Drafts
from hupan.domain.hashing import PasswordHasher
from hupan.domain.invitations import Invitations
from hupan.domain.limits import LimitCounters
from hupan.domain.media import AvatarPictures, Media, PictureAddresses, UploadTokens
from hupan.domain.outbox import NoticeBudget, NoticeQueue, OutboxWorker, OutboxWriter, RecentTargets
from hupan.domain.passwords import PasswordPolicy, PasswordResets, load_common_passwords
from hupan.domain.presence import Presence
from hupan.domain.profiles import PersonalDataService, Privacy, ProfileEdits, Profiles, Remarks
from hupan.domain.provisioning import AccountProvisioner
from hupan.domain.recovery import AccountRecovery, ContactUndo
from hupan.domain.redrawing import Redrawer
from hupan.domain.search import HomeSearch
from hupan.domain.session_ends import SessionEndFeed
from hupan.domain.sessions import CodeLogins, PasswordLogins, Sessions, Tokens
from hupan.domain.shop import CoinShop
from hupan.domain.timekeeping import DayCalendar, load_store_clock
from hupan.environment import (
    Environment,
    count_hashing_threads,
    make_adverts,
    make_client_info,
    make_contact_parser,
    make_contact_rules,
    make_default_visibility,
    make_geoip,
    make_hash_cost,
    make_invitation_rules,
    make_operator_environment,
    make_password_rules,
    make_profile_edit_rules,
    make_server_rules,
    make_session_policy,
    make_upstream_client,
    make_upstream_socket,
)
from hupan.errors import AccountCancelled, AppError, InvalidField
from hupan.localized import LocalizedText
from hupan.logs import AuditLog
from hupan.metrics import MetricCounters
from hupan.opening import OperationRefused, make_picture_files, open_for_admin
from hupan.ratelimit.memory import Alarms, AttackDetector, RateLimitContext
from hupan.ratelimit.stored import CodeSendLimits, StoredLimiter
from hupan.ratelimit.table import (
    make_destinations,
    make_exemption,
    make_memory_limits,
    make_stored_limits,
    make_upload_limits,
)
from hupan.rules import DAY_SECONDS, MediaRules
from hupan.store.database import MeasuredDatabase
from hupan.store.media_files import PictureFiles


class Infrastructure:
    """The services that others are built from, each built once, when it is first used.

    A command of an operator reads the server's key only if one of its services needs it.

    Args:
        settings: the effective settings.
        environment: clock, random source and senders.
        database: the open store.
        load_secret_box: loads the server's key.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        database: MeasuredDatabase,
        load_secret_box: Callable[[], SecretBox],
    ) -> None:
        self.settings = settings
        self.environment = environment
        self.database = database
        self.clock = environment.clock
        self.rules = make_server_rules(settings)
        self.limits = make_stored_limits(settings)
        self.memory_limits = make_memory_limits(settings)
        self.contact_parser = make_contact_parser(settings)
        self.day_calendar = DayCalendar(self.rules.zone)
        self.metric_counters = MetricCounters()
        self.alerts = Alarms(self.metric_counters, self.clock)
        self.limiter = StoredLimiter(
            enabled=self.limits.enabled,
            exemption=make_exemption(settings, self.contact_parser),
            count=self.metric_counters,
        )
        self._load_secret_box = load_secret_box

    @cached_property
    def secret_box(self) -> SecretBox:
        return self._load_secret_box()

    @cached_property
    def password_hasher(self) -> PasswordHasher:
        return PasswordHasher(make_hash_cost(self.settings), count_hashing_threads(self.settings))

    @cached_property
    def redrawer(self) -> Redrawer:
        return Redrawer()

    @cached_property
    def picture_files(self) -> PictureFiles:
        return make_picture_files(self.settings)

    @cached_property
    def picture_addresses(self) -> PictureAddresses:
        return PictureAddresses(self.settings.public_url, self.environment.client_base)

    @cached_property
    def password_policy(self) -> PasswordPolicy:
        return PasswordPolicy(load_common_passwords(), make_password_rules(self.settings))

    @cached_property
    def captcha_pool(self) -> CaptchaPool[bytes]:
        length = self.settings.captcha_length
        random_source = self.environment.random_source("captcha-answers")

        def make_answer() -> str:
            return "".join(
                READABLE_DIGITS[random_source.randbelow(len(READABLE_DIGITS))]
                for _ in range(length)
            )

        return CaptchaPool(
            CaptchaRenderer(secrets.SystemRandom().uniform),  # only the answer follows the seed
            make_answer,
            size=self.settings.captcha_pool,
            on_failure=partial(self.metric_counters, "background_failures", "pictures"),
        )

    @cached_property
    def slide_pool(self) -> CaptchaPool[SlideImages]:
        """Empty until a client asks for the first: many servers have no such client."""
        random_source = self.environment.random_source("slide-answers")
        return CaptchaPool(
            SlideRenderer(secrets.SystemRandom().uniform, secrets.token_bytes),
            lambda: str(SLIDE_MIN_X + random_source.randbelow(SLIDE_MAX_X - SLIDE_MIN_X + 1)),
            size=max(1, self.settings.captcha_pool // 4),  # each takes ten times as long
            fill_at_start=False,
            on_failure=partial(self.metric_counters, "background_failures", "pictures"),
        )

    @cached_property
    def recent_targets(self) -> RecentTargets:
        return RecentTargets()

    @cached_property
    def outbox_writer(self) -> OutboxWriter:
        random_source = self.environment.random_source("messages")
        recent = None if self.environment.is_operator else self.recent_targets
        return OutboxWriter(self.secret_box, random_source, recent)

    @cached_property
    def outbox_worker(self) -> OutboxWorker:
        return OutboxWorker(
            self.database,
            self.clock,
            self.secret_box,
            self.environment.senders,
            self.metric_counters,
            NoticeBudget(self.limiter, self.limits.server_notices, self.alerts),
            self.recent_targets,
            lambda: self.database.stats().is_partial,
            lambda: self.database.stats().is_distributed,
        )

    @cached_property
    def notice_queue(self) -> NoticeQueue:
        if self.environment.is_operator:  # the worker of a server finds the notices by itself
            return NoticeQueue(self.outbox_writer, lambda: None)
        return NoticeQueue(self.outbox_writer, self.outbox_worker.notify, self.limiter)

    @cached_property
    def codes(self) -> Codes:
        return Codes(
            self.secret_box,
            self.environment.random_source("codes"),
            self.limiter,
            self.limits,
            self.rules.code_lifetime_seconds,
        )

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(
            self.database,
            self.clock,
            Tokens(self.secret_box, self.environment.random_source("tokens")),
            self.day_calendar,
            make_session_policy(self.settings),
            self.notice_queue,
        )

    @cached_property
    def session_ends(self) -> SessionEndFeed:
        return SessionEndFeed(self.database, self.metric_counters)

    @cached_property
    def presence(self) -> Presence:
        return Presence(
            self.database,
            self.clock,
            self.sessions,
            self.session_ends,
            self.environment.process_number,
            self.metric_counters,
        )

    @cached_property
    def drafts(self) -> Drafts:
        return Drafts(
            self.database,
            self.secret_box,
            self.presence,
            self.environment.process_number,
            self.metric_counters,
        )

    @cached_property
    def accounts(self) -> AccountCreator:
        return AccountCreator(self.clock, self.environment.random_source("accounts"), self.rules)

    @cached_property
    def coins(self) -> Coins:
        return Coins(self.database, self.clock)

    @cached_property
    def medals(self) -> Medals:
        return Medals(self.database)

    @cached_property
    def privacy(self) -> Privacy:
        return Privacy(self.database, make_default_visibility(self.settings))

    @cached_property
    def invitations(self) -> Invitations:
        return Invitations(
            self.database,
            self.clock,
            self.day_calendar,
            self.coins,
            make_invitation_rules(self.settings),
        )

    @cached_property
    def provisioner(self) -> AccountProvisioner:
        return AccountProvisioner(
            self.database,
            self.clock,
            self.contact_parser,
            self.accounts,
            self.password_hasher,
            self.coins,
            self.invitations,
        )

    @cached_property
    def step_ups(self) -> StepUps:
        return StepUps(make_contact_rules(self.settings))

    @cached_property
    def contact_undo(self) -> ContactUndo:
        return ContactUndo(
            self.database, self.clock, self.notice_queue, make_contact_rules(self.settings)
        )

    @cached_property
    def account_deletion(self) -> AccountDeletion:
        return AccountDeletion(
            self.database,
            self.clock,
            self.contact_parser,
            self.codes,
            self.notice_queue,
            self.step_ups,
            self.settings.account_erasure_days * DAY_SECONDS,
        )

    @cached_property
    def account_recovery(self) -> AccountRecovery:
        return AccountRecovery(
            self.database,
            self.clock,
            self.codes,
            self.outbox_writer,
            self.notice_queue,
            make_session_policy(self.settings),
        )


RouteKey: TypeAlias = tuple[str, str, str]
_CAPTCHA_KINDS: Mapping[str, tuple[CaptchaKind, ...]] = {
    "both": ("picture", "slide"),
    "picture": ("picture",),
    "slide": ("slide",),
}


def make_services(infrastructure: Infrastructure) -> Services:
    """Build what the handlers of the API use."""
    settings, database = infrastructure.settings, infrastructure.database
    clock, contact_parser = infrastructure.clock, infrastructure.contact_parser
    captchas = _make_captchas(infrastructure)
    client_resolver = ClientResolver(settings.trusted_proxies, settings.client_ip_header)
    return Services(
        clock=clock,
        zone=infrastructure.rules.zone,
        captchas=captchas,
        verification=_make_verification(infrastructure, captchas),
        code_logins=CodeLogins(
            database,
            clock,
            contact_parser,
            infrastructure.codes,
            infrastructure.accounts,
            infrastructure.sessions,
            infrastructure.rules,
        ),
        password_logins=PasswordLogins(
            database,
            clock,
            contact_parser,
            infrastructure.password_hasher,
            infrastructure.sessions,
            infrastructure.limiter,
            infrastructure.limits,
        ),
        password_resets=_make_password_resets(infrastructure),
        contacts=_make_contacts(infrastructure),
        contact_undo=infrastructure.contact_undo,
        sessions=infrastructure.sessions,
        profiles=Profiles(database, clock, infrastructure.day_calendar, infrastructure.privacy),
        profile_edits=_make_profile_edits(infrastructure),
        personal_data=PersonalDataService(database, clock),
        remarks=Remarks(database),
        coins=infrastructure.coins,
        medals=infrastructure.medals,
        invitations=infrastructure.invitations,
        devices=Devices(database, clock, make_session_policy(settings)),
        presence=infrastructure.presence,
        account_deletion=infrastructure.account_deletion,
        discovery=(discovery := Discovery(database)),
        search=HomeSearch(database, clock, discovery, shows_by_default=settings.show_in_search),
        shop=CoinShop(database, clock, infrastructure.coins),
        device_settings=DeviceSettings(database, clock),
        adverts=make_adverts(settings),
        client_info=make_client_info(settings),
        media=_make_media(infrastructure),
        client_resolver=client_resolver,
        country_resolver=make_geoip(settings),
        audit_log=_make_audit_log(infrastructure, client_resolver),
        rate_limits=_make_rate_limits(infrastructure, client_resolver),
        clients=Clients(database, clock),
        on_captcha=infrastructure.environment.on_captcha,
    )


def _make_audit_log(infrastructure: Infrastructure, client_resolver: ClientResolver) -> AuditLog:
    return AuditLog(
        client_resolver,
        infrastructure.sessions.account_of,
        infrastructure.metric_counters,
        infrastructure.clock,
    )


def make_upstream(settings: Settings, services: Services) -> Upstream | None:
    """Build what forwards requests to the message server, if there is one (wire.md 8.5)."""
    client = make_upstream_client(settings)
    if client is None:
        return None
    rules = UpstreamRules(
        secret=settings.upstream_secret,
        public_paths=settings.upstream_public_paths,
        contract_paths={(e.surface, e.path) for e in ENDPOINTS if not e.upstream},
        protobuf_paths={
            (e.surface, e.path) for e in ENDPOINTS if e.upstream and issubclass(e.response, Message)
        },
    )
    callers = UpstreamCallers(
        partial(require_session, services),
        services.rate_limits.request_limiters["upstream"],
        services.audit_log,
        services.client_resolver,
        services.clock,
    )
    return Upstream(client, rules, callers)


def make_socket_relays(
    infrastructure: Infrastructure, services: Services, next_request_id: Callable[[], int]
) -> SocketRelays | None:
    """Build what forwards sockets to the message server, if it accepts them (wire.md 8.5)."""
    settings = infrastructure.settings
    address = make_upstream_socket(settings)
    if address is None:
        return None
    return SocketRelays(
        address,
        CallerSigner(settings.upstream_secret, services.clock),
        services.rate_limits.request_limiters["upstream"],
        next_request_id,
        infrastructure.metric_counters,
        max_connecting=settings.upstream_requests,
    )


def without_handed_on(table: Mapping[RouteKey, Route]) -> dict[RouteKey, Route]:
    """Return a routing table without the endpoints that a message server answers instead."""
    handed_on = {endpoint.key for endpoint in ENDPOINTS if endpoint.upstream}
    return {key: route for key, route in table.items() if key not in handed_on}


def _make_captchas(infrastructure: Infrastructure) -> Captchas:
    return Captchas(
        infrastructure.captcha_pool,
        infrastructure.slide_pool,
        _CAPTCHA_KINDS[infrastructure.settings.captcha_kinds],
        infrastructure.secret_box,
        infrastructure.clock,
        infrastructure.environment.random_source("captchas"),
        infrastructure.rules.captcha_lifetime_seconds,
    )


def _make_media(infrastructure: Infrastructure) -> Media:
    settings = infrastructure.settings
    return Media(
        infrastructure.database,
        infrastructure.clock,
        make_session_policy(settings),
        infrastructure.limiter,
        infrastructure.picture_files,
        infrastructure.redrawer,
        infrastructure.environment.random_source("pictures"),
        MediaRules(make_upload_limits(settings), settings.pictures_per_account),
        UploadTokens(infrastructure.secret_box, infrastructure.clock),
        infrastructure.picture_addresses,
    )


def _make_profile_edits(infrastructure: Infrastructure) -> ProfileEdits:
    settings = infrastructure.settings
    return ProfileEdits(
        infrastructure.database,
        infrastructure.coins,
        make_profile_edit_rules(settings),
        AvatarPictures(
            infrastructure.picture_addresses,
            infrastructure.clock,
            settings.pictures_per_account,
        ),
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


def _make_password_resets(infrastructure: Infrastructure) -> PasswordResets:
    return PasswordResets(
        infrastructure.database,
        infrastructure.clock,
        infrastructure.contact_parser,
        infrastructure.codes,
        infrastructure.password_hasher,
        infrastructure.password_policy,
        infrastructure.notice_queue,
    )


def _make_contacts(infrastructure: Infrastructure) -> Contacts:
    return Contacts(
        infrastructure.database,
        infrastructure.clock,
        infrastructure.contact_parser,
        infrastructure.codes,
        infrastructure.notice_queue,
        infrastructure.step_ups,
    )


def _make_rate_limits(
    infrastructure: Infrastructure, client_resolver: ClientResolver
) -> RateLimits:
    """Build the limiters; if limits are off, no alert is raised either."""
    settings, is_on = infrastructure.settings, infrastructure.settings.limits_enabled
    detector = AttackDetector(
        infrastructure.alerts,
        infrastructure.clock,
        wrong_percent=settings.wrong_tries_alarm_percent * is_on,
        used_percent=settings.unused_codes_alarm_percent * is_on,
    )
    return RateLimits(
        RateLimitContext(
            client_resolver,
            infrastructure.clock,
            infrastructure.alerts,
            infrastructure.metric_counters,
        ),
        infrastructure.memory_limits,
        detector,
    )


@dataclass(frozen=True, slots=True)
class AdminServices:
    """What operators can do with an open store."""

    accounts: AccountAdmin
    coins: CoinAdmin
    shop: ShopAdmin
    discovery: DiscoveryAdmin
    recovery: RecoveryAdmin
    limits: LimitAdmin
    clients: ClientAdmin


@asynccontextmanager
async def open_admin_services(settings: Settings) -> AsyncIterator[AdminServices]:
    """Open the store of a server for one command; a server may run at the same time.

    Raises:
        OperationRefused: the store cannot be used, or the domain refuses the command.
    """
    async with open_for_admin(settings) as database:
        infrastructure = Infrastructure(
            settings,
            make_operator_environment(await load_store_clock(database)),
            database,
            lambda: _load_operator_secret_box(settings),
        )
        try:
            yield _make_admin_services(infrastructure)
        except AppError as error:
            text = localize_refusal(error)
            raise OperationRefused(text.zh, text.en) from error
        finally:
            infrastructure.password_hasher.close()


def _load_operator_secret_box(settings: Settings) -> SecretBox:
    try:
        return SecretBox(load_existing_key(settings.secret_key_path))
    except (KeyFileError, OSError) as error:
        raise OperationRefused.wrap(error) from error


def localize_refusal(error: AppError) -> LocalizedText:
    """Return the message that clients get; a field is named by its option."""
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
    """Return `--vip-days` for `vip_days`; NAME is an argument, not an option."""
    words = re.sub("[A-Z]", r"-\g<0>", field).replace("_", "-").lower()
    return "NAME" if words == "name" else f"--{words}"


def _make_admin_services(infrastructure: Infrastructure) -> AdminServices:
    database, clock = infrastructure.database, infrastructure.clock
    contact_parser = infrastructure.contact_parser
    directory = AccountDirectory(database, contact_parser)
    return AdminServices(
        AccountAdmin(
            clock,
            infrastructure.rules.zone,
            directory,
            Bans(database, clock),
            VipMemberships(database, clock),
            infrastructure.medals,
            infrastructure.privacy,
            infrastructure.provisioner,
            infrastructure.password_policy,
            lambda: infrastructure.account_deletion,
        ),
        CoinAdmin(directory, infrastructure.coins),
        ShopAdmin(CoinShop(database, clock, infrastructure.coins)),
        DiscoveryAdmin(database),
        RecoveryAdmin(
            clock,
            directory,
            contact_parser,
            lambda: infrastructure.account_recovery,
            lambda: infrastructure.contact_undo,
        ),
        LimitAdmin(
            LimitCounters(database, clock, contact_parser, directory),
            infrastructure.settings,
        ),
        ClientAdmin(Clients(database, clock)),
    )
