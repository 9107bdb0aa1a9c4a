"""Accounts as operators are shown them: rows for JSON, of which tables are made too.

Ids are texts, as on the wire; times are unix seconds, None for never; coins are numbers.
"""

from typing import TypeAlias

from hupan.domain.roster import RosterEntry
from hupan.model import NEVER_ENDS, Account, AccountId, CoinEntry
from hupan.store.coin_audit import CoinFault
from hupan.store.contacts import ContactChange
from hupan.store.session_ends import LiveSession

CENTS_IN_A_COIN = 100
Row: TypeAlias = dict[str, object]


def account_row(account: Account, erase_at: int, now: float) -> Row:
    """An account in a list; banned without an end to it is banned for good."""
    banned = account.is_banned(now)
    return {
        "id": str(account.id),
        "nickname": account.name,
        "phone": account.phone,
        "email": account.email,
        "coins": _coins(account.coin_cents),
        "vip": account.is_vip(now),
        "vipUntil": account.vip_until or None,
        "banned": banned,
        "bannedUntil": account.banned_until
        if banned and account.banned_until != NEVER_ENDS
        else None,
        "banReason": account.ban_reason if banned else "",
        "registeredAt": account.registered_at,
        "lastActiveAt": account.last_active_at or None,
        "cancelled": erase_at > 0,
        "erasedAt": erase_at or None,
    }


def session_row(session: LiveSession) -> Row:
    """A session, by the number that signs it out."""
    return {
        "number": session.number,
        "device": session.device_id,
        "platform": session.platform,
        "country": session.country,
        "signedInAt": session.signed_in_at,
        "lastUsedAt": session.last_used_at,
    }


def account_sheet(entry: RosterEntry, now: float) -> Row:
    """All that is shown of one account."""
    account = entry.account
    return {
        **account_row(account, entry.erase_at, now),
        "onlineDays": account.online_days,
        "country": account.country,
        "invitationCode": account.invitation_code,
        "invitedBy": None if entry.inviter is None else str(entry.inviter),
        "medals": [medal.name for medal in entry.medals],
    }


def coin_row(account: AccountId, entry: CoinEntry) -> Row:
    """A line of the journal of coins."""
    return {
        "account": str(account),
        "number": entry.number,
        "change": _coins(entry.change_cents),
        "after": _coins(entry.after_cents),
        "typ": int(entry.typ),
        "reason": entry.reason,
        "remark": entry.remark,
        "actor": entry.actor,
        "key": entry.key,
        "createdAt": entry.created_at,
    }


def fault_row(fault: CoinFault) -> Row:
    """A break in the journal of coins: at an entry, or between the newest one and the balance."""
    return {
        "account": str(fault.account_id),
        "entry": fault.number or None,
        "fault": "entry" if fault.number else "balance",
    }


def contact_row(change: ContactChange) -> Row:
    """How a number or an address was bound or changed; "" where nothing was, or is, bound."""
    return {
        "number": change.number,
        "contact": "phone" if change.channel == "sms" else "email",
        "old": change.old_address,
        "new": change.new_address,
        "proven": change.is_proven == 1,
        "changedAt": change.changed_at,
        "undoneAt": change.undone_at or None,
    }


def _coins(cents: int) -> float:
    """A whole number where it is one."""
    return cents / CENTS_IN_A_COIN if cents % CENTS_IN_A_COIN else cents // CENTS_IN_A_COIN
