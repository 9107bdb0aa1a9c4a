"""Where a PostgreSQL store lies: its URL, and how the way there is secured."""

import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from hupan.store.engine import StoreRefused

SCHEMES = ("postgresql://", "postgres://")
_TLS = ("disable", "verify-full")


def is_postgres(place: str) -> bool:
    """Whether a setting names a PostgreSQL server, and not a file."""
    return place.startswith(SCHEMES)


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How many connections a process keeps.

    Attributes:
        most: connections of this process; requests beyond wait for one.
        statements: prepared statements of a connection; 0 behind a pooler in transaction mode.
    """

    most: int = 10
    statements: int = 512


@dataclass(frozen=True, slots=True)
class Place:
    """A store on one or several hosts, of which one takes writes.

    Attributes:
        url: `postgresql://user@host1:5432,host2:5432/name`, `?sslmode=disable` or `verify-full`.
        password: "" when the URL has it, or none is needed.
        ca_file: who signed the server's certificate; "" for those the system trusts.
        timeout_seconds: a statement that takes longer has failed.
        connect_seconds: a host that takes longer to let us in is passed over.
    """

    url: str = field(repr=False)
    password: str = field(default="", repr=False)
    ca_file: str = ""
    timeout_seconds: int = 5
    connect_seconds: int = 3

    @property
    def dsn(self) -> str:
        """The URL without what is decided here."""
        base, _, query = self.url.partition("?")
        kept = [part for part in query.split("&") if part and not part.startswith("sslmode=")]
        return "?".join([base, "&".join(kept)] if kept else [base])

    @property
    def dsns(self) -> list[str]:
        """One for each host that the URL names, in their order."""
        scheme, _, rest = self.dsn.partition("://")
        place, slash, name = rest.partition("/")
        who, at, hosts = place.rpartition("@")
        return [f"{scheme}://{who}{at}{host}{slash}{name}" for host in hosts.split(",")]

    @property
    def shown(self) -> str:
        """The URL for people: no user, no password and no parameters (security X12)."""
        base = self.url.partition("?")[0]
        scheme, _, rest = base.partition("://")
        _, at, where = rest.rpartition("@")
        return f"{scheme}://{'••••@' if at else ''}{where}"

    def tls(self) -> ssl.SSLContext | bool:
        """The certificate and its name are checked wherever another machine is asked (L9).

        Raises:
            StoreRefused: the URL asks for less, or the file of the authority is no good.
        """
        mode = self._sslmode() or ("disable" if self._is_near() else "verify-full")
        if mode not in _TLS:
            raise StoreRefused(
                f"sslmode 只能是 verify-full 或 disable / sslmode must be {' or '.join(_TLS)}, "
                f"not {mode}"
            )
        if mode == "disable":
            return False
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise StoreRefused(
                f"无法读取 CA 证书 / cannot read the CA file {Path(self.ca_file)}: {error}"
            ) from error

    def _sslmode(self) -> str:
        return parse_qs(urlsplit(self.url).query).get("sslmode", [""])[-1]

    def _is_near(self) -> bool:
        return all(_is_on_this_machine(host) for host in self._hosts())

    def _hosts(self) -> list[str]:
        rest = self.url.partition("://")[2].partition("?")[0].partition("/")[0]
        named = [_host(address) for address in rest.rpartition("@")[2].split(",")]
        asked = parse_qs(urlsplit(self.url).query).get("host", [])
        return asked if asked and named == [""] else named


def _host(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return unquote(address.partition(":")[0])


def _is_on_this_machine(host: str) -> bool:
    """A socket's folder, or an address of the loopback."""
    if host.startswith("/") or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
