"""How runtimes treat the authority, and its key if it is stolen (kit K-11).

The story: the constraints were in the certificate that clients trust. OpenSSL reads them
there; Java does not, and accepted a certificate for example.com signed with the same key.
"""

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from hupan.connect.authority import Authority, prepare_authority
from tests.support.browser import find_chromium
from tests.support.forged_leaves import Forgery, forge_leaf, tls_server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

STACKS = Path(__file__).parents[1] / "support/stacks"
RIGHT = ("chat-go.jwzhd.com", "upload-z2.qiniup.com", "localhost", "127.0.0.1")
FORGED: tuple[tuple[str, Forgery], ...] = (
    ("example.com", "leaf"),
    ("jwzhd.com", "leaf"),
    ("evil-chat-go.jwzhd.com", "leaf"),
    ("192.0.2.1", "leaf"),
    ("127.0.0.2", "leaf"),
    ("example.com", "common name"),
    ("example.com", "sub-authority"),
    ("chat-go.jwzhd.com", "sub-authority"),
)
EXPECTED = ["accepted"] * len(RIGHT) + ["refused"] * len(FORGED)
Target = tuple[int, str]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return a new authority."""
    return prepare_authority(tmp_path_factory.mktemp("connect") / "authority")


@pytest.fixture(scope="module")
def targets(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Target]]:
    """Yield ports of servers with the names of their certificates: the valid ones first."""
    folder = tmp_path_factory.mktemp("forged")
    with ExitStack() as stack:
        own = stack.enter_context(tls_server(authority.chain))
        chains = [(name, forge_leaf(authority, folder, name, forgery)) for name, forgery in FORGED]
        forged = [(stack.enter_context(tls_server(chain)), name) for name, chain in chains]
        yield [*((own, name) for name in RIGHT), *forged]


def words(targets: list[Target]) -> list[str]:
    """Return the targets as arguments for the programs of other runtimes."""
    return [f"{port}={name}" for port, name in targets]


def run(*command: str, environment: dict[str, str] | None = None) -> list[str]:
    """Return the lines that a program prints."""
    done = subprocess.run(  # noqa: S603 - the tests' own programs
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_python(authority: Authority, targets: list[Target]) -> None:
    """The ssl module accepts it, with its default context."""
    context = ssl.create_default_context(cafile=str(authority.certificate))

    def shake_hands(port: int, name: str) -> str:
        with socket.create_connection(("127.0.0.1", port), 30) as plain:
            try:
                context.wrap_socket(plain, server_hostname=name).close()
            except ssl.SSLCertVerificationError:
                return "refused"
            return "accepted"

    assert [shake_hands(port, name) for port, name in targets] == EXPECTED


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl(authority: Authority, targets: list[Target]) -> None:
    """The `openssl` program accepts it, as a client."""

    def shake_hands(port: int, name: str) -> str:
        kind = "ip" if name[0].isdecimal() else "hostname"
        done = subprocess.run(  # noqa: S603 - the system's openssl
            [
                *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-verify_return_error"),
                *("-CAfile", str(authority.certificate), f"-verify_{kind}", name),
            ],
            input=b"",
            capture_output=True,
            check=False,
            timeout=60,
        )
        return "refused" if done.returncode else "accepted"

    assert [shake_hands(port, name) for port, name in targets] == EXPECTED


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node(authority: Authority, targets: list[Target]) -> None:
    """Node accepts it, configured by `NODE_EXTRA_CA_CERTS`."""
    trust = {"NODE_EXTRA_CA_CERTS": str(authority.certificate)}
    assert run("node", str(STACKS / "trust.cjs"), *words(targets), environment=trust) == EXPECTED


@pytest.mark.skipif(shutil.which("javac") is None, reason="java is not installed")
def test_java(authority: Authority, targets: list[Target]) -> None:
    """Java accepts it, with the trust store of the folder."""
    program = ("java", str(STACKS / "Trust.java"))
    assert run(*program, str(authority.trust_store), *words(targets)) == EXPECTED


FETCH = """(urls) => Promise.all(urls.map((url) =>
  fetch(url, {mode: "no-cors"}).then(() => "accepted", () => "refused")))"""


@pytest.mark.skipif(shutil.which("certutil") is None, reason="certutil is not installed")
def test_chromium(authority: Authority, targets: list[Target], tmp_path: Path) -> None:
    """Chromium accepts it, with the authority in the user's NSS database."""
    path = find_chromium()
    if path is None:
        pytest.skip("chromium is not installed")
    folder = tmp_path / ".pki/nssdb"
    folder.mkdir(parents=True)
    database = ("-d", f"sql:{folder}")
    run("certutil", "-N", *database, "--empty-password")
    run("certutil", "-A", *database, "-n", "x", "-t", "C,,", "-i", str(authority.certificate))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            env={**os.environ, "HOME": str(tmp_path)},
            args=[
                *(["--no-sandbox"] if os.getuid() == 0 else []),
                "--host-resolver-rules=MAP * 127.0.0.1",
            ],
        )
        page, failures = browser.new_page(), dict[str, str]()
        page.on("requestfailed", lambda it: failures.update({it.url: it.failure or ""}))
        port, name = targets[0]
        page.goto(f"https://{name}:{port}/")
        found = page.evaluate(FETCH, [f"https://{name}:{port}/" for port, name in targets])
        browser.close()
    assert found == EXPECTED
    assert len(failures) == len(FORGED)
    assert all(why.startswith("net::ERR_CERT_") for why in failures.values()), failures
