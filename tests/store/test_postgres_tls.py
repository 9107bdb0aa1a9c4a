"""TLS and passwords for PostgreSQL: a valid certificate and name, or no connection (L9)."""

import asyncio
import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.model import StoreUnavailable
from hupan.store.database import StoreRefused
from hupan.store.postgres import load_applied_migrations
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from tests.support.certificates import issue
from tests.support.commands import run_hupan
from tests.support.ports import LOOPBACK
from tests.support.postgres import Cluster
from tests.support.servers import Server
from tests.support.tls_proxy import TlsFront

# asyncpg drops a refused connection without waiting for its end, and the loop ends before it.
ABANDONED = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
pytestmark = [pytest.mark.slow, ABANDONED]

CANARY = "k3-canary-9f"
ELSEWHERE = "db.elsewhere.example"
SPEED = {"fsync": "off", "shared_buffers": "32MB", "max_connections": "30"}
# The superuser of the tests needs no password; `lake` does.
RULES = """
host all hupan 127.0.0.1/32 trust
host all lake 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class TlsServer:
    """A server that only accepts TLS, and its authority."""

    front: TlsFront
    authority: Path

    def url(self, query: str = "", login: str = "lake") -> str:
        """Return its URL; TLS is only configured by `query`."""
        return f"postgresql://{login}@{LOOPBACK}:{self.front.port}/postgres{query}"


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Collect the abandoned connections."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Yield a server that asks `lake` for a password."""
    cluster = Cluster(SPEED)
    try:
        cluster.initialise()
        cluster.data.joinpath("pg_hba.conf").write_text(RULES)
        cluster.start()
        cluster.sql(f"CREATE ROLE lake LOGIN SUPERUSER PASSWORD '{CANARY}'")
        yield cluster
    finally:
        cluster.close()


@contextmanager
def open_tls_server(cluster: Cluster, folder: Path, name: str) -> Iterator[TlsServer]:
    """Yield access to it with a certificate for a name or an address."""
    issued = issue(folder, name)
    with TlsFront(cluster.port, issued.server_context()) as front:
        yield TlsServer(front, issued.authority)


@pytest.fixture(scope="module")
def tls_server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """Yield a server with a certificate for the address that it listens on."""
    with open_tls_server(cluster, tmp_path_factory.mktemp("right"), LOOPBACK) as tls_server:
        yield tls_server


@pytest.fixture(scope="module")
def other_tls_server(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TlsServer]:
    """Yield a server with a certificate for another name."""
    with open_tls_server(cluster, tmp_path_factory.mktemp("other"), ELSEWHERE) as tls_server:
        yield tls_server


def ask(url: str, authority: Path | str = "", password: str = CANARY) -> dict[int, str]:
    """Return what the store has applied: nothing so far."""
    place = PostgresDsn(
        url, password, str(authority), connect_timeout_seconds=30, statement_timeout_seconds=30
    )
    return asyncio.run(load_applied_migrations(place, PoolSize(max_connections=1)))


def refusal(url: str, authority: Path | str = "", password: str = CANARY) -> str:
    """Return the message about an unsafe connection."""
    with pytest.raises(StoreUnavailable) as refused:
        ask(url, authority, password)
    assert CANARY not in str(refused.value)
    return str(refused.value)


def status(url: str, **environment: str) -> dict[str, str]:
    """Return the output of `hupan database status`."""
    variables = {f"HUPAN_{name.upper()}": value for name, value in environment.items()}
    command = ("database", "status", "--json")
    told = run_hupan(*command, environment={"HUPAN_DATABASE": url, **variables})
    assert told.returncode in (0, 1), told.stderr
    assert CANARY not in told.stdout + told.stderr
    found: dict[str, str] = json.loads(told.stdout)
    return found


def test_the_right_certificate_and_password(tls_server: TlsServer) -> None:
    """They open the store, and the connection is encrypted."""
    assert ask(tls_server.url("?sslmode=verify-full"), tls_server.authority) == {}
    told = status(
        tls_server.url("?sslmode=verify-full"),
        database_ca_file=str(tls_server.authority),
        database_password=CANARY,
    )
    assert told["state"] == "behind", told


def test_an_authority_that_is_not_trusted(tls_server: TlsServer, tmp_path: Path) -> None:
    """Neither the system's nor another authority is accepted; the message says what is wrong."""
    stranger = issue(tmp_path, LOOPBACK).authority
    for authority in ("", stranger):
        text = refusal(tls_server.url("?sslmode=verify-full"), authority)
        assert "certificate verify failed" in text
    told = status(tls_server.url("?sslmode=verify-full"), database_password=CANARY)
    assert (told["state"], "证书不受信任" in told["trouble"]) == ("unreachable", True)


def test_a_certificate_for_another_name(other_tls_server: TlsServer) -> None:
    """A certificate of a trusted authority for another name is refused."""
    text = refusal(other_tls_server.url("?sslmode=verify-full"), other_tls_server.authority)
    assert "certificate is not valid" in text


def test_a_server_without_tls(cluster: Cluster, tmp_path: Path) -> None:
    """If TLS is requested, plain text is refused; on this machine TLS is optional."""
    authority = issue(tmp_path, LOOPBACK).authority
    assert "SSL" in refusal(cluster.url() + "?sslmode=verify-full", authority)
    assert ask(cluster.url(), authority) == {}


def test_no_tls_is_taken_at_its_word(tls_server: TlsServer) -> None:
    """`disable` starts no TLS, so a server that requires it refuses."""
    before = tls_server.front.refused
    refusal(tls_server.url("?sslmode=disable"))
    assert tls_server.front.refused > before


@pytest.mark.parametrize("mode", ["require", "prefer", "allow", "verify-ca", "VERIFY-FULL", "no"])
def test_half_of_tls_is_refused_at_the_start(tmp_path: Path, mode: str) -> None:
    """A mode that does not check certificate and name is refused; nothing is created."""
    url = f"postgresql://lake@db.example/lake?sslmode={mode}"
    told = CliRunner().invoke(
        app, ["serve", "--database", url, "--data-dir", str(tmp_path / "data")]
    )
    assert told.exit_code == 1
    assert "应为 sslmode 为 verify-full 或 disable 的地址" in told.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("host", "is_checked"),
    [
        ("db.example", True),
        ("10.0.0.5:5432", True),
        ("127.0.0.1,db.example", True),
        ("[2001:db8::1]:5432", True),
        ("localhost.example", True),
        ("127.0.0.1", False),
        ("127.0.0.2:5433,[::1]", False),
        ("localhost", False),
    ],
)
def test_another_machine_is_checked_unasked(host: str, *, is_checked: bool) -> None:
    """Only if every host is this machine may TLS be off."""
    tls = PostgresDsn(f"postgresql://lake@{host}/lake").make_ssl_context()
    assert bool(tls) == is_checked
    if not isinstance(tls, bool):
        assert tls.check_hostname


def test_an_authority_that_is_no_file(tmp_path: Path) -> None:
    """The refusal names its path."""
    broken = tmp_path / "ca.pem"
    broken.write_text("not a certificate")
    with pytest.raises(StoreRefused, match=r"cannot read the CA file .*ca\.pem"):
        PostgresDsn("postgresql://lake@db.example/lake", ca_file=str(broken)).make_ssl_context()


def test_a_wrong_password(tls_server: TlsServer) -> None:
    """PostgreSQL's message is shown, and no password."""
    text = refusal(
        tls_server.url("?sslmode=verify-full"), tls_server.authority, "wrong-" + CANARY[:3]
    )
    assert "password authentication failed" in text
    told = status(
        tls_server.url("?sslmode=verify-full", login=f"lake:not{CANARY}"),
        database_ca_file=str(tls_server.authority),
    )
    assert (told["state"], "密码" in told["trouble"]) == ("unreachable", True)
    assert "••••" in told["place"]


@pytest.mark.parametrize("login", ["lake", f"lake:{CANARY}", f"lake:not{CANARY}"])
def test_a_server_never_shows_the_password(tls_server: TlsServer, login: str) -> None:
    """Neither the banner nor the log has it, whether the login succeeds or not."""
    environment = {
        "HUPAN_DATABASE_CA_FILE": str(tls_server.authority),
        "HUPAN_DATABASE_PASSWORD": CANARY if login == "lake" else "",
        "HUPAN_LOG_LEVEL": "debug",
        "HUPAN_DATABASE": tls_server.url("?sslmode=verify-full", login),
    }
    data = (
        "--data-dir",
        str(tls_server.authority.parent / "data"),
    )  # every server needs the same key
    with Server("serve", *data, environment=environment) as server:
        ready = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=60).status_code
        output = server.output()
    assert ready == (503 if "not" in login else 200), output
    assert CANARY not in output
    assert f"{LOOPBACK}:{tls_server.front.port}/postgres" in output


@pytest.mark.parametrize("command", [["show"], ["show", "--json"], ["check"]])
def test_the_settings_never_show_the_password(tmp_path: Path, command: list[str]) -> None:
    """Neither the setting nor the URL shows it."""
    told = CliRunner().invoke(
        app,
        ["config", *command],
        env={
            "HUPAN_DATABASE": f"postgresql://lake:{CANARY}@db.example/lake",
            "HUPAN_DATABASE_PASSWORD": CANARY,
            "HUPAN_DATA_DIR": str(tmp_path),
        },
    )
    assert CANARY not in told.output + told.stderr
    assert told.exit_code == 0, told.output


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://lake:{CANARY}?x@db.example/lake",
        f"postgresql://lake:x#{CANARY}@db.example/lake",
        f"postgresql://lake@db.example/lake?password={CANARY}",
        f"postgresql://lake@db.example/lake?sslmode=disable&password={CANARY}",
        f"postgresql://lake:{CANARY}@db.example",
    ],
)
def test_a_url_that_hides_a_password_elsewhere(url: str) -> None:
    """It is refused, because the displayed URL would show it; the refusal does not."""
    told = CliRunner().invoke(app, ["database", "status", "--database", url])
    assert told.exit_code == 1
    assert CANARY not in told.output + told.stderr
