"""Address of a PostgreSQL store, and the size of its pool; loads no driver."""

import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from hupan.library_errors import localize_reason
from hupan.store.database import StoreRefused

_SSL_MODES = ("disable", "verify-full")


@dataclass(frozen=True, slots=True)
class PoolSize:
    """The size of a process's connection pool.

    Attributes:
        max_connections: the maximum of this process; further requests wait for one.
        cached_statements: prepared statements per connection; 0 behind a transaction pooler.
    """

    max_connections: int = 10
    cached_statements: int = 512


@dataclass(frozen=True, slots=True)
class PostgresDsn:
    """Address of a store on one or several hosts, one of which accepts writes.

    Attributes:
        url: `postgresql://user@host1:5432,host2:5432/name`, `?sslmode=disable` or `verify-full`.
        password: "" when the URL has it, or none is needed.
        ca_file: CA of the server's certificate; "" for the CAs that the system trusts.
        statement_timeout_seconds: a statement that takes longer fails.
        connect_timeout_seconds: a host that takes longer to accept a connection is skipped.
    """

    url: str = field(repr=False)
    password: str = field(default="", repr=False)
    ca_file: str = ""
    statement_timeout_seconds: int = 5
    connect_timeout_seconds: int = 3

    @property
    def url_without_sslmode(self) -> str:
        """Return the URL without `sslmode`, which is decided here."""
        base, _, query = self.url.partition("?")
        kept = [part for part in query.split("&") if part and not part.startswith("sslmode=")]
        return "?".join([base, "&".join(kept)] if kept else [base])

    @property
    def host_urls(self) -> list[str]:
        """Return one URL per host, in their order."""
        scheme, _, rest = self.url_without_sslmode.partition("://")
        authority, slash, name = rest.partition("/")
        user, at, hosts = authority.rpartition("@")
        return [f"{scheme}://{user}{at}{host}{slash}{name}" for host in hosts.split(",")]

    @property
    def display_url(self) -> str:
        """Return the URL for display: no user, password or parameters (security X12)."""
        base = self.url.partition("?")[0]
        scheme, _, rest = base.partition("://")
        _, at, where = rest.rpartition("@")
        return f"{scheme}://{'••••@' if at else ''}{where}"

    def make_ssl_context(self) -> ssl.SSLContext | bool:
        """Verify certificate and host name wherever another machine is contacted (L9).

        Raises:
            StoreRefused: the URL asks for less, or the file of the authority is not usable.
        """
        mode = self._sslmode() or ("disable" if self._is_local() else "verify-full")
        if mode not in _SSL_MODES:
            raise StoreRefused(
                f"sslmode 只能是 verify-full 或 disable，而非 {mode}",
                f"sslmode must be {' or '.join(_SSL_MODES)}, not {mode}",
            )
        if mode == "disable":
            return False
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            reason = localize_reason(error)
            raise StoreRefused(
                f"无法读取 CA 证书 {Path(self.ca_file)}：{reason.zh}",
                f"cannot read the CA file {Path(self.ca_file)}: {reason.en}",
            ) from error

    def _sslmode(self) -> str:
        return parse_qs(urlsplit(self.url).query).get("sslmode", [""])[-1]

    def _is_local(self) -> bool:
        return all(_is_local_host(host) for host in self._hosts())

    def _hosts(self) -> list[str]:
        rest = self.url.partition("://")[2].partition("?")[0].partition("/")[0]
        named = [_parse_host(address) for address in rest.rpartition("@")[2].split(",")]
        asked = parse_qs(urlsplit(self.url).query).get("host", [])
        return asked if asked and named == [""] else named


def _parse_host(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return unquote(address.partition(":")[0])


def _is_local_host(host: str) -> bool:
    if host.startswith("/") or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
