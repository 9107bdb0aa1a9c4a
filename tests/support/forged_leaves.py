"""What a thief of the issuer's key could make with it, and servers that present it."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hupan.connect.authority import Authority

_DAY = dt.timedelta(days=1)
_PEM = serialization.Encoding.PEM
Forgery = Literal["leaf", "common name", "sub-authority"]


def forge_leaf(authority: Authority, folder: Path, name: str, forgery: Forgery = "leaf") -> Path:
    """Return a file with a chain for another name, signed with the key of the folder.

    Args:
        authority: whose key it is.
        folder: where the file is made.
        name: a host name or an address.
        forgery: a leaf, one that has the name as its common name alone, or one that a further
            authority signed, for which the key vouches.
    """
    issuer = x509.load_pem_x509_certificate(authority.issuer.read_bytes())
    issuer_key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    above = issuer.public_bytes(_PEM)
    key = ec.generate_private_key(ec.SECP256R1())
    if forgery == "sub-authority":
        middle = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        between = (
            _begin("a further authority", middle, issuer)
            .add_extension(constraints, critical=True)
            .sign(issuer_key, hashes.SHA256())
        )
        issuer, issuer_key = between, middle
        above = between.public_bytes(_PEM) + above
    draft = _begin(name, key, issuer)
    if forgery != "common name":
        names = x509.SubjectAlternativeName([_alternative(name)])
        draft = draft.add_extension(names, critical=False)
    leaf = draft.sign(issuer_key, hashes.SHA256())
    private = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{forgery} for {name.replace(':', '-')}.pem"
    path.write_bytes(leaf.public_bytes(_PEM) + above + private)
    return path


def _begin(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextmanager
def tls_server(chain: Path) -> Iterator[int]:
    """Serve one page to every client that accepts a chain; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port: int = listener.getsockname()[1]
        threading.Thread(target=_serve, args=(listener, context), daemon=True).start()
        yield port
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):  # the listener has been shut down
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=_answer, args=(plain, context), daemon=True).start()


def _answer(plain: socket.socket, context: ssl.SSLContext) -> None:
    with plain, contextlib.suppress(OSError):
        plain.settimeout(30)
        with context.wrap_socket(plain, server_side=True) as connection:
            if connection.recv(4096):
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
                )
