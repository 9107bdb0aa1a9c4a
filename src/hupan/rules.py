"""What the domain takes from the server's settings; each value's meaning stands in config."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from hupan.model import Channel, Limit, Session, Viewer

HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class CodeShares:
    """Parts of the codes that a channel may send in a day; what is kept for accounts is the rest.

    Attributes:
        without_account: codes to numbers and addresses without an account.
        with_account: codes to those with one; counted for the sake of the same duration (security E2).
    """

    without_account: Limit
    with_account: Limit


@dataclass(frozen=True, slots=True)
class NoticeLimits:
    """How many notices a channel may send in a day.

    Attributes:
        first: those that a target is told for the first time that day.
        other: all others.
    """

    first: tuple[Limit, ...] = ()
    other: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredLimits:
    """Every limit that is counted in the store; with `enabled` off none is.

    Attributes:
        wrong_passwords: of one target, from one network or one device of the owner.
        wrong_passwords_all_networks: of one target, from all networks together.
        sign_ins: right passwords of one target.
        code_sends: of one target.
        server_code_sends: codes of the whole server, by channel.
        code_shares: parts of them, by channel.
        server_notices: notices of the whole server, by channel.
        adjacent_numbers: numbers with the same first digits (security C12).
    """

    enabled: bool
    wrong_codes: tuple[Limit, ...]
    wrong_passwords: tuple[Limit, ...]
    code_sends: tuple[Limit, ...]
    server_code_sends: Mapping[Channel, tuple[Limit, ...]] = field(default_factory=dict)
    adjacent_numbers: tuple[Limit, ...] = ()
    code_shares: Mapping[Channel, CodeShares] = field(default_factory=dict)
    server_notices: Mapping[Channel, NoticeLimits] = field(default_factory=dict)
    wrong_passwords_all_networks: tuple[Limit, ...] = ()
    sign_ins: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class InvitationRules:
    """What inviting is worth; a reward of 0 is none."""

    target_day: int = 10
    target_total: int = 100
    inviter_reward_cents: int = 0
    invited_reward_cents: int = 0


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """How long sessions live, and how many an account may have (security T4).

    Attributes:
        idle_seconds: without use; the first request of a day is the one that counts as use.
        absolute_seconds: since the sign-in, whatever the use.
        max_sessions: sessions of one account; one more ends the oldest.
    """

    idle_seconds: int = 30 * DAY_SECONDS
    absolute_seconds: int = 180 * DAY_SECONDS
    max_sessions: int = 10

    def has_expired(self, session: Session | Viewer, now: float) -> bool:
        """Whether a session may not be used any more."""
        return (
            now >= session.last_used_at + self.idle_seconds
            or now >= session.signed_in_at + self.absolute_seconds
        )


@dataclass(frozen=True, slots=True)
class ProfileEditRules:
    """What a nickname or an avatar may be changed to, and what the first change is worth.

    Attributes:
        avatar_hosts: where avatars may lie, `*.` before a name for all below it; none for anywhere.
    """

    avatar_hosts: tuple[str, ...] = ()
    first_nickname_cents: int = 0
    first_avatar_cents: int = 0


@dataclass(frozen=True, slots=True)
class Adverts:
    """The advertisements that clients show, if any are `shown` at all.

    Attributes:
        android_code_id: what an advertising service knows the app by, "" for none.
        ios_code_id: likewise.
        bottom_height: of the place for them, in the client's own unit.
    """

    shown: bool = False
    android_code_id: str = ""
    ios_code_id: str = ""
    bottom_height: int = 0


@dataclass(frozen=True, slots=True)
class ServerRules:
    """The rules of one server."""

    zone: ZoneInfo
    sign_up_open: bool = True
    code_lifetime_seconds: int = 300
    captcha_lifetime_seconds: int = 300
    default_avatar_url: str = ""


@dataclass(frozen=True, slots=True)
class ContactRules:
    """When a number or an address may be changed, and how long that can be undone.

    Attributes:
        fresh_seconds: a session younger than this needs no other proof (security D2).
        step_up_seconds: how long a proof counts.
        undo_seconds: how long an operator can undo a change (security A2).
    """

    fresh_seconds: int = 15 * 60
    step_up_seconds: int = 10 * 60
    undo_seconds: int = 7 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What a new password must be (security P1, P3).

    Attributes:
        min_characters: code points.
        context_words: names of the product and its hosts, which make no password.
    """

    min_characters: int = 8
    context_words: tuple[str, ...] = ()
