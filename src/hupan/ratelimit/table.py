"""The table of all rate limits and the limiters built from it.

What each line counts is told by its setting's meaning, in both languages.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hupan.addresses import ContactAddress, ContactParser, SmsDestinations
from hupan.config import Settings
from hupan.errors import InvalidField
from hupan.model import Channel, Limit
from hupan.ratelimit.memory import InFlightLimit, MemoryLimits, WindowCounter
from hupan.ratelimit.stored import Exemption, all_keys
from hupan.rules import DAY_SECONDS, HOUR_SECONDS, CodeShares, NoticeLimits, StoredLimits

MINUTE_SECONDS = 60
CONSECUTIVE_FAILURES_SECONDS = 90 * DAY_SECONDS
"""How long wrong codes in a row are remembered, unless a right one comes: no count is for ever."""

LimitSubject: TypeAlias = Literal[
    "target", "numbers", "server", "address", "subnet", "site", "block", "network", "account"
]
"""Whose events are counted together.

target: a phone number or an e-mail address, with a count of its own for each device that its owner
signed in on. numbers: those that share their first seven digits. server: all. address: one of IPv4,
a /64 of IPv6; looks at users: a /24 of IPv4. subnet: a /56 of IPv6. site: a /48 of IPv6. block: a
/24 of IPv4. network: a /24, a /48. account: whoever is signed in.
"""


@dataclass(frozen=True, slots=True)
class LimitDefinition:
    """One limit.

    Attributes:
        setting: how many pass; 0 is no limit at all.
        count_setting: what returns the number of events, where the setting is in another unit.
        name: how it is kept and counted.
        exact: kept in the store and exact, else kept by each process for itself.
        lock_seconds: how long nothing passes once the last of so many in a row has.
    """

    setting: str
    name: str
    subject: LimitSubject
    window_seconds: int
    exact: bool = True
    lock_seconds: int = 0
    count_setting: str = ""

    def setting_value(self, settings: Settings) -> int:
        """Return what the setting says, in the setting's own unit."""
        value: int = getattr(settings, self.setting)
        return value

    def max_events(self, settings: Settings) -> int:
        """How many pass."""
        max_events: int = getattr(settings, self.count_setting or self.setting)
        return max_events

    def make_limits(self, settings: Settings) -> tuple[Limit, ...]:
        """The limit, or none."""
        max_events = self.max_events(settings)
        limit = Limit(self.name, max_events, self.window_seconds, self.lock_seconds)
        return (limit,) if max_events else ()


LIMITS = (
    LimitDefinition("wrong_codes_per_hour", "wrong-codes-hour", "target", HOUR_SECONDS),
    LimitDefinition("wrong_codes_per_day", "wrong-codes-day", "target", DAY_SECONDS),
    LimitDefinition(
        "wrong_codes_in_a_row",
        "wrong-codes-in-a-row",
        "target",
        CONSECUTIVE_FAILURES_SECONDS,
        lock_seconds=DAY_SECONDS,
    ),
    LimitDefinition("wrong_passwords_per_hour", "wrong-passwords-hour", "target", HOUR_SECONDS),
    LimitDefinition("wrong_passwords_per_day", "wrong-passwords-day", "target", DAY_SECONDS),
    LimitDefinition(
        "wrong_passwords_anywhere_per_hour", "wrong-passwords-anywhere-hour", "target", HOUR_SECONDS
    ),
    LimitDefinition(
        "wrong_passwords_anywhere_per_day", "wrong-passwords-anywhere-day", "target", DAY_SECONDS
    ),
    LimitDefinition("sign_ins_per_hour", "sign-ins-hour", "target", HOUR_SECONDS),
    LimitDefinition("sends_per_minute", "sends-minute", "target", MINUTE_SECONDS),
    LimitDefinition("sends_per_hour", "sends-hour", "target", HOUR_SECONDS),
    LimitDefinition("sends_per_day", "sends-day", "target", DAY_SECONDS),
    LimitDefinition(
        "adjacent_numbers_per_ten_minutes", "adjacent-numbers", "numbers", 10 * MINUTE_SECONDS
    ),
    LimitDefinition(
        "sms_budget_cents_per_day",
        "sms-day",
        "server",
        DAY_SECONDS,
        count_setting="max_sms_per_day",
    ),
    LimitDefinition("emails_per_day", "emails-day", "server", DAY_SECONDS),
    LimitDefinition(
        "address_wrong_tries_per_hour",
        "address-wrong-tries-hour",
        "address",
        HOUR_SECONDS,
        exact=False,
    ),
    LimitDefinition(
        "subnet_wrong_tries_per_hour",
        "subnet-wrong-tries-hour",
        "subnet",
        HOUR_SECONDS,
        exact=False,
    ),
    LimitDefinition(
        "site_wrong_tries_per_hour", "site-wrong-tries-hour", "site", HOUR_SECONDS, exact=False
    ),
    LimitDefinition(
        "network_wrong_tries_per_hour",
        "network-wrong-tries-hour",
        "block",
        HOUR_SECONDS,
        exact=False,
    ),
    LimitDefinition(
        "address_sends_per_hour", "address-sends-hour", "address", HOUR_SECONDS, exact=False
    ),
    LimitDefinition(
        "network_sends_per_hour", "network-sends-hour", "network", HOUR_SECONDS, exact=False
    ),
    LimitDefinition(
        "address_captchas_per_minute",
        "address-captchas-minute",
        "address",
        MINUTE_SECONDS,
        exact=False,
    ),
    LimitDefinition(
        "network_captchas_per_minute",
        "network-captchas-minute",
        "network",
        MINUTE_SECONDS,
        exact=False,
    ),
    LimitDefinition(
        "address_views_per_minute", "address-views-minute", "address", MINUTE_SECONDS, exact=False
    ),
    LimitDefinition(
        "address_views_per_day", "address-views-day", "address", DAY_SECONDS, exact=False
    ),
    LimitDefinition(
        "site_views_per_minute", "site-views-minute", "site", MINUTE_SECONDS, exact=False
    ),
    LimitDefinition("site_views_per_day", "site-views-day", "site", DAY_SECONDS, exact=False),
    LimitDefinition(
        "account_views_per_minute", "account-views-minute", "account", MINUTE_SECONDS, exact=False
    ),
    LimitDefinition(
        "account_views_per_day", "account-views-day", "account", DAY_SECONDS, exact=False
    ),
    LimitDefinition(
        "address_invitation_codes_per_hour",
        "address-invitation-codes-hour",
        "address",
        HOUR_SECONDS,
        exact=False,
    ),
    LimitDefinition(
        "account_invitation_codes_per_hour",
        "account-invitation-codes-hour",
        "account",
        HOUR_SECONDS,
        exact=False,
    ),
)


def make_stored_limits(settings: Settings) -> StoredLimits:
    """What is counted in the store (security C5, C11, C12)."""

    def limits_of(*names: str) -> tuple[Limit, ...]:
        return tuple(_limits_of_settings(settings, names))

    budgets = make_message_budgets(settings)
    return StoredLimits(
        enabled=settings.limits_enabled,
        wrong_codes=limits_of(
            "wrong_codes_per_hour", "wrong_codes_per_day", "wrong_codes_in_a_row"
        ),
        wrong_passwords=limits_of("wrong_passwords_per_hour", "wrong_passwords_per_day"),
        wrong_passwords_all_networks=limits_of(
            "wrong_passwords_anywhere_per_hour", "wrong_passwords_anywhere_per_day"
        ),
        sign_ins=limits_of("sign_ins_per_hour"),
        code_sends=limits_of("sends_per_minute", "sends_per_hour", "sends_per_day"),
        server_code_sends={channel: (one.codes,) for channel, one in budgets.items()},
        adjacent_numbers=limits_of("adjacent_numbers_per_ten_minutes"),
        code_shares={channel: one.shares for channel, one in budgets.items()},
        server_notices={channel: one.notices for channel, one in budgets.items()},
    )


@dataclass(frozen=True, slots=True)
class MessageBudget:
    """What a channel may send in a day, in its parts: codes, and notices (security X4)."""

    codes: Limit
    shares: CodeShares
    notices: NoticeLimits


def make_message_budgets(settings: Settings) -> dict[Channel, MessageBudget]:
    """The budgets of the channels that have one.

    Codes and notices never use each other's part, so all parts together are what the setting says.
    """
    names: dict[Channel, str] = {"sms": "sms_budget_cents_per_day", "email": "emails_per_day"}
    return {
        channel: _make_message_budget(limit, settings)
        for channel, name in names.items()
        for limit in _limits_of_settings(settings, (name,))
    }


def _make_message_budget(total: Limit, settings: Settings) -> MessageBudget:
    notices = min(max(1, total.max_events * settings.notices_percent // 100), total.max_events - 1)
    codes = total.max_events - notices
    without_account = max(1, codes * (100 - settings.account_codes_percent) // 100)
    overall = Limit("notices-day", notices, DAY_SECONDS)
    return MessageBudget(
        codes=Limit(total.name, codes, DAY_SECONDS),
        shares=CodeShares(
            without_account=Limit("codes-to-strangers-day", without_account, DAY_SECONDS),
            with_account=Limit("codes-to-accounts-day", codes, DAY_SECONDS),
        ),
        notices=NoticeLimits(
            first=(overall,), other=(Limit("other-notices-day", notices // 2, DAY_SECONDS), overall)
        ),
    )


def make_memory_limits(settings: Settings) -> MemoryLimits:
    """What is counted in memory (security C6, C10, C11, E4)."""
    if not settings.limits_enabled:
        return MemoryLimits()

    def window_counter(*names: str) -> WindowCounter:
        return WindowCounter(*_limits_of_settings(settings, names))

    def in_flight_limits(name: str) -> tuple[InFlightLimit, ...]:
        return tuple(map(InFlightLimit, _limits_of_settings(settings, (name,))))

    return MemoryLimits(
        wrong_attempts=in_flight_limits("address_wrong_tries_per_hour"),
        subnet_wrong_attempts=in_flight_limits("subnet_wrong_tries_per_hour"),
        site_wrong_attempts=in_flight_limits("site_wrong_tries_per_hour"),
        block_wrong_attempts=in_flight_limits("network_wrong_tries_per_hour"),
        sends=in_flight_limits("address_sends_per_hour"),
        network_sends=in_flight_limits("network_sends_per_hour"),
        captchas=window_counter("address_captchas_per_minute"),
        network_captchas=window_counter("network_captchas_per_minute"),
        views=window_counter("address_views_per_minute", "address_views_per_day"),
        site_views=window_counter("site_views_per_minute", "site_views_per_day"),
        account_views=window_counter("account_views_per_minute", "account_views_per_day"),
        invitation_codes=window_counter("address_invitation_codes_per_hour"),
        account_invitation_codes=window_counter("account_invitation_codes_per_hour"),
    )


def make_exemption(settings: Settings, contact_parser: ContactParser) -> Exemption:
    """The targets that are tested with."""
    subjects = [
        subject
        for text in settings.limits_exempt
        if (target := parse_exempt_target(text, contact_parser)) is not None
        for subject in all_keys(target.channel, target.key)
    ]
    return Exemption(tuple(subjects), settings.limits_exempt_ends_at)


def make_destinations(settings: Settings) -> SmsDestinations:
    """Which numbers are sent to."""
    return SmsDestinations(settings.sms_countries, enabled=settings.limits_enabled)


def _limits_of_settings(settings: Settings, names: tuple[str, ...]) -> Iterator[Limit]:
    by_name = {line.setting: line for line in LIMITS}
    for name in names:
        yield from by_name[name].make_limits(settings)


def parse_exempt_target(text: str, contact_parser: ContactParser) -> ContactAddress | None:
    """A target as requests name it; None for one that this server takes from nobody."""
    try:
        return contact_parser.parse_contact(text, "")
    except InvalidField:
        return None
