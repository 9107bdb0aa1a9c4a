"""Decrypts a backup without Hupan: open_backup.py FILE [KEY_FILE] | tar xz (docs/backup.md)."""

import base64
import hashlib
import hmac
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def decode(text: str) -> bytes:
    """Base64 without padding."""
    return base64.b64decode(text + "=" * (-len(text) % 4))


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes by HKDF-SHA-256."""
    return hmac.digest(hmac.digest(salt, secret, "sha256"), info + b"\1", "sha256")


with Path(sys.argv[1]).open("rb") as file:
    lines = [file.readline() for _ in range(4)]
    kind, *arguments = lines[1].decode().split()[1:]
    if kind == "scrypt":
        phrase, salt, n = (
            os.environ["HUPAN_BACKUP_PASSPHRASE"],
            decode(arguments[0]),
            2 ** int(arguments[1]),
        )
        salt = b"age-encryption.org/v1/scrypt" + salt
        key = hashlib.scrypt(phrase.encode(), salt=salt, n=n, r=8, p=1, maxmem=2**30, dklen=32)
    else:
        secret = Path(sys.argv[2]).read_text().split()[-1].lower().removeprefix("age-secret-key-1")
        number = sum(BECH32.index(c) << 5 * i for i, c in enumerate(reversed(secret[:-6])))
        private = X25519PrivateKey.from_private_bytes((number >> 4).to_bytes(32))
        share = decode(arguments[0])
        shared = private.exchange(X25519PublicKey.from_public_bytes(share))
        ours = private.public_key().public_bytes_raw()
        key = hkdf(shared, share + ours, b"age-encryption.org/v1/X25519")
    file_key = ChaCha20Poly1305(key).decrypt(bytes(12), decode(lines[2].decode().strip()), None)
    mac = hmac.digest(hkdf(file_key, bytes(32), b"header"), b"".join(lines[:3]) + b"---", "sha256")
    assert decode(lines[3].decode().split()[1]) == mac, "the header was altered"  # noqa: S101 - a script
    cipher, number = ChaCha20Poly1305(hkdf(file_key, file.read(16), b"payload")), 0
    chunk, after = file.read(65552), file.read(65552)
    while chunk:
        nonce = number.to_bytes(11) + bytes([not after])
        sys.stdout.buffer.write(cipher.decrypt(nonce, chunk, None))
        chunk, after, number = after, file.read(65552), number + 1
