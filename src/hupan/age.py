"""Encryption of files in the format of age (age-encryption.org/v1), by passphrase or public key.

The format is public and other programs read it, so a backup can be opened without Hupan. A file
begins with a header that wraps a random file key; 64 KiB chunks follow, each authenticated, the
last one marked: a file that was cut, altered or reordered is refused (decision 45).
"""

import base64
import binascii
import hashlib
import hmac
import io
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hupan.localized import LocalizedError

MAGIC = b"age-encryption.org/v1\n"
_ANY_VERSION = b"age-encryption.org/"
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
_FILE_KEY_BYTES, _NONCE_BYTES, _SALT_BYTES = 16, 16, 16
_MAX_HEADER_BYTES, _MAX_STANZAS = 8192, 20
SCRYPT_LOG_N = 17
"""128 MiB for about half a second, as OWASP recommends for scrypt."""
MAX_SCRYPT_LOG_N = 19
"""A file that asks for more than 512 MiB is refused before any work."""
_SCRYPT_BLOCK = 8
_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_X25519_LABEL = b"age-encryption.org/v1/X25519"
_STANZA_LINE = re.compile(r"[A-Za-z0-9+/]{0,64}")
PUBLIC_PREFIX, IDENTITY_PREFIX = "age", "age-secret-key-"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6


class AgeError(LocalizedError):
    """A file cannot be decrypted; the text says why."""


class InvalidKeyError(LocalizedError):
    """A text is not a public key, or not an identity."""


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A secret that people remember; encrypts and decrypts."""

    text: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Encrypts; only the identity that it was made from decrypts."""

    raw: bytes

    def __str__(self) -> str:
        return _bech32_encode(PUBLIC_PREFIX, self.raw)


@dataclass(frozen=True, slots=True)
class Identity:
    """The private half of a public key."""

    raw: bytes

    @classmethod
    def generate(cls) -> "Identity":
        return cls(secrets.token_bytes(32))

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(
            X25519PrivateKey.from_private_bytes(self.raw).public_key().public_bytes_raw()
        )

    def secret_text(self) -> str:
        """Return the text to keep in a file: its holder can decrypt."""
        return _bech32_encode(IDENTITY_PREFIX, self.raw).upper()


Recipient = Passphrase | PublicKey
Opener = Passphrase | Identity


def parse_public_key(text: str) -> PublicKey:
    """Return the key of a text that begins with `age1`.

    Raises:
        InvalidKeyError: it is not a key.
    """
    raw = _bech32_decode(PUBLIC_PREFIX, text.strip())
    if raw is None:
        raise InvalidKeyError("不是 age1 开头的公钥", "not a public key that begins with age1")
    return PublicKey(raw)


def parse_identity(text: str) -> Identity:
    """Return the identity in the text of a file; lines that begin with # are comments.

    Raises:
        InvalidKeyError: there is none, or more than one.
    """
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    raw = _bech32_decode(IDENTITY_PREFIX, found[0].lower()) if len(found) == 1 else None
    if raw is None:
        raise InvalidKeyError(
            "文件中应只有一个 AGE-SECRET-KEY-1 开头的私钥",
            "the file must contain one private key that begins with AGE-SECRET-KEY-1",
        )
    return Identity(raw)


class EncryptingWriter(io.RawIOBase):
    """Encrypts what is written to a file; only `finish` makes the file whole.

    Args:
        target: takes the encrypted file; stays open.
        recipient: the key or passphrase that decrypts it.
        log_n: the cost of a passphrase.
    """

    def __init__(
        self, target: BinaryIO, recipient: Recipient, *, log_n: int = SCRYPT_LOG_N
    ) -> None:
        self._target = target
        self.file_key = secrets.token_bytes(_FILE_KEY_BYTES)
        self._pending = bytearray()
        target.write(_make_header(recipient, self.file_key, log_n))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        target.write(nonce)
        self._cipher = _payload_cipher(self.file_key, nonce)
        self._number = 0

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]  # any buffer will do
        """Encrypt whole chunks; the last one waits for `finish`."""
        self._pending += data
        while len(self._pending) > CHUNK_BYTES:
            self._write_chunk(bytes(self._pending[:CHUNK_BYTES]), is_last=False)
            del self._pending[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk, which marks the end."""
        self._write_chunk(bytes(self._pending), is_last=True)
        self._pending.clear()

    def _write_chunk(self, chunk: bytes, *, is_last: bool) -> None:
        nonce = _chunk_nonce(self._number, is_last=is_last)
        self._target.write(self._cipher.encrypt(nonce, chunk, None))
        self._number += 1


class DecryptingReader(io.RawIOBase):
    """Decrypts a file while it is read; every byte that it returns was authenticated.

    Args:
        source: the encrypted file; stays open.
        opener: decrypts the header, or the file key itself.

    Raises:
        AgeError: it is not such a file, or not for this passphrase or key.
    """

    def __init__(self, source: BinaryIO, opener: Opener | bytes) -> None:
        self._source = source
        file_key = _read_file_key(source, opener)
        nonce = source.read(_NONCE_BYTES)
        if len(nonce) < _NONCE_BYTES:
            raise _cut_error()
        self._cipher = _payload_cipher(file_key, nonce)
        self._number = 0
        self._chunk = memoryview(b"")
        self._next = source.read(CHUNK_BYTES + TAG_BYTES)
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray", /) -> int:  # type: ignore[override]  # any buffer will do
        """Read decrypted bytes.

        Raises:
            AgeError: the file was cut or altered.
        """
        while not self._chunk and not self._is_over:
            self._read_chunk()
        size = min(len(buffer), len(self._chunk))
        buffer[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size

    def _read_chunk(self) -> None:
        sealed, self._next = self._next, self._source.read(CHUNK_BYTES + TAG_BYTES)
        is_last = not self._next
        try:
            chunk = self._cipher.decrypt(_chunk_nonce(self._number, is_last=is_last), sealed, None)
        except InvalidTag:
            raise self._explain(sealed, is_last=is_last) from None
        self._number += 1
        self._is_over = is_last
        self._chunk = memoryview(chunk)

    def _explain(self, sealed: bytes, *, is_last: bool) -> AgeError:
        """Return what is wrong with a chunk: its end is missing, or it was altered."""
        if is_last and (len(sealed) < TAG_BYTES or self._opens(sealed, is_last=False)):
            return _cut_error()
        if not is_last and self._opens(sealed, is_last=True):
            return AgeError(
                "备份文件的末尾之后还有多余的内容", "unexpected data after the end of the backup"
            )
        position = self._number * CHUNK_BYTES
        return AgeError(
            f"备份文件已损坏或不完整（约第 {position} 字节处），请使用另一份备份",
            f"the backup is damaged or cut off (near byte {position}): use another one",
        )

    def _opens(self, sealed: bytes, *, is_last: bool) -> bool:
        try:
            self._cipher.decrypt(_chunk_nonce(self._number, is_last=is_last), sealed, None)
        except InvalidTag:
            return False
        return True


def _cut_error() -> AgeError:
    return AgeError(
        "备份文件不完整，末尾缺失，请使用另一份备份",
        "the backup is cut off, its end is missing: use another one",
    )


def _chunk_nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11) + (b"\1" if is_last else b"\0")


def _payload_cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload"))


def _hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """Return 32 bytes by HKDF-SHA-256 (RFC 5869)."""
    return hmac.digest(hmac.digest(salt or bytes(32), secret, "sha256"), info + b"\1", "sha256")


def _header_mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_hkdf(file_key, b"", b"header"), header, "sha256")


def _encode(raw: bytes) -> bytes:
    return base64.b64encode(raw).rstrip(b"=")


def _decode(text: str, size: int) -> bytes | None:
    """Decode unpadded base64; return None unless it is canonical and of this size."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size and _encode(raw).decode() == text else None


def _make_header(recipient: Recipient, file_key: bytes, log_n: int) -> bytes:
    if isinstance(recipient, Passphrase):
        salt = secrets.token_bytes(_SALT_BYTES)
        key = _scrypt(recipient.text, salt, log_n)
        line = b"-> scrypt %b %d\n" % (_encode(salt), log_n)
    else:
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient.raw))
        key = _hkdf(shared, share + recipient.raw, _X25519_LABEL)
        line = b"-> X25519 %b\n" % _encode(share)
    body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
    header = MAGIC + line + _encode(body) + b"\n---"
    return header + b" " + _encode(_header_mac(file_key, header)) + b"\n"


def _scrypt(passphrase: str, salt: bytes, log_n: int) -> bytes:
    memory = 128 * _SCRYPT_BLOCK * 2**log_n
    return hashlib.scrypt(
        passphrase.encode(),
        salt=_SCRYPT_LABEL + salt,
        n=2**log_n,
        r=_SCRYPT_BLOCK,
        p=1,
        maxmem=memory + 2**20,
        dklen=32,
    )


@dataclass(frozen=True, slots=True)
class _Stanza:
    """One way to the file key."""

    arguments: Sequence[str]
    body: str


def _read_file_key(source: BinaryIO, opener: Opener | bytes) -> bytes:
    header, stanzas, mac = _read_header(source)
    file_key = opener if isinstance(opener, bytes) else _unwrap(stanzas, opener)
    if not hmac.compare_digest(_header_mac(file_key, header), mac):
        raise AgeError("备份文件的头部被改动过", "the header of the backup was altered")
    return file_key


def _read_header(source: BinaryIO) -> tuple[bytes, list[_Stanza], bytes]:
    """Return what the MAC covers, the stanzas and the MAC."""
    first = source.readline(_MAX_HEADER_BYTES)
    if first != MAGIC:
        raise _not_a_backup(first)
    covered, stanzas = bytearray(first), list[_Stanza]()
    while len(covered) < _MAX_HEADER_BYTES and len(stanzas) <= _MAX_STANZAS:
        line = _read_line(source)
        if line.startswith("--- "):
            mac = _decode(line.removeprefix("--- "), 32)
            if mac is None or not stanzas:
                break
            return bytes(covered + b"---"), stanzas, mac
        if not line.startswith("-> "):
            break
        body = ""
        covered += f"{line}\n".encode()
        while True:
            part = _read_line(source)
            covered += f"{part}\n".encode()
            body += part
            if not _STANZA_LINE.fullmatch(part) or len(covered) > _MAX_HEADER_BYTES:
                raise _bad_header()
            if len(part) < 64:  # noqa: PLR2004 - a shorter line ends the body
                break
        stanzas.append(_Stanza(line.removeprefix("-> ").split(" "), body))
    raise _bad_header()


def _read_line(source: BinaryIO) -> str:
    line = source.readline(_MAX_HEADER_BYTES)
    if not line.endswith(b"\n"):
        raise _bad_header() if len(line) == _MAX_HEADER_BYTES else _cut_error()
    try:
        return line[:-1].decode("ascii")
    except UnicodeDecodeError:
        raise _bad_header() from None


def _not_a_backup(first: bytes) -> AgeError:
    if first.startswith(_ANY_VERSION):
        return AgeError(
            "备份文件的加密格式由更新的程序写入，请升级程序",
            "the encryption of the backup is of a newer version: upgrade the program",
        )
    if MAGIC.startswith(first):
        return _cut_error()
    return AgeError(
        "该文件不是湖畔的备份，或开头已损坏",
        "this file is not a backup of Hupan, or its beginning is damaged",
    )


def _bad_header() -> AgeError:
    return AgeError("备份文件的头部已损坏", "the header of the backup is damaged")


def _unwrap(stanzas: Sequence[_Stanza], opener: Opener) -> bytes:
    if isinstance(opener, Passphrase):
        return _unwrap_by_passphrase(stanzas, opener.text)
    wanted = [stanza for stanza in stanzas if stanza.arguments[0] == "X25519"]
    if not wanted:
        raise AgeError(
            "该备份由口令加密：请设置 HUPAN_BACKUP_PASSPHRASE",
            "this backup is encrypted with a passphrase: set HUPAN_BACKUP_PASSPHRASE",
        )
    for stanza in wanted:
        file_key = _unwrap_by_identity(stanza, opener)
        if file_key is not None:
            return file_key
    raise AgeError(
        "私钥不符：该备份由另一个公钥加密",
        "wrong private key: the backup was encrypted for another public key",
    )


def _unwrap_by_passphrase(stanzas: Sequence[_Stanza], passphrase: str) -> bytes:
    if [stanza.arguments[0] for stanza in stanzas] != ["scrypt"]:
        raise AgeError(
            "该备份由公钥加密：请用 --key-file 指定私钥文件",
            "this backup is encrypted for a public key: specify the private key file with "
            "--key-file",
        )
    arguments = [*stanzas[0].arguments[1:], "", ""]
    salt = _decode(arguments[0], _SALT_BYTES)
    if salt is None or not re.fullmatch("[1-9][0-9]?", arguments[1]):
        raise _bad_header()
    log_n = int(arguments[1])
    if log_n > MAX_SCRYPT_LOG_N:
        raise AgeError(
            f"备份文件要求过高的计算量（2^{log_n}，上限 2^{MAX_SCRYPT_LOG_N}）",
            f"the backup requires too much work (2^{log_n}, at most 2^{MAX_SCRYPT_LOG_N})",
        )
    file_key = _unseal(_scrypt(passphrase, salt, log_n), stanzas[0].body)
    if file_key is None:
        raise AgeError(
            "口令不正确，或备份文件的头部已损坏",
            "wrong passphrase, or the header of the backup is damaged",
        )
    return file_key


def _unwrap_by_identity(stanza: _Stanza, identity: Identity) -> bytes | None:
    share = _decode(stanza.arguments[-1], 32)
    if share is None:
        raise _bad_header()
    private = X25519PrivateKey.from_private_bytes(identity.raw)
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:  # a share of low order
        raise _bad_header() from None
    key = _hkdf(shared, share + private.public_key().public_bytes_raw(), _X25519_LABEL)
    return _unseal(key, stanza.body)


def _unseal(key: bytes, body: str) -> bytes | None:
    sealed = _decode(body, _FILE_KEY_BYTES + TAG_BYTES)
    if sealed is None:
        raise _bad_header()
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), sealed, None)
    except InvalidTag:
        return None


def _bech32_encode(prefix: str, raw: bytes) -> str:
    """Return Bech32 (BIP 173) without its limit on length."""
    bits = int.from_bytes(raw) << (-len(raw) * 8 % 5)
    count = -(-len(raw) * 8 // 5)
    values = [bits >> 5 * (count - 1 - index) & 31 for index in range(count)]
    padded = _bech32_checksum([*_expand(prefix), *values, *[0] * _CHECKSUM_LENGTH]) ^ 1
    checksum = [padded >> 5 * (5 - index) & 31 for index in range(_CHECKSUM_LENGTH)]
    return f"{prefix}1{''.join(_BECH32[value] for value in [*values, *checksum])}"


def _bech32_decode(prefix: str, text: str) -> bytes | None:
    """Decode the 32 bytes in a text; return None if it is not valid."""
    data = text.removeprefix(f"{prefix}1")
    if data == text or len(data) != 52 + _CHECKSUM_LENGTH or not set(data) <= set(_BECH32):
        return None
    values = [_BECH32.index(character) for character in data]
    if _bech32_checksum([*_expand(prefix), *values]) != 1:
        return None
    bits = 0
    for value in values[:-_CHECKSUM_LENGTH]:
        bits = bits << 5 | value
    return None if bits & 0b1111 else (bits >> 4).to_bytes(32)


def _expand(prefix: str) -> list[int]:
    codes = prefix.encode()
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _bech32_checksum(values: Sequence[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for index, generator in enumerate(_BECH32_GENERATORS):
            checksum ^= generator if top >> index & 1 else 0
    return checksum
