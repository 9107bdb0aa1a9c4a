"""JSON rows of accounts, sessions and coins, and conversion of text and times for operators.

Ids are texts, as on the wire; times are unix seconds, None for never; coins are numbers.
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
    """An account in a list; banned without an end to it is banned for good."""
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
    """A session, by the number that signs it out."""
    return {
        "number": session.number,
        "device": session.device_id,
        "platform": session.platform,
        "country": session.country,
        "signedInAt": session.signed_in_at,
        "lastUsedAt": session.last_used_at,
    }


def account_detail_row(details: AccountDetails, now: float) -> AdminRow:
    """All that is shown of one account."""
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
    """A line of the journal of coins."""
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
    """A break in the journal of coins: at an entry, or between the newest one and the balance."""
    return {
        "account": str(fault.account_id),
        "entry": fault.number or None,
        "fault": "entry" if fault.number else "balance",
    }


def contact_change_row(change: ContactChange) -> AdminRow:
    """How a number or an address was bound or changed; "" where nothing was, or is, bound."""
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
    """A whole number where it is one."""
    return cents / CENTS_PER_COIN if cents % CENTS_PER_COIN else cents // CENTS_PER_COIN


def sanitize_for_terminal(text: str) -> str:
    """A text without what could steer a terminal.

    What a nickname may hold is shown as it is, also joiners and ideographs that this Python does
    not know yet.
    """
    if is_clean(text):
        return text
    return "".join(c if c.isprintable() or is_clean(c) else " " for c in text)


def parse_time(text: str, zone: ZoneInfo) -> int:
    """The unix seconds of `2026-12-31`, `2026-12-31 18:00` or the like; a date is its midnight.

    Args:
        text: a time of ISO 8601; without an offset it is one of the server's zone.
        zone: the server's zone.

    Raises:
        OperationRefused: it is no time.
    """
    try:
        parsed = datetime.fromisoformat(text.strip())
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError) as error:
        raise OperationRefused(
            f"{text!r} 不是时间，应如 2026-12-31 18:00",
            f"{text!r} is not a time such as 2026-12-31 18:00",
        ) from error
