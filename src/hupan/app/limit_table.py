"""The one table of limits: who, what, how many, how long; everything else is made from it.

What each line counts is told by its setting's meaning, in both languages.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hupan.config import Settings
from hupan.domain.destinations import Destinations
from hupan.domain.floods import Flood, Floods, Held
from hupan.domain.limiter import Exemption
from hupan.domain.refusals import InvalidField
from hupan.domain.settings import DAY, HOUR, CodeShares, Limits, NoticeLimits
from hupan.domain.targets import Target, Targets
from hupan.domain.tries import everything_of
from hupan.model import Channel, Limit

MINUTE = 60
IN_A_ROW_SECONDS = 90 * DAY
"""How long wrong codes in a row are remembered, unless a right one comes: no count is for ever."""

Who: TypeAlias = Literal[
    "target", "numbers", "server", "address", "subnet", "site", "block", "network", "account"
]
"""Whose events are counted together.

target: a phone number or an e-mail address, with a count of its own for each device that its owner
signed in on. numbers: those that share their first seven digits. server: all. address: one of IPv4,
a /64 of IPv6; looks at users: a /24 of IPv4. subnet: a /56 of IPv6. site: a /48 of IPv6. block: a
/24 of IPv4. network: a /24, a /48. account: whoever is signed in.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One limit.

    Attributes:
        setting: how many pass; 0 is no limit at all.
        number: what returns the number of events, where the setting is in another unit.
        name: how it is kept and counted.
        exact: kept in the store and exact, else kept by each process for itself.
        lock_seconds: how long nothing passes once the last of so many in a row has.
    """

    setting: str
    name: str
    who: Who
    window_seconds: int
    exact: bool = True
    lock_seconds: int = 0
    number: str = ""

    def value(self, settings: Settings) -> int:
        """Return what the setting says, in the setting's own unit."""
        value: int = getattr(settings, self.setting)
        return value

    def most(self, settings: Settings) -> int:
        """How many pass."""
        most: int = getattr(settings, self.number or self.setting)
        return most

    def limits(self, settings: Settings) -> tuple[Limit, ...]:
        """The limit, or none."""
        most = self.most(settings)
        limit = Limit(self.name, most, self.window_seconds, self.lock_seconds)
        return (limit,) if most else ()


TABLE = (
    Line("wrong_codes_per_hour", "wrong-codes-hour", "target", HOUR),
    Line("wrong_codes_per_day", "wrong-codes-day", "target", DAY),
    Line(
        "wrong_codes_in_a_row",
        "wrong-codes-in-a-row",
        "target",
        IN_A_ROW_SECONDS,
        lock_seconds=DAY,
    ),
    Line("wrong_passwords_per_hour", "wrong-passwords-hour", "target", HOUR),
    Line("wrong_passwords_per_day", "wrong-passwords-day", "target", DAY),
    Line("wrong_passwords_anywhere_per_hour", "wrong-passwords-anywhere-hour", "target", HOUR),
    Line("wrong_passwords_anywhere_per_day", "wrong-passwords-anywhere-day", "target", DAY),
    Line("sign_ins_per_hour", "sign-ins-hour", "target", HOUR),
    Line("sends_per_minute", "sends-minute", "target", MINUTE),
    Line("sends_per_hour", "sends-hour", "target", HOUR),
    Line("sends_per_day", "sends-day", "target", DAY),
    Line("adjacent_numbers_per_ten_minutes", "adjacent-numbers", "numbers", 10 * MINUTE),
    Line("sms_budget_cents_per_day", "sms-day", "server", DAY, number="sms_per_day"),
    Line("emails_per_day", "emails-day", "server", DAY),
    Line("address_wrong_tries_per_hour", "address-wrong-tries-hour", "address", HOUR, exact=False),
    Line("subnet_wrong_tries_per_hour", "subnet-wrong-tries-hour", "subnet", HOUR, exact=False),
    Line("site_wrong_tries_per_hour", "site-wrong-tries-hour", "site", HOUR, exact=False),
    Line("network_wrong_tries_per_hour", "network-wrong-tries-hour", "block", HOUR, exact=False),
    Line("address_sends_per_hour", "address-sends-hour", "address", HOUR, exact=False),
    Line("network_sends_per_hour", "network-sends-hour", "network", HOUR, exact=False),
    Line("address_captchas_per_minute", "address-captchas-minute", "address", MINUTE, exact=False),
    Line("network_captchas_per_minute", "network-captchas-minute", "network", MINUTE, exact=False),
    Line("address_views_per_minute", "address-views-minute", "address", MINUTE, exact=False),
    Line("address_views_per_day", "address-views-day", "address", DAY, exact=False),
    Line("site_views_per_minute", "site-views-minute", "site", MINUTE, exact=False),
    Line("site_views_per_day", "site-views-day", "site", DAY, exact=False),
    Line("account_views_per_minute", "account-views-minute", "account", MINUTE, exact=False),
    Line("account_views_per_day", "account-views-day", "account", DAY, exact=False),
    Line(
        "address_invitation_codes_per_hour",
        "address-invitation-codes-hour",
        "address",
        HOUR,
        exact=False,
    ),
    Line(
        "account_invitation_codes_per_hour",
        "account-invitation-codes-hour",
        "account",
        HOUR,
        exact=False,
    ),
)


def limits(settings: Settings) -> Limits:
    """What is counted in the store (security C5, C11, C12)."""

    def of(*names: str) -> tuple[Limit, ...]:
        return tuple(_limits(settings, names))

    budgets = message_budgets(settings)
    return Limits(
        enabled=settings.limits_enabled,
        wrong_codes=of("wrong_codes_per_hour", "wrong_codes_per_day", "wrong_codes_in_a_row"),
        wrong_passwords=of("wrong_passwords_per_hour", "wrong_passwords_per_day"),
        wrong_passwords_anywhere=of(
            "wrong_passwords_anywhere_per_hour", "wrong_passwords_anywhere_per_day"
        ),
        sign_ins=of("sign_ins_per_hour"),
        sends=of("sends_per_minute", "sends_per_hour", "sends_per_day"),
        sends_in_all={channel: (one.codes,) for channel, one in budgets.items()},
        adjacent=of("adjacent_numbers_per_ten_minutes"),
        code_shares={channel: one.shares for channel, one in budgets.items()},
        notices_in_all={channel: one.notices for channel, one in budgets.items()},
    )


@dataclass(frozen=True, slots=True)
class MessageBudget:
    """What a channel may send in a day, in its parts: codes, and notices (security X4)."""

    codes: Limit
    shares: CodeShares
    notices: NoticeLimits


def message_budgets(settings: Settings) -> dict[Channel, MessageBudget]:
    """The budgets of the channels that have one.

    Codes and notices never use each other's part, so all parts together are what the setting says.
    """
    names: dict[Channel, str] = {"sms": "sms_budget_cents_per_day", "email": "emails_per_day"}
    return {
        channel: _message_budget(limit, settings)
        for channel, name in names.items()
        for limit in _limits(settings, (name,))
    }


def _message_budget(whole: Limit, settings: Settings) -> MessageBudget:
    notices = min(max(1, whole.most * settings.notices_percent // 100), whole.most - 1)
    codes = whole.most - notices
    strangers = max(1, codes * (100 - settings.account_codes_percent) // 100)
    in_all = Limit("notices-day", notices, DAY)
    return MessageBudget(
        codes=Limit(whole.name, codes, DAY),
        shares=CodeShares(
            strangers=Limit("codes-to-strangers-day", strangers, DAY),
            accounts=Limit("codes-to-accounts-day", codes, DAY),
        ),
        notices=NoticeLimits(
            first=(in_all,), other=(Limit("other-notices-day", notices // 2, DAY), in_all)
        ),
    )


def floods(settings: Settings) -> Floods:
    """What is counted in memory (security C6, C10, C11, E4)."""
    if not settings.limits_enabled:
        return Floods()

    def flood(*names: str) -> Flood:
        return Flood(*_limits(settings, names))

    def held(name: str) -> tuple[Held, ...]:
        return tuple(map(Held, _limits(settings, (name,))))

    return Floods(
        wrong_tries=held("address_wrong_tries_per_hour"),
        subnet_wrong_tries=held("subnet_wrong_tries_per_hour"),
        site_wrong_tries=held("site_wrong_tries_per_hour"),
        block_wrong_tries=held("network_wrong_tries_per_hour"),
        sends=held("address_sends_per_hour"),
        network_sends=held("network_sends_per_hour"),
        captchas=flood("address_captchas_per_minute"),
        network_captchas=flood("network_captchas_per_minute"),
        views=flood("address_views_per_minute", "address_views_per_day"),
        site_views=flood("site_views_per_minute", "site_views_per_day"),
        account_views=flood("account_views_per_minute", "account_views_per_day"),
        invitation_codes=flood("address_invitation_codes_per_hour"),
        account_invitation_codes=flood("account_invitation_codes_per_hour"),
    )


def exemption(settings: Settings, its_targets: Targets) -> Exemption:
    """The targets that are tested with."""
    subjects = [
        subject
        for text in settings.limits_exempt
        if (target := exempt_target(text, its_targets)) is not None
        for subject in everything_of(target.channel, target.key)
    ]
    return Exemption(tuple(subjects), settings.limits_exempt_ends_at)


def destinations(settings: Settings) -> Destinations:
    """Which numbers are sent to."""
    return Destinations(settings.sms_countries, enabled=settings.limits_enabled)


def _limits(settings: Settings, names: tuple[str, ...]) -> Iterator[Limit]:
    by_name = {line.setting: line for line in TABLE}
    for name in names:
        yield from by_name[name].limits(settings)


def exempt_target(text: str, its_targets: Targets) -> Target | None:
    """A target as requests name it; None for one that this server takes from nobody."""
    try:
        return its_targets.named(text, "")
    except InvalidField:
        return None
