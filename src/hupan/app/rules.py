"""The rules of the domain, read from the settings."""

from zoneinfo import ZoneInfo

from hupan.config import Settings
from hupan.domain.argon2id import HashCost
from hupan.domain.privacy import Shown
from hupan.domain.settings import (
    DAY,
    Adverts,
    ContactRules,
    EditRules,
    InvitationRules,
    PasswordRules,
    Rules,
    SessionLife,
)
from hupan.domain.targets import Targets

MINUTE = 60
CENTS_IN_A_COIN = 100
PRODUCT_NAMES = ("hupan", "湖畔", "yunhu", "云湖")
LEAST_CHARACTERS = {"asvs": 8, "nist-4": 15}
"""Code points of a new password (security P1)."""


def rules(settings: Settings) -> Rules:
    """What accounts and codes obey."""
    return Rules(
        zone=ZoneInfo(settings.time_zone),
        sign_up_open=settings.sign_up_open,
        code_lifetime_seconds=settings.code_lifetime_seconds,
        captcha_lifetime_seconds=settings.captcha_lifetime_seconds,
        default_avatar_url=settings.default_avatar_url,
    )


def session_life(settings: Settings) -> SessionLife:
    """How long sessions live (security T4)."""
    return SessionLife(
        idle_seconds=settings.session_idle_days * DAY,
        absolute_seconds=settings.session_absolute_days * DAY,
        most=settings.sessions_per_account,
    )


def invitation_rules(settings: Settings) -> InvitationRules:
    """What inviting is worth."""
    return InvitationRules(
        target_day=settings.invitation_target_day,
        target_total=settings.invitation_target_total,
        inviter_reward_cents=settings.inviter_reward_coins * CENTS_IN_A_COIN,
        invited_reward_cents=settings.invited_reward_coins * CENTS_IN_A_COIN,
    )


def edit_rules(settings: Settings) -> EditRules:
    """What a nickname or an avatar may be changed to."""
    return EditRules(
        avatar_hosts=settings.avatar_hosts,
        first_nickname_cents=settings.first_nickname_coins * CENTS_IN_A_COIN,
        first_avatar_cents=settings.first_avatar_coins * CENTS_IN_A_COIN,
    )


def shown_by_default(settings: Settings) -> Shown:
    """What of an account is shown that made no choice of its own (security D4)."""
    return Shown(
        birthday=settings.show_birthday,
        address=settings.show_address,
        last_active=settings.show_last_active,
        country=settings.show_country,
    )


def contact_rules(settings: Settings) -> ContactRules:
    """When a number or an address may be changed."""
    return ContactRules(
        fresh_seconds=settings.fresh_session_minutes * MINUTE,
        step_up_seconds=settings.step_up_minutes * MINUTE,
        undo_seconds=settings.contact_undo_days * DAY,
    )


def password_rules(settings: Settings) -> PasswordRules:
    """What a new password must be; a name of the host counts as one of the product."""
    return PasswordRules(
        least_characters=LEAST_CHARACTERS[settings.password_profile],
        context_words=(*PRODUCT_NAMES, settings.brand, *settings.host.split(",")),
    )


def adverts(settings: Settings) -> Adverts:
    """What clients show to whom."""
    return Adverts(
        shown=settings.adverts_shown,
        android_code_id=settings.adverts_android_code_id,
        ios_code_id=settings.adverts_ios_code_id,
        bottom_height=settings.adverts_bottom_height,
    )


def targets(settings: Settings) -> Targets:
    """Which numbers and addresses are taken."""
    return Targets(
        international=settings.international_numbers,
        strict_email=settings.email_profile == "strict",
    )


def hash_cost(settings: Settings) -> HashCost:
    """What a password hash costs."""
    return HashCost(settings.password_memory_kib, settings.password_passes)
