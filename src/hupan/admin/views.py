"""JSON rows of accounts, sessions and coins, and conversion of text and times for operators.

Ids are strings, as on the wire; times are unix seconds, None for never; coins are numbers.
"""

from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from hupan.domain.accounts import AccountDetails
from hupan.domain.text import is_clean
from hupan.model import PERMANENT_BAN_END, Account, AccountId, CoinEntry
from hupan.opening import OperationRefused
from hupan.rules import CENTS_PER_COIN
from hupan.store.coins import CoinInconsistency
from hupan.store.contacts import ContactChange
from hupan.store.sessions import SessionSummary

AdminRow: TypeAlias = dict[str, object]


def account_row(account: Account, erase_at: int, now: float) -> AdminRow:
    """Return an account for a list; a permanent ban has no `bannedUntil`."""
    banned = account.is_banned(now)
    return {
        "id": str(account.id),
        "nickname": account.name,
        "phone": account.phone,
        "email": account.email,
        "coins": _cents_to_coins(account.coin_cents),
        "vip": account.is_vip(now),
        "vipUntil": account.vip_until or None,
        "banned": banned,
        "bannedUntil": account.banned_until
        if banned and account.banned_until != PERMANENT_BAN_END
        else None,
        "banReason": account.ban_reason if banned else "",
        "registeredAt": account.registered_at,
        "lastActiveAt": account.last_active_at or None,
        "cancelled": erase_at > 0,
        "erasedAt": erase_at or None,
    }


def session_row(session: SessionSummary) -> AdminRow:
    """Return a session, with the number that revokes it."""
    return {
        "number": session.number,
        "device": session.device_id,
        "platform": session.platform,
        "country": session.country,
        "signedInAt": session.signed_in_at,
        "lastUsedAt": session.last_used_at,
    }


def account_detail_row(details: AccountDetails, now: float) -> AdminRow:
    account = details.account
    return {
        **account_row(account, details.erase_at, now),
        "onlineDays": account.online_days,
        "country": account.country,
        "invitationCode": account.invitation_code,
        "invitedBy": None if details.inviter is None else str(details.inviter),
        "medals": [medal.name for medal in details.medals],
    }


def coin_row(account: AccountId, entry: CoinEntry) -> AdminRow:
    return {
        "account": str(account),
        "number": entry.number,
        "change": _cents_to_coins(entry.change_cents),
        "after": _cents_to_coins(entry.after_cents),
        "typ": int(entry.typ),
        "reason": entry.reason,
        "remark": entry.remark,
        "actor": entry.actor,
        "key": entry.key,
        "createdAt": entry.created_at,
    }


def coin_fault_row(fault: CoinInconsistency) -> AdminRow:
    """Return an error in the journal: at an entry, or between the newest one and the balance."""
    return {
        "account": str(fault.account_id),
        "entry": fault.number or None,
        "fault": "entry" if fault.number else "balance",
    }


def contact_change_row(change: ContactChange) -> AdminRow:
    """Return how a contact was bound or changed; "" if none was, or is, bound."""
    return {
        "number": change.number,
        "contact": "phone" if change.channel == "sms" else "email",
        "old": change.old_address,
        "new": change.new_address,
        "proven": change.is_verified == 1,
        "changedAt": change.changed_at,
        "undoneAt": change.undone_at or None,
    }


def _cents_to_coins(cents: int) -> float:
    return cents / CENTS_PER_COIN if cents % CENTS_PER_COIN else cents // CENTS_PER_COIN


def sanitize_for_terminal(text: str) -> str:
    """Replace characters that could control a terminal.

    Characters that a nickname may contain stay, even joiners and ideographs that this version of
    Python does not know yet.
    """
    if is_clean(text):
        return text
    return "".join(c if c.isprintable() or is_clean(c) else " " for c in text)


def parse_time(text: str, zone: ZoneInfo) -> int:
    """Parse an ISO 8601 time such as `2026-12-31 18:00`; a date means its midnight.

    Args:
        text: the time; without an offset it is in `zone`.
        zone: the server's time zone.

    Raises:
        OperationRefused: it is not a time.
    """
    try:
        parsed = datetime.fromisoformat(text.strip())
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError) as error:
        raise OperationRefused(
            f"{text!r} 不是时间，应如 2026-12-31 18:00",
            f"{text!r} is not a time such as 2026-12-31 18:00",
        ) from error
