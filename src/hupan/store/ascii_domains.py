"""E-mail addresses are kept with the ASCII form of their domain; older rows are brought to it.

Until migration 10 the strict profile kept `a@xn--fiq228c.com` as `a@中文.com`, which no mail server
takes without SMTPUTF8: codes were answered as sent and never left, and the lenient profile knew the
same address as another one.
"""

import logging
from collections.abc import Iterator, Sequence

from hupan.store.engine import Row, Value

Statement = tuple[str, tuple[Value, ...]]
_MOST_CHARACTERS = 320


def _beyond_ascii(column: str) -> str:
    return f"octet_length({column}) > length({column})"


READS = (
    # The oldest account first: of two whose addresses become one it keeps it, if nobody has it yet.
    f"""
SELECT value, account_id FROM identities WHERE kind = 'email' AND {_beyond_ascii("value")}
ORDER BY account_id, value
""",
    "SELECT value FROM identities WHERE kind = 'email' AND value LIKE '%@%xn--%'",
    f"SELECT id, email FROM accounts WHERE {_beyond_ascii('email')} ORDER BY id",
    f"""
SELECT account_id, number, old_address, new_address FROM contact_changes
WHERE channel = 'email'
  AND ({_beyond_ascii("old_address")} OR {_beyond_ascii("new_address")})
ORDER BY account_id, number
""",
)
# In two steps: a database that is spread by the value does not let it change.
_TAKE = "INSERT INTO identities (kind, value, account_id) VALUES ('email', ?1, ?2)"
_FREE = "DELETE FROM identities WHERE kind = 'email' AND value = ?1"
_SHOW = "UPDATE accounts SET email = ?2 WHERE id = ?1"
_REMEMBER = (
    "UPDATE contact_changes SET old_address = ?3, new_address = ?4 "
    "WHERE account_id = ?1 AND number = ?2"
)
_SET_ASIDE = """
INSERT INTO contact_changes
  (account_id, number, channel, old_address, new_address, changed_at, is_proven)
SELECT ?1, coalesce(max(number), 0) + 1, 'email', ?2, '', ?3, 1
FROM contact_changes WHERE account_id = ?1
"""
_log = logging.getLogger("hupan.store")


def ascii_address(text: str) -> str:
    """The address with the ASCII form of its domain (UTS 46); one that has none is unchanged."""
    local, at, domain = text.rpartition("@")
    if not at or domain.isascii() or len(text) > _MOST_CHARACTERS:
        return text
    import email_validator  # noqa: PLC0415 - 25 ms at import, needed only for what is not ASCII

    try:
        read = email_validator.validate_email(
            f"a@{domain}", check_deliverability=False, globally_deliverable=False
        )
    except email_validator.EmailNotValidError:
        return text
    return f"{local}@{read.ascii_domain.lower()}"


def statements(rows: Sequence[Sequence[Row]], now: int) -> Iterator[Statement]:
    """What brings the rows that `READS` found to the ASCII form, in this order.

    Whoever has the ASCII form already keeps it, for mail reached nobody else; of several others the
    oldest account. The account that gives it up keeps all else: the log names it, and its changes
    of contacts show the address, from where it can be given back once it is free.
    """
    identities, taken_rows, accounts, changes = rows
    taken = {str(value) for (value,) in taken_rows}
    aside: set[tuple[Value, str]] = set()
    for value, account in identities:
        kept = ascii_address(str(value))
        if kept == value:
            continue
        yield _FREE, (value,)
        if kept in taken:
            aside.add((account, kept))
        else:
            taken.add(kept)
            yield _TAKE, (kept, account)
    for account, email in accounts:
        kept = ascii_address(str(email))
        if (account, kept.lower()) in aside:
            _log.warning(
                "account %s gave up an e-mail address that another account has in its ASCII form: "
                "hupan account contacts %s",
                account,
                account,
            )
            yield _SET_ASIDE, (account, kept, now)
            yield _SHOW, (account, "")
        elif kept != email:
            yield _SHOW, (account, kept)
    for account, number, old, new in changes:
        yield _REMEMBER, (account, number, ascii_address(str(old)), ascii_address(str(new)))
