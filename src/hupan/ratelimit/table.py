"""The table of all rate limits, and the limiters that are built from it.

The help text of its setting describes what a limit counts, in both languages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hupan.addresses import ContactAddress, ContactParser, SmsDestinations
from hupan.config import Settings
from hupan.errors import InvalidField
from hupan.model import Channel, Limit
from hupan.ratelimit.memory import InFlightLimit, MemoryLimits, OriginKind, WindowCounter
from hupan.ratelimit.stored import Exemption, all_keys
from hupan.rules import DAY_SECONDS, HOUR_SECONDS, CodeShares, NoticeLimits, StoredLimits

MINUTE_SECONDS = 60
CONSECUTIVE_FAILURES_SECONDS = 90 * DAY_SECONDS
"""How long wrong codes in a row are remembered without a correct one: no count is kept forever."""

LimitSubject: TypeAlias = Literal[
    "target", "numbers", "server", "address", "subnet", "site", "block", "network", "account"
]
"""Whose events are counted together.

target: a phone number or an e-mail address, with a separate count for each device that its owner
signed in on. numbers: those that share their first seven digits. server: all. address: an IPv4
address or an IPv6 /64; for profile views an IPv4 /24. subnet: an IPv6 /56. site: an IPv6 /48.
block: an IPv4 /24. network: an IPv4 /24 or an IPv6 /48. account: the caller's account.
"""
_ORIGIN_KINDS: Mapping[LimitSubject, OriginKind] = {
    "address": "host",
    "subnet": "subnet",
    "site": "site",
    "block": "ipv4_block",
    "network": "network",
}


@dataclass(frozen=True, slots=True)
class LimitDefinition:
    """One limit.

    Attributes:
        setting: the maximum number of events; 0 means unlimited.
        event: what is counted. In the store: a group of `StoredLimits`, or a channel. In memory:
            `wrong_attempts`, or the `limit` of endpoints in `contract/`.
        counted: in the store, exact; or by each process in memory, each request or by its outcome.
        name: its name in the store and in metrics.
        count_setting: the property with the number of events, if the setting has another unit.
        lock_seconds: after the maximum of events in a row, nothing passes for this long.
        origin_kind: which network of an address is counted.
    """

    setting: str
    subject: LimitSubject
    window_seconds: int
    event: str
    counted: Literal["store", "request", "outcome"]
    name: str
    count_setting: str = ""
    lock_seconds: int = 0
    origin_kind: OriginKind = "host"

    @property
    def exact(self) -> bool:
        return self.counted == "store"

    def setting_value(self, settings: Settings) -> int:
        """Return the setting's value, in its own unit."""
        value: int = getattr(settings, self.setting)
        return value

    def max_events(self, settings: Settings) -> int:
        max_events: int = getattr(settings, self.count_setting or self.setting)
        return max_events

    def make_limits(self, settings: Settings) -> tuple[Limit, ...]:
        """Return the limit, or nothing if it is off."""
        max_events = self.max_events(settings)
        limit = Limit(self.name, max_events, self.window_seconds, self.lock_seconds)
        return (limit,) if max_events else ()


def _stored(
    setting: str,
    subject: LimitSubject,
    window_seconds: int,
    event: str,
    *,
    name: str = "",
    count_setting: str = "",
    lock_seconds: int = 0,
) -> LimitDefinition:
    """Define a limit that is counted in the store."""
    return LimitDefinition(
        setting,
        subject,
        window_seconds,
        event,
        "store",
        name or _limit_name(setting),
        count_setting,
        lock_seconds,
    )


def _requests(
    setting: str,
    subject: LimitSubject,
    window_seconds: int,
    event: str,
    origin_kind: OriginKind | None = None,
) -> LimitDefinition:
    """Define a limit on requests that is counted in memory."""
    kind = origin_kind or _ORIGIN_KINDS.get(subject, "host")
    name = _limit_name(setting)
    return LimitDefinition(
        setting, subject, window_seconds, event, "request", name, origin_kind=kind
    )


def _outcomes(
    setting: str, subject: LimitSubject, window_seconds: int, event: str
) -> LimitDefinition:
    """Define a limit on outcomes of requests, such as wrong attempts, that is counted in memory."""
    kind, name = _ORIGIN_KINDS[subject], _limit_name(setting)
    return LimitDefinition(
        setting, subject, window_seconds, event, "outcome", name, origin_kind=kind
    )


def _limit_name(setting: str) -> str:
    return setting.replace("_per_", "_").replace("_", "-")


LIMITS = (
    _stored("wrong_codes_per_hour", "target", HOUR_SECONDS, "wrong_codes"),
    _stored("wrong_codes_per_day", "target", DAY_SECONDS, "wrong_codes"),
    _stored(
        "wrong_codes_in_a_row",
        "target",
        CONSECUTIVE_FAILURES_SECONDS,
        "wrong_codes",
        lock_seconds=DAY_SECONDS,
    ),
    _stored("wrong_passwords_per_hour", "target", HOUR_SECONDS, "wrong_passwords"),
    _stored("wrong_passwords_per_day", "target", DAY_SECONDS, "wrong_passwords"),
    _stored(
        "wrong_passwords_anywhere_per_hour", "target", HOUR_SECONDS, "wrong_passwords_all_networks"
    ),
    _stored(
        "wrong_passwords_anywhere_per_day", "target", DAY_SECONDS, "wrong_passwords_all_networks"
    ),
    _stored("sign_ins_per_hour", "target", HOUR_SECONDS, "sign_ins"),
    _stored("sends_per_minute", "target", MINUTE_SECONDS, "code_sends"),
    _stored("sends_per_hour", "target", HOUR_SECONDS, "code_sends"),
    _stored("sends_per_day", "target", DAY_SECONDS, "code_sends"),
    _stored(
        "adjacent_numbers_per_ten_minutes",
        "numbers",
        10 * MINUTE_SECONDS,
        "adjacent_numbers",
        name="adjacent-numbers",
    ),
    _stored(
        "sms_budget_cents_per_day",
        "server",
        DAY_SECONDS,
        "sms",
        name="sms-day",
        count_setting="max_sms_per_day",
    ),
    _stored("emails_per_day", "server", DAY_SECONDS, "email"),
    _outcomes("address_wrong_tries_per_hour", "address", HOUR_SECONDS, "wrong_attempts"),
    _outcomes("subnet_wrong_tries_per_hour", "subnet", HOUR_SECONDS, "wrong_attempts"),
    _outcomes("site_wrong_tries_per_hour", "site", HOUR_SECONDS, "wrong_attempts"),
    _outcomes("network_wrong_tries_per_hour", "block", HOUR_SECONDS, "wrong_attempts"),
    _outcomes("address_sends_per_hour", "address", HOUR_SECONDS, "sent_codes"),
    _outcomes("network_sends_per_hour", "network", HOUR_SECONDS, "sent_codes"),
    _requests("address_captchas_per_minute", "address", MINUTE_SECONDS, "captchas"),
    _requests("network_captchas_per_minute", "network", MINUTE_SECONDS, "captchas"),
    _requests("address_views_per_minute", "address", MINUTE_SECONDS, "profile_views", "block"),
    _requests("address_views_per_day", "address", DAY_SECONDS, "profile_views", "block"),
    _requests("site_views_per_minute", "site", MINUTE_SECONDS, "profile_views"),
    _requests("site_views_per_day", "site", DAY_SECONDS, "profile_views"),
    _requests("account_views_per_minute", "account", MINUTE_SECONDS, "profile_views"),
    _requests("account_views_per_day", "account", DAY_SECONDS, "profile_views"),
    _requests("address_invitation_codes_per_hour", "address", HOUR_SECONDS, "invitation_codes"),
    _requests("account_invitation_codes_per_hour", "account", HOUR_SECONDS, "invitation_codes"),
    _requests("address_upstream_per_minute", "address", MINUTE_SECONDS, "upstream"),
    _requests("address_introspections_per_minute", "address", MINUTE_SECONDS, "introspection"),
    _requests("account_upstream_per_minute", "account", MINUTE_SECONDS, "upstream"),
    _stored("uploads_per_day", "account", DAY_SECONDS, "uploads"),
)


def make_stored_limits(settings: Settings) -> StoredLimits:
    """Return the limits that are counted in the store (security C5, C11, C12)."""
    budgets = make_message_budgets(settings)
    return StoredLimits(
        enabled=settings.limits_enabled,
        wrong_codes=_limits_on(settings, "wrong_codes"),
        wrong_passwords=_limits_on(settings, "wrong_passwords"),
        wrong_passwords_all_networks=_limits_on(settings, "wrong_passwords_all_networks"),
        sign_ins=_limits_on(settings, "sign_ins"),
        code_sends=_limits_on(settings, "code_sends"),
        server_code_sends={channel: (one.codes,) for channel, one in budgets.items()},
        adjacent_numbers=_limits_on(settings, "adjacent_numbers"),
        code_shares={channel: one.shares for channel, one in budgets.items()},
        server_notices={channel: one.notices for channel, one in budgets.items()},
    )


def make_upload_limits(settings: Settings) -> tuple[Limit, ...]:
    """Return the limits on uploads of an account."""
    return _limits_on(settings, "uploads")


def _limits_on(settings: Settings, event: str) -> tuple[Limit, ...]:
    return tuple(
        limit
        for definition in LIMITS
        if definition.exact and definition.event == event
        for limit in definition.make_limits(settings)
    )


@dataclass(frozen=True, slots=True)
class MessageBudget:
    """The daily messages of a channel in their parts: codes and notices (security X4)."""

    codes: Limit
    shares: CodeShares
    notices: NoticeLimits


def make_message_budgets(settings: Settings) -> dict[Channel, MessageBudget]:
    """Return the budgets of the channels that have one.

    Codes and notices never use each other's part, so all parts add up to the setting.
    """
    channels: tuple[Channel, ...] = ("sms", "email")
    return {
        channel: _make_message_budget(limit, settings)
        for channel in channels
        for limit in _limits_on(settings, channel)
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
    """Return the limits that are counted in memory (security C6, C10, C11, E4)."""
    if not settings.limits_enabled:
        return MemoryLimits()
    by_origin: dict[tuple[str, OriginKind], list[Limit]] = {}
    by_account: dict[str, list[Limit]] = {}
    by_outcome: dict[str, list[tuple[OriginKind, InFlightLimit]]] = {}
    for definition in LIMITS:
        event, kind = definition.event, definition.origin_kind
        for limit in definition.make_limits(settings):
            if definition.counted == "outcome":
                by_outcome.setdefault(event, []).append((kind, InFlightLimit(limit)))
            elif definition.subject == "account":
                by_account.setdefault(event, []).append(limit)
            elif definition.counted == "request":
                by_origin.setdefault((event, kind), []).append(limit)
    return MemoryLimits(
        by_origin=[
            (event, kind, WindowCounter(*limits)) for (event, kind), limits in by_origin.items()
        ],
        by_account={event: WindowCounter(*limits) for event, limits in by_account.items()},
        by_outcome=by_outcome,
    )


def make_exemption(settings: Settings, contact_parser: ContactParser) -> Exemption:
    """Return the exemption of the test contacts."""
    subjects = [
        subject
        for text in settings.limits_exempt
        if (target := parse_exempt_target(text, contact_parser)) is not None
        for subject in all_keys(target.channel, target.key)
    ]
    return Exemption(tuple(subjects), settings.limits_exempt_ends_at)


def make_destinations(settings: Settings) -> SmsDestinations:
    """Return the rule of which numbers SMS are sent to."""
    return SmsDestinations(settings.sms_countries, enabled=settings.limits_enabled)


def parse_exempt_target(text: str, contact_parser: ContactParser) -> ContactAddress | None:
    """Return a contact as requests name it; None for one that this server does not accept."""
    try:
        return contact_parser.parse_contact(text, "")
    except InvalidField:
        return None
