"""The environment of a server: clock, random source, senders, GeoIP, rules from the settings."""

import os
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from hupan.addresses import ContactParser
from hupan.clock import Clock, SteadyClock
from hupan.config import Settings
from hupan.config.load import UnusableSetting
from hupan.delivery.console import ConsoleSender
from hupan.delivery.sender import InvalidOption, Sender
from hupan.delivery.sms import GatewaySender
from hupan.delivery.sms_clouds import CloudOptions, CloudSender
from hupan.delivery.sms_options import GatewayOptions, SuccessRule
from hupan.delivery.smtp import SmtpOptions, SmtpSender
from hupan.domain.captchas import IssuedCaptcha
from hupan.domain.hash_worker import HashCost
from hupan.domain.profiles import VisibleFields
from hupan.domain.sessions import SessionPolicy
from hupan.geoip import CountryResolver, open_bundled_table, open_mmdb_table
from hupan.localized import LocalizedError, LocalizedText
from hupan.model import Channel, VipPage
from hupan.rng import RandomSource, SystemRandomSource
from hupan.rules import (
    CENTS_PER_COIN,
    DAY_SECONDS,
    MINUTE_SECONDS,
    Adverts,
    ClientInfo,
    ContactRules,
    InvitationRules,
    PasswordRules,
    ProfileEditRules,
    PublicUrls,
    ServerRules,
    UploadLimits,
)
from hupan.upstream import (
    UpstreamClient,
    UpstreamLimits,
    UpstreamSocketAddress,
    parse_upstream,
)


def _ignore_captcha(_captcha: IssuedCaptcha[Any]) -> None:
    """Do nothing."""


def _unknown_base() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Environment:
    """What differs between a server, a sandbox and an operator's command.

    Attributes:
        clock: the source of time.
        random_source: returns a random source for a purpose; one each, so that a seed repeats.
        senders: deliver the messages of each channel.
        on_captcha: is called with each issued captcha.
        steady_clock: the clock, if it continues from the latest time in the store.
        is_sandbox: whether the store belongs to a sandbox.
        is_operator: whether an operator's command runs: its notices are not limited, and another
            process sends them.
        client_base: returns the URL at which the client of the current request reaches the server;
            "" if only the settings define it.
        process_number: the number of this process among those of the store.
    """

    clock: Clock
    random_source: Callable[[str], RandomSource]
    senders: Mapping[Channel, Sender]
    on_captcha: Callable[[IssuedCaptcha[Any]], None] = _ignore_captcha
    steady_clock: SteadyClock | None = None
    is_sandbox: bool = False
    is_operator: bool = False
    client_base: Callable[[], str] = _unknown_base
    process_number: int = 0

    def for_process(self, process_number: int) -> "Environment":
        """Return the environment of one process.

        A seed repeats in the same process of a new store. In the next process of a store that was
        kept, it continues with other numbers.
        """
        return replace(
            self,
            random_source=lambda purpose: self.random_source(f"{process_number}/{purpose}"),
            process_number=process_number,
        )


def make_server_environment(senders: Mapping[Channel, Sender]) -> Environment:
    clock = SteadyClock()
    return Environment(clock, lambda _purpose: SystemRandomSource(), senders, steady_clock=clock)


def make_operator_environment(clock: Clock) -> Environment:
    return Environment(clock, lambda _purpose: SystemRandomSource(), {}, is_operator=True)


PRODUCT_NAMES = ("hupan", "湖畔", "yunhu", "云湖")
MIN_PASSWORD_CHARACTERS = {"asvs": 8, "nist-4": 15}
"""Minimum code points of a new password (security P1)."""


def make_server_rules(settings: Settings) -> ServerRules:
    return ServerRules(
        zone=ZoneInfo(settings.time_zone),
        sign_up_open=settings.sign_up_open,
        code_lifetime_seconds=settings.code_lifetime_seconds,
        captcha_lifetime_seconds=settings.captcha_lifetime_seconds,
        default_avatar_url=settings.default_avatar_url,
    )


def make_session_policy(settings: Settings) -> SessionPolicy:
    """Return how long sessions last (security T4)."""
    return SessionPolicy(
        idle_seconds=settings.session_idle_days * DAY_SECONDS,
        absolute_seconds=settings.session_absolute_days * DAY_SECONDS,
        max_sessions=settings.sessions_per_account,
    )


def make_invitation_rules(settings: Settings) -> InvitationRules:
    return InvitationRules(
        target_day=settings.invitation_target_day,
        target_total=settings.invitation_target_total,
        inviter_reward_cents=settings.inviter_reward_coins * CENTS_PER_COIN,
        invited_reward_cents=settings.invited_reward_coins * CENTS_PER_COIN,
        counts_server=settings.invite_progress == "server",
    )


def make_profile_edit_rules(settings: Settings) -> ProfileEditRules:
    return ProfileEditRules(
        avatar_hosts=settings.avatar_hosts,
        first_nickname_cents=settings.first_nickname_coins * CENTS_PER_COIN,
        first_avatar_cents=settings.first_avatar_coins * CENTS_PER_COIN,
    )


def make_default_visibility(settings: Settings) -> VisibleFields:
    """Return what is visible of accounts without their own privacy settings (security D4)."""
    return VisibleFields(
        birthday=settings.show_birthday,
        address=settings.show_address,
        last_active=settings.show_last_active,
        country=settings.show_country,
        search=settings.show_in_search,
    )


def make_contact_rules(settings: Settings) -> ContactRules:
    return ContactRules(
        fresh_seconds=settings.fresh_session_minutes * MINUTE_SECONDS,
        step_up_seconds=settings.step_up_minutes * MINUTE_SECONDS,
        undo_seconds=settings.contact_undo_days * DAY_SECONDS,
    )


def make_password_rules(settings: Settings) -> PasswordRules:
    """Return the rules for new passwords; a host name counts as a product name."""
    return PasswordRules(
        min_characters=MIN_PASSWORD_CHARACTERS[settings.password_profile],
        context_words=(*PRODUCT_NAMES, settings.brand, *settings.host.split(",")),
    )


def make_adverts(settings: Settings) -> Adverts:
    return Adverts(
        shown=settings.adverts_shown,
        android_code_id=settings.adverts_android_code_id,
        ios_code_id=settings.adverts_ios_code_id,
        bottom_height=settings.adverts_bottom_height,
    )


def make_client_info(settings: Settings) -> ClientInfo:
    """Return the information for clients; a URL of media ends where a key begins.

    Raises:
        ValueError, OSError: the VIP page cannot be used.
    """
    media = settings.media_url
    return ClientInfo(
        PublicUrls(
            server=settings.public_url,
            media=f"{media.rstrip('/')}/" if media else "",
            websocket=settings.websocket_url,
        ),
        UploadLimits(
            file_megabytes=settings.file_limit_mb,
            image_megabytes=settings.image_limit_mb,
            video_megabytes=settings.video_limit_mb,
        ),
        load_vip_page(settings),
    )


class UnusableVipPage(LocalizedError, ValueError):
    """The file of the VIP page is too large, or is not such a page."""


MAX_VIP_PAGE_BYTES = 256 * 1024


def load_vip_page(settings: Settings) -> VipPage:
    """Read the file that the settings name; an empty page without one.

    Raises:
        UnusableVipPage: the file is too large, or is not such a page.
        OSError: it cannot be read.
    """
    if not settings.vip_page_file:
        return VipPage()
    with Path(settings.vip_page_file).open("rb") as file:
        content = file.read(MAX_VIP_PAGE_BYTES + 1)
    if len(content) > MAX_VIP_PAGE_BYTES:
        kilobytes = MAX_VIP_PAGE_BYTES // 1024
        raise UnusableVipPage(f"超过 {kilobytes} KB", f"larger than {kilobytes} KB")
    try:
        return msgspec.json.decode(content, type=VipPage)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UnusableVipPage.wrap(error) from error


def make_contact_parser(settings: Settings) -> ContactParser:
    return ContactParser(
        allow_international=settings.international_numbers,
        strict_email=settings.email_profile == "strict",
    )


def count_hashing_threads(settings: Settings) -> int:
    """Return the number of passwords hashed in parallel, at least 1."""
    return settings.password_threads or os.cpu_count() or 1


def make_hash_cost(settings: Settings) -> HashCost:
    return HashCost(settings.password_memory_kib, settings.password_passes)


_SETTING_OF_OPTION: Final[Mapping[str, str]] = {"smtp_sender": "smtp_from"}
_UNPREFIXED_OPTIONS: Final = ("brand",)


def make_senders(settings: Settings, *, english: bool = False) -> dict[Channel, Sender]:
    """Return a sender for each channel; `english` is the language of those on the console.

    Raises:
        UnusableSetting: a setting is not valid.
    """
    return {
        "sms": make_sms_sender(settings, english=english),
        "email": make_email_sender(settings, english=english),
    }


def make_sms_sender(
    settings: Settings, *, english: bool = False
) -> GatewaySender | CloudSender | ConsoleSender:
    """Return the sender of SMS messages.

    Raises:
        UnusableSetting: a setting is not valid.
    """
    with _naming_the_setting("sms"):
        if settings.sms_sender == "console":
            return ConsoleSender(brand=settings.brand, english=english)
        if settings.sms_sender in {"aliyun", "tencent"}:
            return _make_cloud_sender(settings)
        options = GatewayOptions(
            url=settings.sms_url,
            body="" if settings.sms_method == "GET" else settings.sms_body,
            method=settings.sms_method,
            headers=settings.sms_headers,
            content_type=settings.sms_content_type,
            hmac_secret=settings.sms_hmac_secret,
            hmac_header=settings.sms_hmac_header,
            success=SuccessRule(
                text=settings.sms_success_text,
                pattern=settings.sms_success_pattern,
                json_path=settings.sms_success_json_path,
                json_value=settings.sms_success_json_value,
                charset=settings.sms_answer_charset,
            ),
            timeout_seconds=settings.sms_timeout_seconds,
            ca_file=settings.sms_ca_file,
        )
        return GatewaySender(options, time.time, settings.brand)


def _make_cloud_sender(settings: Settings) -> CloudSender:
    options = CloudOptions(
        provider="aliyun" if settings.sms_sender == "aliyun" else "tencent",
        access_key=settings.sms_access_key,
        secret_key=settings.sms_secret_key,
        sign_name=settings.sms_sign_name or settings.brand,
        templates=settings.sms_templates,
        template_params=settings.sms_template_params,
        app_id=settings.sms_app_id,
        region=settings.sms_region,
        url=settings.sms_url,
        timeout_seconds=settings.sms_timeout_seconds,
        ca_file=settings.sms_ca_file,
    )
    return CloudSender(options, time.time, lambda: secrets.token_hex(16))


def make_email_sender(settings: Settings, *, english: bool = False) -> SmtpSender | ConsoleSender:
    """Return the sender of e-mails.

    Raises:
        UnusableSetting: a setting is not valid.
    """
    with _naming_the_setting("smtp"):
        if settings.email_sender == "console":
            return ConsoleSender(brand=settings.brand, english=english)
        name, address = _split_mailbox(settings.smtp_from)
        options = SmtpOptions(
            host=settings.smtp_host,
            port=settings.smtp_port,
            sender=address,
            sender_name=name,
            security=settings.smtp_security,
            user=settings.smtp_user,
            password=settings.smtp_password,
            timeout_seconds=settings.smtp_timeout_seconds,
            ca_file=settings.smtp_ca_file,
        )
        return SmtpSender(options, settings.brand)


def sender_factories() -> tuple[Callable[[Settings], Sender], ...]:
    """Return what makes each sender, so that the problems of all of them can be reported."""
    return (make_sms_sender, make_email_sender)


def _split_mailbox(text: str) -> tuple[str, str]:
    """Split `Name <address>` or a bare address; the setting's type has checked the form."""
    if "<" not in text:
        return "", text.strip()
    name, _, rest = text.partition("<")
    quoted, address = parseaddr(f"{name.strip()} <{rest.rstrip().removesuffix('>').strip()}>")
    return (quoted or name).strip().strip('"'), address


@contextmanager
def _naming_the_setting(prefix: str) -> Iterator[None]:
    """Raise UnusableSetting with the setting's name if an option is not valid."""
    try:
        yield
    except InvalidOption as error:
        name = error.field if error.field in _UNPREFIXED_OPTIONS else f"{prefix}_{error.field}"
        raise UnusableSetting(
            _SETTING_OF_OPTION.get(name, name),
            LocalizedText(error.zh, f"another value ({error.en})"),
        ) from None


def make_geoip(settings: Settings) -> CountryResolver:
    """Open the table that the settings name, or use the bundled one.

    Raises:
        ValueError: the file is not a GeoIP table.
    """
    if not settings.country_database:
        return CountryResolver(open_bundled_table)
    countries = open_mmdb_table(settings.country_database)
    return CountryResolver(lambda: countries)


UPSTREAM_SOCKET_PATH = "/ws"


def make_upstream_socket(settings: Settings) -> UpstreamSocketAddress | None:
    """Return where the message server accepts sockets, None if it does not (wire.md 8.5).

    Raises:
        UnusableSetting: `upstream_ca_file` holds no certificate.
    """
    url = settings.upstream_ws
    if not url:
        return None
    if url == "true":
        url = f"ws{settings.upstream.removeprefix('http')}{UPSTREAM_SOCKET_PATH}"
    tls = None
    if url.startswith("wss:"):
        with _naming_the_ca_file():
            tls = ssl.create_default_context(cafile=settings.upstream_ca_file or None)
    return UpstreamSocketAddress(url, tls, settings.upstream_timeout_seconds)


@contextmanager
def _naming_the_ca_file() -> Iterator[None]:
    """Raise UnusableSetting if the file holds no certificate."""
    try:
        yield
    except (ssl.SSLError, OSError) as error:
        expected = LocalizedText("PEM 格式的 CA 证书文件", "a PEM file of CA certificates")
        raise UnusableSetting("upstream_ca_file", expected) from error


MEGABYTE = 1024 * 1024


def make_upstream_client(settings: Settings) -> UpstreamClient | None:
    """Return the client of the message server, None without one (wire.md 8.5).

    Raises:
        UnusableSetting: `upstream_ca_file` holds no certificate.
    """
    if not settings.upstream:
        return None
    limits = UpstreamLimits(
        timeout_seconds=settings.upstream_timeout_seconds,
        max_seconds=settings.upstream_max_seconds,
        max_requests=settings.upstream_requests,
        max_body_bytes=settings.upstream_body_mb * MEGABYTE,
        max_answer_bytes=settings.upstream_answer_mb * MEGABYTE,
    )
    with _naming_the_ca_file():
        return UpstreamClient(parse_upstream(settings.upstream), limits, settings.upstream_ca_file)
