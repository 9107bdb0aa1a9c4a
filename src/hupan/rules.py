"""Values that the domain takes from the settings: limits, lifetimes, rewards and policies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hupan.model import Channel, Limit, VipPage

MINUTE_SECONDS = 60
HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS
MAX_UNIX_TIME = 253_402_300_799
"""The end of the year 9999, the last time that can be formatted as text."""
CENTS_PER_COIN = 100


@dataclass(frozen=True, slots=True)
class CodeShares:
    """Shares of the codes that a channel may send in a day; the rest is reserved for accounts.

    Attributes:
        without_account: codes to contacts without an account.
        with_account: codes to contacts with one; counted so that both take as long (E2).
    """

    without_account: Limit
    with_account: Limit


@dataclass(frozen=True, slots=True)
class NoticeLimits:
    """Maximum number of notices that a channel sends in a day.

    Attributes:
        first: the first notice of its kind to a contact on that day.
        other: all other notices.
    """

    first: tuple[Limit, ...] = ()
    other: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredLimits:
    """Every limit that is counted in the store; none applies unless `enabled`.

    Attributes:
        wrong_codes: wrong codes per contact, from one device of the owner or all other clients.
        wrong_passwords: wrong passwords per contact, from one network or one device of the owner.
        wrong_passwords_all_networks: wrong passwords per contact, from all networks together.
        sign_ins: correct passwords per contact.
        code_sends: codes sent per contact.
        server_code_sends: codes of the whole server, by channel.
        code_shares: shares of these, by channel.
        server_notices: notices of the whole server, by channel.
        adjacent_numbers: numbers that share their leading digits (security C12).
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
    """Invitation targets and rewards; 0 means no reward.

    Attributes:
        counts_server: whether progress is that of the whole server, not of one account.
    """

    target_day: int = 10
    target_total: int = 100
    inviter_reward_cents: int = 0
    invited_reward_cents: int = 0
    counts_server: bool = False


@dataclass(frozen=True, slots=True)
class ProfileEditRules:
    """Allowed avatar hosts and the rewards for the first change of nickname and avatar.

    Attributes:
        avatar_hosts: `*.` before a name allows all its subdomains; empty allows any host.
    """

    avatar_hosts: tuple[str, ...] = ()
    first_nickname_cents: int = 0
    first_avatar_cents: int = 0


@dataclass(frozen=True, slots=True)
class MediaRules:
    """How many pictures an account may upload and keep.

    Attributes:
        max_pictures: the maximum per account; one more drops the oldest that is not the avatar.
    """

    upload_limits: tuple[Limit, ...] = ()
    max_pictures: int = 20


@dataclass(frozen=True, slots=True)
class Adverts:
    """Advertisements in clients, if `shown`.

    Attributes:
        android_code_id: the app's id at the advertising service, "" for none.
        ios_code_id: the same for iOS.
        bottom_height: height of the advertisement, in the client's own unit.
    """

    shown: bool = False
    android_code_id: str = ""
    ios_code_id: str = ""
    bottom_height: int = 0


_HOST = re.compile(r"([a-zA-Z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?")
_LOCAL_HOST = re.compile(r"[a-zA-Z0-9-]+|[0-9.]+|\[.*")


class AddressedUrls(NamedTuple):
    """Where clients reach the server, its media and its WebSocket; "" if that is unknown."""

    server: str
    media: str
    websocket: str


@dataclass(frozen=True, slots=True)
class PublicUrls:
    """Where clients reach the server and its parts; "" for what follows from the others.

    Attributes:
        server: "" for the host that the client addressed.
        media: where the keys of media follow; "" for `/media/` of the server.
        websocket: "" for `/ws` of the server.
    """

    server: str = ""
    media: str = ""
    websocket: str = ""

    def addressed_as(self, host: str) -> AddressedUrls:
        """Return the URLs for a client that sent this Host."""
        server = self.server or url_of_host(host)
        return AddressedUrls(
            server,
            self.media or (server and f"{server}/media/"),
            self.websocket or (server and f"ws{server.removeprefix('http')}/ws"),
        )


def url_of_host(host: str) -> str:
    """Return the URL of a host, "" for anything else; names with a dot are reached through TLS."""
    found = _HOST.fullmatch(host)
    if found is None:
        return ""
    return f"{'http' if _LOCAL_HOST.fullmatch(found[1]) else 'https'}://{host}"


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """The largest uploads, 0 if none are accepted."""

    file_megabytes: int = 0
    image_megabytes: int = 8
    video_megabytes: int = 0


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What clients learn about the server (wire.md 8.3)."""

    urls: PublicUrls
    uploads: UploadLimits
    vip_page: VipPage


@dataclass(frozen=True, slots=True)
class ServerRules:
    """General rules of a server."""

    zone: ZoneInfo
    sign_up_open: bool = True
    code_lifetime_seconds: int = 300
    captcha_lifetime_seconds: int = 300
    default_avatar_url: str = ""


@dataclass(frozen=True, slots=True)
class ContactRules:
    """When a contact may be changed, and how long a change can be undone.

    Attributes:
        fresh_seconds: a session younger than this needs no further proof (security D2).
        step_up_seconds: how long a step-up verification is valid.
        undo_seconds: how long an operator can undo a change (security A2).
    """

    fresh_seconds: int = 15 * 60
    step_up_seconds: int = 10 * 60
    undo_seconds: int = 7 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """Requirements on new passwords (security P1, P3).

    Attributes:
        min_characters: the minimum length in code points.
        context_words: names of the product and its hosts, which do not count as a password.
    """

    min_characters: int = 8
    context_words: tuple[str, ...] = ()
