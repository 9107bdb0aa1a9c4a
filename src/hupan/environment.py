"""The environment of a server: clock, random source, senders, GeoIP, rules from the settings."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import parseaddr
from typing import Final
from zoneinfo import ZoneInfo

from hupan.addresses import ContactParser
from hupan.clock import Clock, SteadyClock
from hupan.config import Settings
from hupan.config.load import UnusableSetting
from hupan.delivery.console import ConsoleSender
from hupan.delivery.sender import InvalidOption, Sender
from hupan.delivery.sms import GatewaySender
from hupan.delivery.sms_options import GatewayOptions, SuccessRule
from hupan.delivery.smtp import SmtpOptions, SmtpSender
from hupan.domain.captchas import IssuedCaptcha
from hupan.domain.hash_worker import HashCost
from hupan.domain.profiles import VisibleFields
from hupan.geoip import CountryResolver, LazyCountryResolver, open_bundled_table, open_mmdb_table
from hupan.localized import LocalizedText
from hupan.model import Channel
from hupan.rng import RandomSource, SystemRandomSource
from hupan.rules import (
    CENTS_PER_COIN,
    DAY_SECONDS,
    MINUTE_SECONDS,
    Adverts,
    ContactRules,
    InvitationRules,
    PasswordRules,
    ProfileEditRules,
    ServerRules,
    SessionPolicy,
)


def _ignore_captcha(_captcha: IssuedCaptcha) -> None:
    """Nobody watches the captchas of a real server."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The outside world, handed in.

    Attributes:
        clock: tells the time.
        random_source: the source of chance for one purpose, each its own so that a seed repeats.
        senders: what carries messages away.
        on_captcha: told of each captcha that is issued.
        steady_clock: the clock again, if it is one that goes on from the store's latest time.
        is_sandbox: whether the store is a sandbox's.
        is_operator: whether an operator's command acts: nothing that it causes is limited, and
            another process sends its messages.
    """

    clock: Clock
    random_source: Callable[[str], RandomSource]
    senders: Mapping[Channel, Sender]
    on_captcha: Callable[[IssuedCaptcha], None] = _ignore_captcha
    steady_clock: SteadyClock | None = None
    is_sandbox: bool = False
    is_operator: bool = False

    def for_process(self, process_number: int) -> "Environment":
        """The same for one process: a seed repeats itself in the same process of a new store.

        In the next process of a store that was kept it goes on with other numbers.
        """
        return replace(
            self, random_source=lambda purpose: self.random_source(f"{process_number}/{purpose}")
        )


def make_server_environment(senders: Mapping[Channel, Sender]) -> Environment:
    """The outside of `hupan serve`."""
    clock = SteadyClock()
    return Environment(clock, lambda _purpose: SystemRandomSource(), senders, steady_clock=clock)


def make_operator_environment(clock: Clock) -> Environment:
    """Return the environment of an operator's command."""
    return Environment(clock, lambda _purpose: SystemRandomSource(), {}, is_operator=True)


PRODUCT_NAMES = ("hupan", "湖畔", "yunhu", "云湖")
MIN_PASSWORD_CHARACTERS = {"asvs": 8, "nist-4": 15}
"""Code points of a new password (security P1)."""


def make_server_rules(settings: Settings) -> ServerRules:
    """What accounts and codes obey."""
    return ServerRules(
        zone=ZoneInfo(settings.time_zone),
        sign_up_open=settings.sign_up_open,
        code_lifetime_seconds=settings.code_lifetime_seconds,
        captcha_lifetime_seconds=settings.captcha_lifetime_seconds,
        default_avatar_url=settings.default_avatar_url,
    )


def make_session_policy(settings: Settings) -> SessionPolicy:
    """How long sessions live (security T4)."""
    return SessionPolicy(
        idle_seconds=settings.session_idle_days * DAY_SECONDS,
        absolute_seconds=settings.session_absolute_days * DAY_SECONDS,
        max_sessions=settings.sessions_per_account,
    )


def make_invitation_rules(settings: Settings) -> InvitationRules:
    """What inviting is worth."""
    return InvitationRules(
        target_day=settings.invitation_target_day,
        target_total=settings.invitation_target_total,
        inviter_reward_cents=settings.inviter_reward_coins * CENTS_PER_COIN,
        invited_reward_cents=settings.invited_reward_coins * CENTS_PER_COIN,
    )


def make_profile_edit_rules(settings: Settings) -> ProfileEditRules:
    """What a nickname or an avatar may be changed to."""
    return ProfileEditRules(
        avatar_hosts=settings.avatar_hosts,
        first_nickname_cents=settings.first_nickname_coins * CENTS_PER_COIN,
        first_avatar_cents=settings.first_avatar_coins * CENTS_PER_COIN,
    )


def make_default_visibility(settings: Settings) -> VisibleFields:
    """What of an account is shown that made no choice of its own (security D4)."""
    return VisibleFields(
        birthday=settings.show_birthday,
        address=settings.show_address,
        last_active=settings.show_last_active,
        country=settings.show_country,
    )


def make_contact_rules(settings: Settings) -> ContactRules:
    """When a number or an address may be changed."""
    return ContactRules(
        fresh_seconds=settings.fresh_session_minutes * MINUTE_SECONDS,
        step_up_seconds=settings.step_up_minutes * MINUTE_SECONDS,
        undo_seconds=settings.contact_undo_days * DAY_SECONDS,
    )


def make_password_rules(settings: Settings) -> PasswordRules:
    """What a new password must be; a name of the host counts as one of the product."""
    return PasswordRules(
        min_characters=MIN_PASSWORD_CHARACTERS[settings.password_profile],
        context_words=(*PRODUCT_NAMES, settings.brand, *settings.host.split(",")),
    )


def make_adverts(settings: Settings) -> Adverts:
    """What clients show to whom."""
    return Adverts(
        shown=settings.adverts_shown,
        android_code_id=settings.adverts_android_code_id,
        ios_code_id=settings.adverts_ios_code_id,
        bottom_height=settings.adverts_bottom_height,
    )


def make_contact_parser(settings: Settings) -> ContactParser:
    """Which numbers and addresses are taken."""
    return ContactParser(
        allow_international=settings.international_numbers,
        strict_email=settings.email_profile == "strict",
    )


def make_hash_cost(settings: Settings) -> HashCost:
    """What a password hash costs."""
    return HashCost(settings.password_memory_kib, settings.password_passes)


_SETTING_OF_OPTION: Final[Mapping[str, str]] = {"smtp_sender": "smtp_from"}
_UNPREFIXED_OPTIONS: Final = ("brand",)


def make_senders(settings: Settings, *, english: bool = False) -> dict[Channel, Sender]:
    """Return one sender for each channel; `english` is the language of those on the console.

    Raises:
        Unusable: a setting does not fit; it is named.
    """
    return {
        "sms": make_sms_sender(settings, english=english),
        "email": make_email_sender(settings, english=english),
    }


def make_sms_sender(settings: Settings, *, english: bool = False) -> GatewaySender | ConsoleSender:
    """The sender of SMS.

    Raises:
        Unusable: a setting does not fit; it is named.
    """
    with _naming_the_setting("sms"):
        if settings.sms_sender == "console":
            return ConsoleSender(brand=settings.brand, english=english)
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


def make_email_sender(settings: Settings, *, english: bool = False) -> SmtpSender | ConsoleSender:
    """The sender of e-mails.

    Raises:
        Unusable: a setting does not fit; it is named.
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
    """What makes each sender, so that the problems of all of them can be told."""
    return (make_sms_sender, make_email_sender)


def _split_mailbox(text: str) -> tuple[str, str]:
    """Split `Name <address>`; the form has made sure that it is one or the other."""
    if "<" not in text:
        return "", text.strip()
    name, _, rest = text.partition("<")
    quoted, address = parseaddr(f"{name.strip()} <{rest.rstrip().removesuffix('>').strip()}>")
    return (quoted or name).strip().strip('"'), address


@contextmanager
def _naming_the_setting(prefix: str) -> Iterator[None]:
    """Name the setting where an option does not fit."""
    try:
        yield
    except InvalidOption as error:
        name = error.field if error.field in _UNPREFIXED_OPTIONS else f"{prefix}_{error.field}"
        raise UnusableSetting(
            _SETTING_OF_OPTION.get(name, name),
            LocalizedText(error.zh, f"another value ({error.en})"),
        ) from None


def make_geoip(settings: Settings) -> CountryResolver:
    """The table that the settings name, opened now; else the one that comes with the server.

    Raises:
        ValueError: the file that the settings name cannot be read as such a table.
    """
    if not settings.country_database:
        return LazyCountryResolver(open_bundled_table)
    countries = open_mmdb_table(settings.country_database)
    return LazyCountryResolver(lambda: countries)
