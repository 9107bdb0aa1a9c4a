"""The server's secret key, and the encryption and keyed hashes derived from it (security C1, P7).

The key is stored in a file outside the store, so a copy of the store alone reveals neither a code
nor a captcha (security C1, P7). Each purpose has its own key, derived from that one.
"""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hupan.library_errors import localize_reason
from hupan.localized import LocalizedError
from hupan.ownership import chown_to_folder_owner

KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyFileError(LocalizedError):
    """The key file cannot be used; the text says why, in Chinese and English."""


class SecretBox:
    """Encrypts values so that only a server with the same key decrypts them."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._ciphers: dict[str, AESGCM] = {}

    def derive_key(self, purpose: str) -> bytes:
        """Return the key of one purpose, 32 bytes."""
        return hmac.digest(self._key, purpose.encode(), "sha256")

    def mac(self, purpose: str, *parts: str) -> bytes:
        """Return HMAC-SHA-256 over the parts, each preceded by its length to keep them apart."""
        encoded = [part.encode() for part in parts]
        text = b"".join(len(part).to_bytes(4) + part for part in encoded)
        return hmac.digest(self.derive_key(purpose), text, "sha256")

    def encrypt(self, purpose: str, plaintext: bytes) -> bytes:
        """Encrypt and authenticate: nonce, then AES-256-GCM."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher(purpose).encrypt(nonce, plaintext, None)

    def decrypt(self, purpose: str, ciphertext: bytes) -> bytes | None:
        """Return what was encrypted, or None if not with this key for this purpose."""
        try:
            return self._cipher(purpose).decrypt(
                ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], None
            )
        except (InvalidTag, ValueError):
            return None

    def _cipher(self, purpose: str) -> AESGCM:
        if purpose not in self._ciphers:
            self._ciphers[purpose] = AESGCM(self.derive_key(purpose))
        return self._ciphers[purpose]


def key_fingerprint(key: bytes) -> int:
    """Return what a store keeps of its key: detects another key, reveals nothing of this one."""
    return int.from_bytes(SecretBox(key).mac("fingerprint")[:8]) >> 1 or 1


def load_existing_key(path: Path) -> bytes:
    """Read the key file without ever creating one.

    Raises:
        KeyFileError: it does not exist, others can read it, or it contains no key.
    """
    if not path.exists():
        raise KeyFileError(
            f"缺少密钥文件，请从备份恢复：{path}", f"the key file is missing: restore {path}"
        )
    return load_or_create_key(path)


SANDBOX_KEY = hashlib.sha256(b"the key of every new sandbox").digest()
"""Known to all, like everything in a sandbox; so a snapshot is valid in another one."""


def check_key_is_secret(path: Path, key: bytes) -> None:
    """Refuse a sandbox's key for a server: the key is public and would decrypt codes and captchas.

    Raises:
        KeyFileError: a sandbox created the key file.
    """
    if key == SANDBOX_KEY:
        raise KeyFileError(
            f"密钥文件 {path} 来自沙盒，人人都知道其内容，不能用于正式服务；"
            "请删除它，或换一个数据目录",
            f"a sandbox created the key file {path}, so its content is public: delete it, or "
            "choose another data directory",
        )


def load_or_create_key(path: Path, new_key: bytes = b"") -> bytes:
    """Read the key file; create it if it does not exist.

    Args:
        path: the path of the file.
        new_key: what a new file holds; a random key if empty.

    Raises:
        KeyFileError: others can read it (security L3), or it contains no key.
    """
    try:
        return _read_or_create_key(path, new_key)
    except OSError as error:
        reason = localize_reason(error)
        raise KeyFileError(
            f"无法使用密钥文件 {path}：{reason.zh}",
            f"cannot use the key file {path}: {reason.en}",
        ) from error


def _read_or_create_key(path: Path, new_key: bytes) -> bytes:
    if not path.exists():
        _create_key_file(path, new_key or secrets.token_bytes(KEY_BYTES))
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(
            f"密钥文件权限过宽，应为 0600：{path}", f"the key file must have mode 0600: {path}"
        )
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise KeyFileError(
            f"密钥文件已损坏，应为 {KEY_BYTES} 字节：{path}",
            f"the key file does not contain {KEY_BYTES} bytes: {path}",
        )
    return key


def _create_key_file(path: Path, key: bytes) -> None:
    """Write a new key under another name first, so that a half-written key is never read."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        chown_to_folder_owner(file.fileno(), path.parent)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails if another process was first; its key is as good
    except FileExistsError:
        pass
    finally:
        draft.unlink()
