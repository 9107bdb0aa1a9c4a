"""A local certificate authority that can only vouch for the known names and this machine.

There are two certificates. Clients trust the authority, whose key signs once and is never stored.
What it signed is the issuer, whose key stays and signs leaves. Critical name constraints stand in
both, so a runtime that does not understand them refuses the issuer; Java reads no constraints in
what it trusts, only those below. The issuer's key can pretend to be a sandbox, and nothing else.
"""

import contextlib
import datetime as dt
import fcntl
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hupan.connect.names import KNOWN_NAMES, LOCAL_ADDRESSES, LOCAL_NAMES

AUTHORITY_DAYS: Final = 825
LEAF_DAYS: Final = 90
RENEW_DAYS: Final = 30
TRUST_STORE_PASSWORD: Final = "changeit"  # noqa: S105 - the one of every such file: it has no secret
AUTHORITY_NAME: Final = "Hupan sandbox authority (this machine only)"
_ISSUER_NAME = "Hupan sandbox issuer (this machine only)"
_DAY = dt.timedelta(days=1)
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Authority:
    """The files of an authority.

    Attributes:
        certificate: what clients are to trust; its key is gone.
        issuer: what signs leaves, with `key`.
        chain: a leaf for the known names, the issuer and the leaf's key: what a sandbox shows.
        trust_store: the certificate for Java.
    """

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def issuer(self) -> Path:
        return self.folder / "issuer.pem"

    @property
    def chain(self) -> Path:
        return self.folder / "leaf.pem"

    @property
    def trust_store(self) -> Path:
        return self.folder / "authority.p12"

    @property
    def key(self) -> Path:
        return self.folder / "issuer-key.pem"

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS side of a server: TLS 1.2, which an old client needs, and 1.3."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.chain)
        context.set_alpn_protocols(["http/1.1"])
        return context


def prepare_authority(folder: Path, now: dt.datetime | None = None) -> Authority:
    """Return the authority of a folder; create or renew what is missing or expires soon."""
    authority, time = Authority(folder), now or dt.datetime.now(dt.UTC)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder):  # several sandboxes may start at once
        if not _is_authority_valid(authority, time):
            _make_authority(authority, time)
        if not _is_leaf_valid(authority, time):
            _make_leaf(authority, time)
    return authority


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_authority_valid(authority: Authority, now: dt.datetime) -> bool:
    """Return whether certificates and key are there, belong together, and do not expire soon."""
    try:
        certificate = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
        issuer = x509.load_pem_x509_certificate(authority.issuer.read_bytes())
        issuer.verify_directly_issued_by(certificate)
        key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
    except (OSError, ValueError, TypeError, InvalidSignature):  # TypeError: it has a password
        return False
    is_pair = key.public_key() == issuer.public_key()
    return is_pair and authority.trust_store.exists() and _is_current(certificate, now)


def _is_leaf_valid(authority: Authority, now: dt.datetime) -> bool:
    """Return whether the leaf is there, of this authority, and does not expire soon."""
    try:
        leaf = x509.load_pem_x509_certificate(authority.chain.read_bytes())
        issuer = x509.load_pem_x509_certificate(authority.issuer.read_bytes())
        leaf.verify_directly_issued_by(issuer)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return _is_current(leaf, now)


def _is_current(certificate: x509.Certificate, now: dt.datetime) -> bool:
    ends = certificate.not_valid_after_utc
    return certificate.not_valid_before_utc <= now and now + RENEW_DAYS * _DAY < ends


def _make_authority(authority: Authority, now: dt.datetime) -> None:
    root_key, issuer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _constrain(_begin(AUTHORITY_NAME, root_key, now, AUTHORITY_DAYS), path_length=1)
    certificate = root.issuer_name(_name(AUTHORITY_NAME)).sign(root_key, hashes.SHA256())
    draft = _constrain(_begin(_ISSUER_NAME, issuer_key, now, AUTHORITY_DAYS), path_length=0)
    issuer = (
        draft.issuer_name(certificate.subject)
        .add_extension(_key_of(root_key), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    _write(authority.key, _private_bytes(issuer_key))
    _write(authority.issuer, issuer.public_bytes(_PEM))
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(10_000)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(TRUST_STORE_PASSWORD.encode())
    )
    trusted = [pkcs12.PKCS12Certificate(certificate, b"hupan")]
    _write(authority.trust_store, pkcs12.serialize_java_truststore(trusted, encryption))
    _write(authority.certificate, certificate.public_bytes(_PEM))


def _make_leaf(authority: Authority, now: dt.datetime) -> None:
    issuer = x509.load_pem_x509_certificate(authority.issuer.read_bytes())
    issuer_key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is of another kind")
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [
        *map(x509.DNSName, (*KNOWN_NAMES, *LOCAL_NAMES)),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in LOCAL_ADDRESSES),
    ]
    certificate = (
        _begin(KNOWN_NAMES[0], key, now, LEAF_DAYS)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_key_of(issuer_key), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    chain = certificate.public_bytes(_PEM) + issuer.public_bytes(_PEM)
    _write(authority.chain, chain + _private_bytes(key))


def _constrain(draft: x509.CertificateBuilder, path_length: int) -> x509.CertificateBuilder:
    """Let a certificate sign only for servers of the known names and this machine."""
    subtrees: list[x509.GeneralName] = [
        *map(x509.DNSName, (*KNOWN_NAMES, *LOCAL_NAMES)),
        *(x509.IPAddress(ipaddress.ip_network(address)) for address in LOCAL_ADDRESSES),
    ]
    return (
        draft.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(x509.NameConstraints(subtrees, None), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )


def _key_of(issuer_key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())


def _begin(
    name: str, key: ec.EllipticCurvePrivateKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(subject_name=_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + (days - 1) * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    Path(name).replace(path)
