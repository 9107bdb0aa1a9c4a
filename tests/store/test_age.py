"""Backups in age's format: files of other programs are read, altered ones are refused.

The samples were written by the program age 1.1.1 and never passed through our own code.
"""

import base64
import io

import pytest

from hupan.age import (
    CHUNK_BYTES,
    AgeError,
    DecryptingReader,
    EncryptingWriter,
    Identity,
    InvalidKeyError,
    Passphrase,
    PublicKey,
    parse_identity,
    parse_public_key,
)

PASSPHRASE = Passphrase("correct horse battery")
BY_PASSPHRASE = base64.b64decode(
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBOR0M3a3E2c0V1bHlNTEcyOFdEdGxRIDE4CitqanIxa3BrbEQv"
    "QTB2UFhDeDhybUxNYW5qaXpEYjI3d3FORTZ1R3FydDAKLS0tIGlZbWtVNDBJK0RwcFBEUGM0UC85cmE3amlNWHQxMXM1"
    "dnhEazVPdGpUUWsKI+EQvG69sODEbDiXmDZfDRFjXongIKqV4w5Fu5uiyBcbkRIeiw=="
)
BY_KEY = base64.b64decode(
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBxb1UyWUJvUkdlclZnU2hlZzFQR0dzQk1JRjBTZWR6c3JscHcx"
    "QzJRczFVCkQ3bU9DWkVNelhwUEpPbmhkWjR1Vzg5ZURHMnFscVNuekFscUtJcE9mbEUKLS0tIHFyTys0QURGM1JJRHcz"
    "dVUzVjRxVUpMTHBCZkVmMmVpMXRJR1ppMFA0OGMKbeluFy5NHUVPoHl6rswcR1IXIJA+dw3p2itgNBxZrjJ1jUl6Cw=="
)
PUBLIC = "age1ptm7gvp48kcka25kzxke5km5n4dj9jzce6e6aszwyrs69kfe5gnsz08zev"
# A key of this test only.
SECRET = "AGE-SECRET-KEY-1ZZ7KHQWEC9GD3ZAN489A7264YRFER58ZS8LEVJK09WL6QGCZV50QTLHZSV"
IDENTITY = parse_identity(f"# public key: {PUBLIC}\n{SECRET}\n")
QUICK_LOG_N = 4


def encrypt(data: bytes, recipient: Passphrase | PublicKey) -> bytes:
    """Return an encrypted file, with a low cost for a passphrase."""
    target = io.BytesIO()
    writer = EncryptingWriter(target, recipient, log_n=QUICK_LOG_N)
    writer.write(data)
    writer.finish()
    return target.getvalue()


def decrypt(file: bytes, opener: Passphrase | Identity = PASSPHRASE) -> bytes:
    """Return the content of a file."""
    return DecryptingReader(io.BytesIO(file), opener).read()


@pytest.mark.slow
def test_a_file_of_the_program_age_is_read() -> None:
    """A file by passphrase and one by key are decrypted (security L6)."""
    assert decrypt(BY_PASSPHRASE) == b"lake\n"
    assert decrypt(BY_KEY, IDENTITY) == b"lake\n"


def test_keys_have_the_form_of_age() -> None:
    """Both halves have age's format."""
    assert str(IDENTITY.public_key) == PUBLIC
    assert IDENTITY.secret_text() == SECRET
    assert parse_public_key(f" {PUBLIC}\n") == IDENTITY.public_key


@pytest.mark.parametrize(
    "text",
    ["", "age1", PUBLIC[:-1], PUBLIC[:-1] + "w", PUBLIC.upper(), f"{PUBLIC}q", SECRET, "岸" * 62],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    """A wrong character fails the checksum."""
    with pytest.raises(InvalidKeyError):
        parse_public_key(text)
    with pytest.raises(InvalidKeyError):
        parse_identity(f"{text}\n{SECRET}" if text == SECRET else text)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 200_000])
def test_what_was_encrypted_is_decrypted(size: int) -> None:
    """This applies to data of any length, with passphrase and key."""
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    assert decrypt(encrypt(data, PASSPHRASE)) == data
    assert decrypt(encrypt(data, IDENTITY.public_key), IDENTITY) == data


def test_every_byte_counts() -> None:
    """A flipped bit anywhere in header, nonce or content is refused."""
    file = encrypt(b"lake" * 20, IDENTITY.public_key)
    for index in range(len(file)):
        damaged = bytearray(file)
        damaged[index] ^= 1
        with pytest.raises(AgeError):
            decrypt(bytes(damaged), IDENTITY)


def test_a_flipped_bit_is_refused_by_passphrase() -> None:
    """This includes the cost and the salt."""
    file = encrypt(b"lake", PASSPHRASE)
    for index in range(len(file)):
        damaged = bytearray(file)
        damaged[index] ^= 1
        with pytest.raises(AgeError):
            decrypt(bytes(damaged))


def test_every_cut_is_refused() -> None:
    """A cut between two chunks is found, because only the last chunk is marked as such."""
    file = encrypt(bytes(3 * CHUNK_BYTES), IDENTITY.public_key)
    begin = len(file) - 3 * (CHUNK_BYTES + 16)
    cuts = [*range(begin + 40), begin + CHUNK_BYTES + 16, begin + 2 * (CHUNK_BYTES + 16)]
    for length in [*cuts, len(file) - 1]:
        with pytest.raises(AgeError):
            decrypt(file[:length], IDENTITY)


def test_chunks_cannot_be_moved_or_added() -> None:
    """Each chunk is bound to its position, and nothing may follow the last one."""
    file = encrypt(bytes(2 * CHUNK_BYTES), IDENTITY.public_key)
    sealed = CHUNK_BYTES + 16
    begin = len(file) - 2 * sealed
    first, second = file[begin : begin + sealed], file[begin + sealed :]
    for altered in (second + first, first + first, first + second + second, first + second + b"x"):
        with pytest.raises(AgeError):
            decrypt(file[:begin] + altered, IDENTITY)


def test_a_bomb_is_refused_before_any_work() -> None:
    """A cost that needs a terabyte and an endless header are refused."""
    file = encrypt(b"lake", PASSPHRASE)
    for cost in (b"30", b"99", b"04", b"0", b"-1", b"999999999999"):
        with pytest.raises(AgeError):
            decrypt(file.replace(b" 4\n", b" %b\n" % cost, 1))
    endless = b"age-encryption.org/v1\n" + b"-> X25519 a\n" * 1_000_000
    with pytest.raises(AgeError):
        decrypt(endless)
    with pytest.raises(AgeError):
        decrypt(b"age-encryption.org/v1\n-> X25519 " + b"a" * 1_000_000)


def test_the_wrong_way_to_open_a_file_is_named() -> None:
    """A passphrase does not open a file for a key, nor the reverse."""
    with pytest.raises(AgeError, match="private key"):
        decrypt(encrypt(b"lake", IDENTITY.public_key))
    with pytest.raises(AgeError, match="HUPAN_BACKUP_PASSPHRASE"):
        decrypt(encrypt(b"lake", PASSPHRASE), IDENTITY)
    with pytest.raises(AgeError, match="wrong passphrase"):
        decrypt(encrypt(b"lake", PASSPHRASE), Passphrase("correct horse batterz"))
    with pytest.raises(AgeError, match="another public key"):
        decrypt(encrypt(b"lake", IDENTITY.public_key), Identity.generate())
    with pytest.raises(AgeError, match="not a backup"):
        decrypt(b"SQLite format 3\0" * 100)
    with pytest.raises(AgeError, match="newer version"):
        decrypt(b"age-encryption.org/v2\n" + bytes(100))
