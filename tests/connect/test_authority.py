"""What a sandbox's authority can certify, and for how long (kit K-11)."""

import datetime as dt
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from hupan.connect.authority import Authority, prepare_authority
from hupan.connect.front import Front
from hupan.connect.names import KNOWN_NAMES
from tests.support.forged_leaves import forge_leaf

pytestmark = pytest.mark.one_engine

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return a new authority."""
    return prepare_authority(tmp_path_factory.mktemp("connect") / "authority")


def handshake(chain: Path, trusted: Path, name: str) -> None:
    """Shake hands in memory between a client that asks for a name and a server with a chain."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(chain)
    client_context = ssl.create_default_context(cafile=str(trusted))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize("name", [*KNOWN_NAMES, "localhost", "127.0.0.1", "::1"])
def test_known_names_are_accepted(authority: Authority, name: str) -> None:
    """Python accepts them without the system's root certificates."""
    handshake(authority.chain, authority.certificate, name)


@pytest.mark.parametrize("name", ["example.com", "jwzhd.com", "www.jwzhd.com", "192.0.2.1"])
def test_its_key_is_of_no_use_for_other_names(
    authority: Authority, name: str, tmp_path: Path
) -> None:
    """Even with the key, Python refuses a certificate for another name."""
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(forge_leaf(authority, tmp_path, name), authority.certificate, name)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_agrees(authority: Authority, tmp_path: Path) -> None:
    """Under its strictest rules the leaf is valid, and one for example.com is not."""
    trust = ["-CAfile", str(authority.certificate), "-untrusted", str(authority.issuer)]
    right = ["openssl", "verify", "-x509_strict", *trust, str(authority.chain)]
    done = subprocess.run(right, capture_output=True, check=False)  # noqa: S603 - our own files
    assert done.returncode == 0, done.stderr
    wrong = ["openssl", "verify", *trust, str(forge_leaf(authority, tmp_path, "example.com"))]
    done = subprocess.run(wrong, capture_output=True, check=False)  # noqa: S603 - our own files
    assert b"permitted subtree violation" in done.stdout + done.stderr


def test_constraints_are_critical(authority: Authority) -> None:
    """A runtime that does not support them refuses the authority."""
    for path in (authority.certificate, authority.issuer):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        assert certificate.extensions.get_extension_for_class(x509.NameConstraints).critical
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]  # no mail, no programs
        lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert lifetime <= dt.timedelta(days=825)


def test_the_trusted_key_is_gone(authority: Authority) -> None:
    """No file has the trusted key; Java would accept anything that it signs."""
    trusted = x509.load_pem_x509_certificate(authority.certificate.read_bytes()).public_key()
    texts = {path: path.read_bytes() for path in authority.folder.iterdir()}
    private = [path for path, text in texts.items() if b"PRIVATE KEY" in text]
    assert sorted(private) == [authority.key, authority.chain]
    for path in private:
        begin = texts[path].index(b"-----BEGIN PRIVATE KEY")
        key = serialization.load_pem_private_key(texts[path][begin:], None)
        assert key.public_key() != trusted


def test_only_the_owner_reads_the_key(authority: Authority) -> None:
    """Only the owner can read the folder and its files."""
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in authority.folder.iterdir()} == {0o600}


def test_what_ends_soon_is_renewed(tmp_path: Path) -> None:
    """A leaf lives 90 days, and is renewed before it expires."""
    folder = tmp_path / "authority"
    first = prepare_authority(folder).chain.read_bytes()
    root = Authority(folder).certificate.read_bytes()
    assert prepare_authority(folder, NOW + 30 * DAY).chain.read_bytes() == first
    assert prepare_authority(folder, NOW + 70 * DAY).chain.read_bytes() != first
    assert Authority(folder).certificate.read_bytes() == root
    prepare_authority(folder, NOW + 800 * DAY)
    assert Authority(folder).certificate.read_bytes() != root


@pytest.mark.parametrize("damage", ["authority.pem", "issuer.pem", "issuer-key.pem", "leaf.pem"])
def test_files_that_do_not_belong_together(damage: str, tmp_path: Path) -> None:
    """Files of a killed run are replaced, as are unreadable ones."""
    one, other = (prepare_authority(tmp_path / name) for name in ("one", "other"))
    for content in ((other.folder / damage).read_bytes(), b"x"):
        (one.folder / damage).write_bytes(content)
        handshake(prepare_authority(one.folder).chain, one.certificate, "localhost")


def test_several_that_start_at_once(tmp_path: Path) -> None:
    """Concurrent starts make one authority."""
    folder, barrier = tmp_path / "authority", threading.Barrier(8)

    def prepare(_: int) -> bytes:
        barrier.wait()
        return prepare_authority(folder).chain.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        chains = set(pool.map(prepare, range(8)))
    assert len(chains) == 1
    handshake(Authority(folder).chain, Authority(folder).certificate, "localhost")


@pytest.mark.parametrize("line", [b"GET http://chat-go.jwzhd.com/ a b", b"GET", b"CONNECT x"])
def test_what_is_no_request(
    authority: Authority, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy closes the connection or refuses it, and reveals nothing about its code."""
    with (
        socket.create_server(("127.0.0.1", 0)) as behind,
        Front(behind.getsockname()[1], authority.server_context(), proxy=True) as front,
        socket.create_connection(("127.0.0.1", front.port), 20) as client,
    ):
        client.sendall(line + b"\r\n\r\n")
        assert client.recv(100)[:12] in {b"", b"HTTP/1.1 403"}
    assert not caplog.records
