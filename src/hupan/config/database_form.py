"""The form of the setting `database`: a SQLite file, or the URL of a PostgreSQL server."""

import re
from urllib.parse import parse_qs, urlsplit

from hupan.config.forms import PLACE, Form
from hupan.config.wording import Wording

SCHEMES = ("postgresql://", "postgres://")
# One host or several, each with a port or without; a password may stand here, and is never shown.
_URL = re.compile(
    r"postgres(?:ql)?://(?:[^\s@/?#]*@)?[A-Za-z0-9._:%,\[\]-]*/[A-Za-z0-9_.%-]*"
    r"(?:\?[A-Za-z0-9_.=&%/:+-]*)?"
)
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@/]+(?=@)|([?&]pass[^\s=&]*=)[^\s&'\"]+")


def names_postgres(database: object) -> bool:
    """Whether a value of the setting names a PostgreSQL server."""
    return isinstance(database, str) and database.startswith(SCHEMES)


def without_password(text: str) -> str:
    """The text with a mask where a URL in it has a password."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}••••", text)


def _read(raw: object) -> str:
    if not isinstance(raw, str) or not names_postgres(raw):
        return PLACE.read(raw)
    # What is said in the parameters is shown, so no password may stand there.
    if not _URL.fullmatch(raw) or "password" in parse_qs(urlsplit(raw).query):
        raise ValueError
    return raw


DATABASE = Form(
    Wording(
        "路径、postgresql://用户@主机:端口/库名，或留空",
        "a path, postgresql://user@host:port/name, or nothing",
    ),
    _read,
)
