"""Uploaded pictures: tokens, keys, addresses, storage and deletion (wire.md 8.4, security U3).

A client chooses the key of its upload; the file has a random name, and only that is public.
An account has a key for itself: two accounts may use the same one, and the address that contains
the key shows the picture of the account that had it first, so no account can replace what another
one's address shows.

No crash leaves a file that nothing will delete: before a file is written, its name is stored with a
time at which it is deleted (`picture_removals`), and the transaction that makes the picture visible
takes this back. Erasing an account, replacing a picture and dropping surplus ones store it again.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Callable
from functools import partial
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from hupan.clock import Clock
from hupan.crypto import SecretBox
from hupan.domain.redraw_worker import DrawnPicture
from hupan.domain.redrawing import Redrawer
from hupan.domain.sessions import SessionPolicy
from hupan.errors import (
    Banned,
    Busy,
    ForbiddenPictureKey,
    InvalidField,
    InvalidPictureKey,
    InvalidUploadToken,
    NotSignedIn,
    TooManyUploads,
    UploadFailed,
)
from hupan.model import Account, AccountId, Caller, Limit, Session, StoredPicture
from hupan.ratelimit.stored import StoredLimiter
from hupan.rng import RandomSource
from hupan.rules import MediaRules
from hupan.store.database import Database, Transaction
from hupan.store.media import (
    Picture,
    claim_key,
    delete_picture,
    delete_removal,
    find_name_by_key,
    list_due_removals,
    list_names,
    list_pictures,
    put_picture,
    put_removal,
    take_removal,
)
from hupan.store.media_files import PictureFiles
from hupan.store.sessions import lock_caller

ACCESS_KEY = "hupan"
BUCKET = "hupan"
UPLOAD_TOKEN_SECONDS = 600
MAX_UPLOAD_TOKEN_CHARACTERS = 1024
_SIGNATURE_PURPOSE = "upload-signature"
_HOLDER_PURPOSE = "upload-holder"
_ACCOUNT_BYTES, _HASH_BYTES = 8, 32


class UploadPolicy(Struct, frozen=True, rename="camel"):
    """What a token permits, as clients read it.

    Attributes:
        scope: `bucket` or `bucket:key`.
        deadline: the end of its validity, in unix seconds.
        end_user: the session that it was issued to, encrypted.
    """

    scope: str
    deadline: int
    end_user: str


class UploadHolder(Struct, frozen=True):
    """The session that a token was issued to, and the only key it permits, "" for any."""

    account: AccountId
    token_hash: bytes
    key: str


_policy_decoder = msgspec.json.Decoder(UploadPolicy)


class UploadTokens:
    """Issues and verifies upload tokens without storing any: `AK:SIGN:policy`."""

    def __init__(self, secret_box: SecretBox, clock: Clock) -> None:
        self._secret_box = secret_box
        self._clock = clock

    def issue(self, session: Session, key: str = "") -> str:
        """Return a token for uploads of a session, with one key or with any."""
        holder = session.account_id.to_bytes(_ACCOUNT_BYTES) + session.token_hash
        policy = UploadPolicy(
            f"{BUCKET}:{key}" if key else BUCKET,
            int(self._clock.now()) + UPLOAD_TOKEN_SECONDS,
            _encode(self._secret_box.encrypt(_HOLDER_PURPOSE, holder)),
        )
        encoded = _encode(msgspec.json.encode(policy))
        return f"{ACCESS_KEY}:{self._sign(encoded)}:{encoded}"

    def verify(self, token: str) -> UploadHolder:
        """Return the session that a token was issued to; it may have ended since.

        Raises:
            InvalidUploadToken: it is forged, malformed or expired.
        """
        parts = token.split(":")
        if len(token) > MAX_UPLOAD_TOKEN_CHARACTERS or not token.isascii() or len(parts) != 3:  # noqa: PLR2004 - AK:SIGN:policy
            raise InvalidUploadToken
        access_key, signature, encoded = parts
        if access_key != ACCESS_KEY or not hmac.compare_digest(signature, self._sign(encoded)):
            raise InvalidUploadToken
        policy = _policy_decoder.decode(_decode(encoded))
        if policy.deadline <= self._clock.now():
            raise InvalidUploadToken
        holder = self._secret_box.decrypt(_HOLDER_PURPOSE, _decode(policy.end_user))
        if holder is None or len(holder) != _ACCOUNT_BYTES + _HASH_BYTES:
            raise InvalidUploadToken
        return UploadHolder(
            AccountId(int.from_bytes(holder[:_ACCOUNT_BYTES])),
            holder[_ACCOUNT_BYTES:],
            policy.scope.partition(":")[2],
        )

    def _sign(self, encoded: str) -> str:
        return _encode(self._secret_box.mac(_SIGNATURE_PURPOSE, encoded))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)


MAX_KEY_CHARACTERS = 200
_KEY_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~=+@,!-]+"
_KEY = re.compile(rf"(?=.{{1,{MAX_KEY_CHARACTERS}}}\Z){_KEY_SEGMENT}(?:/{_KEY_SEGMENT})*")


def parse_picture_key(text: str) -> str:
    """Return a client's key: segments of plain characters, none of them `.` or `..`.

    Raises:
        InvalidPictureKey
    """
    if not _KEY.fullmatch(text):
        raise InvalidPictureKey
    return text


PUBLIC_PICTURE_HOST = "chat-img.jwznb.com"
MEDIA_PATH = "/media/"
_HOSTLESS_BASE = f"https://{PUBLIC_PICTURE_HOST}{MEDIA_PATH}"
_STEM_BYTES = 16
_NAME = re.compile(r"[a-z2-7]{26}\.(?:png|jpg|webp)")
_DEFAULT_AVATAR = re.compile(r"default/([1-9][0-9]{0,18})\.png")


class PictureAddresses:
    """Addresses of pictures.

    Without a base, pictures have the host name that clients have built in, and a client that
    resolves this name to this server sees them. They are stored in this form too, if the base
    depends on the client.

    Args:
        public_url: the URL of this server, "" if unknown.
        client_base: returns the same for the client of the current request, "" if unknown.
    """

    def __init__(self, public_url: str, client_base: Callable[[], str] = lambda: "") -> None:
        self._public_url = public_url.rstrip("/")
        self._public_base = f"{self._public_url}{MEDIA_PATH}" if self._public_url else ""
        self._client_base = client_base

    @property
    def base(self) -> str:
        """The URL of this server, "" if unknown."""
        return self._public_url or self._client_base()

    def address(self, name: str) -> str:
        """Return the address of a file, as it is stored."""
        return (self._public_base or _HOSTLESS_BASE) + name

    def shown(self, account: AccountId, avatar_url: str) -> str:
        """Return the address of an account's picture as a client gets it, "" if none is known."""
        if avatar_url and not avatar_url.startswith(_HOSTLESS_BASE):
            return avatar_url
        base = self._public_base
        if not base:
            client_base = self._client_base()
            if not client_base:
                return avatar_url
            base = f"{client_base}{MEDIA_PATH}"
        if not avatar_url:
            return f"{base}default/{account}.png"
        return base + avatar_url.removeprefix(_HOSTLESS_BASE)

    def own_path(self, url: str) -> str | None:
        """Return what follows our own prefix in an address, without its query; else None."""
        plain = unquote(url.partition("?")[0])
        bases = (self.address(""), _HOSTLESS_BASE)
        return next((plain.removeprefix(base) for base in bases if plain.startswith(base)), None)

    def without_client_base(self, url: str) -> str:
        """Return an address at the client's own base as it is stored, any other one as it is.

        Call it while the request is handled: a transaction does not know the client.
        """
        base = f"{self._client_base()}{MEDIA_PATH}"
        return _HOSTLESS_BASE + url.removeprefix(base) if url.startswith(base) else url


def public_key_in(url: str) -> str | None:
    """Return the key in an address of the public picture host, None for any other address."""
    try:
        parts = urlsplit(url)
        is_public = parts.hostname == PUBLIC_PICTURE_HOST and parts.scheme in ("http", "https")
    except ValueError:
        return None
    path: str = parts.path
    return unquote(path).removeprefix("/") if is_public else None


def is_picture_name(path: str) -> bool:
    return _NAME.fullmatch(path) is not None


def default_avatar_account(path: str) -> str:
    """Return the account id in the path of a default avatar, "" for any other path."""
    match = _DEFAULT_AVATAR.fullmatch(path)
    return match[1] if match else ""


class AvatarPictures:
    """Turns addresses of uploads in edit-avatar into public addresses of their files.

    Attributes:
        addresses: the addresses of pictures.
    """

    def __init__(self, addresses: PictureAddresses, clock: Clock, max_pictures: int) -> None:
        self.addresses = addresses
        self._clock = clock
        self._max_pictures = max_pictures

    async def resolve(self, tx: Transaction, account: Account, url: str) -> str | None:
        """Return the public address of the caller's picture, None if the URL names no picture.

        "" is the default avatar. The account is locked. An address of the public picture host that
        names no upload stays as it is, and its key belongs to this account from now on: otherwise
        another account could upload a picture with this key, and so replace the avatar.

        Raises:
            InvalidField: it is an address of this server, and not of a picture of this account.
        """
        path = self.addresses.own_path(url)
        key = public_key_in(url) if path is None else path
        if key is None:
            # Without `public_url`, clients get the host that they addressed.
            _, _, key = unquote(url.partition("?")[0]).partition(MEDIA_PATH)
            if key and default_avatar_account(key) == str(account.id):
                return ""
            return await self._find_own(tx, account, key) if key else None
        if default_avatar_account(key) == str(account.id):
            return ""
        address = await self._find_own(tx, account, key)
        if address is not None:
            return address
        if path is not None:
            raise InvalidField("url")
        if _KEY.fullmatch(key):
            now = int(self._clock.now())
            pictures = await list_pictures(tx, account.id)
            await claim_key(tx, account.id, key, now)
            older = [picture for picture in pictures if picture.client_key != key]
            await _drop_surplus(tx, account, older, self._max_pictures, now)
        return None

    async def _find_own(self, tx: Transaction, account: Account, key: str) -> str | None:
        for picture in await list_pictures(tx, account.id):
            if picture.name and key in (picture.client_key, picture.name):
                return self.addresses.address(picture.name)
        return None


async def _drop_surplus(
    tx: Transaction, account: Account, older: list[Picture], max_pictures: int, now: int
) -> None:
    """Drop the oldest pictures that leave no room for a new one; the avatar in use stays."""
    unused = [picture for picture in older if not _is_avatar(picture, account.avatar_url)]
    kept = max(0, max_pictures - 1 - (len(older) - len(unused)))
    for picture in unused[kept:]:
        await delete_picture(tx, account.id, picture.client_key)
        if picture.name:
            await put_removal(tx, account.id, picture.stem, now)


def _is_avatar(picture: Picture, avatar_url: str) -> bool:
    if picture.name:
        return avatar_url.endswith(MEDIA_PATH + picture.name)
    return public_key_in(avatar_url) == picture.client_key


ETAG_BLOCK_BYTES = 4 * 1024 * 1024


def content_etag(block_digests: list[bytes]) -> str:
    """Return the hash that upload clients expect: of the SHA-1 of each 4 MiB of the upload."""
    if len(block_digests) <= 1:
        tagged = b"\x16" + (block_digests or [hashlib.sha1(b"").digest()])[0]  # noqa: S324 - see above
    else:
        tagged = b"\x96" + hashlib.sha1(b"".join(block_digests)).digest()  # noqa: S324 - as the wire has it
    return _encode(tagged)


LEASE_SECONDS = 15 * 60
"""How long a file may take from its name to its row."""
LEASE_MARGIN_SECONDS = 5 * 60
"""A row is refused this long before its file may be deleted: no clocks differ that much."""
REMOVAL_BATCH_SIZE = 200
NO_ACCOUNT = AccountId(0)
"""The owner of files that no row named when they were found; by now one may."""
REMOVAL_RETRY_SECONDS = 10 * 60
CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_log = logging.getLogger("hupan.media")


def uploads_key(account: AccountId) -> str:
    """Return the counter key of uploads of an account."""
    return f"uploads:{account}"


class Media:
    """Stores, finds and deletes pictures.

    Attributes:
        tokens: issues and verifies upload tokens.
        addresses: the addresses of pictures.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        policy: SessionPolicy,
        limiter: StoredLimiter,
        files: PictureFiles,
        redrawer: Redrawer,
        random_source: RandomSource,
        rules: MediaRules,
        tokens: UploadTokens,
        addresses: PictureAddresses,
    ) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self._limiter = limiter
        self._files = files
        self._redrawer = redrawer
        self._random_source = random_source
        self._rules = rules
        self.tokens = tokens
        self.addresses = addresses

    def spool(self) -> BinaryIO:
        """Open a file for an upload; blocks.

        Raises:
            UploadFailed: the folder cannot be written.
        """
        try:
            return self._files.spool()
        except OSError as error:
            _log.error("pictures cannot be stored: %s", error)
            raise UploadFailed from error

    async def store(self, holder: UploadHolder, key: str, upload: BinaryIO) -> None:
        """Redraw an upload and store it under a key of the account; durable when this returns.

        Raises:
            NotSignedIn, Banned: the session has ended, or the account is banned.
            ForbiddenPictureKey: the token is for another key.
            TooManyUploads: the limit of the day is reached.
            UnknownPictureKind, PictureTooLarge, BrokenPicture: the upload is refused.
            Busy, UploadFailed: it cannot be stored now; it is not counted.
        """
        if holder.key and holder.key != key:
            raise ForbiddenPictureKey
        stem = base64.b32encode(self._random_source.token_bytes(_STEM_BYTES)).decode()
        stem = stem.rstrip("=").lower()
        await self._database.run_transaction(partial(self._admit, holder, stem))
        try:
            drawn = await self._draw_and_put(upload, stem)
        except (Busy, UploadFailed):
            await self._database.run_transaction(partial(self._give_back, holder.account))
            raise
        await self._database.run_transaction(partial(self._publish, holder, key, stem, drawn))

    async def _admit(self, holder: UploadHolder, stem: str, tx: Transaction) -> None:
        await self._lock_holder(tx, holder)
        now = int(self._clock.now())
        limits: tuple[Limit, ...] = self._rules.upload_limits
        if not await self._limiter.take(tx, uploads_key(holder.account), limits, now):
            raise TooManyUploads
        await put_removal(tx, holder.account, stem, now + LEASE_SECONDS)

    async def _lock_holder(self, tx: Transaction, holder: UploadHolder) -> Caller:
        caller = await lock_caller(tx, holder.account, holder.token_hash)
        now = self._clock.now()
        if caller is None or self._policy.has_expired(caller.session, now):
            raise NotSignedIn
        if caller.account.is_banned(now):
            raise Banned
        return caller

    async def _draw_and_put(self, upload: BinaryIO, stem: str) -> DrawnPicture:
        picture = await asyncio.to_thread(self.spool)
        try:
            drawn = await self._redrawer.redraw(upload.fileno(), picture.fileno())
            name = f"{stem}.{drawn.extension}"
            await self._files.put(name, picture, CONTENT_TYPES[drawn.extension])
        except OSError as error:
            _log.error("a picture was not stored: %s", error)
            raise UploadFailed from error
        finally:
            picture.close()
        return drawn

    async def _give_back(self, account: AccountId, tx: Transaction) -> None:
        await self._limiter.give_back(
            tx, uploads_key(account), self._rules.upload_limits, int(self._clock.now())
        )

    async def _publish(
        self, holder: UploadHolder, key: str, stem: str, drawn: DrawnPicture, tx: Transaction
    ) -> None:
        caller = await self._lock_holder(tx, holder)
        now = int(self._clock.now())
        if not await take_removal(tx, holder.account, stem, now + LEASE_MARGIN_SECONDS):
            raise UploadFailed
        pictures = await list_pictures(tx, holder.account)
        for picture in pictures:
            if picture.client_key == key and picture.name:
                await put_removal(tx, holder.account, picture.stem, now)
        await put_picture(tx, holder.account, key, f"{stem}.{drawn.extension}", drawn.size, now)
        older = [picture for picture in pictures if picture.client_key != key]
        await _drop_surplus(tx, caller.account, older, self._rules.max_pictures, now)

    async def find(self, path: str) -> StoredPicture | None:
        """Return the picture at a path below our prefix: a file's name, or a client's key.

        Raises:
            OSError: it cannot be read.
        """
        if is_picture_name(path):  # never a key, or a deleted picture's address could be taken
            return await self._files.find(path)
        if not _KEY.fullmatch(path):
            return None
        name = await find_name_by_key(self._database, path)
        return await self._files.find(name) if name else None

    async def read(self, picture: StoredPicture, offset: int) -> bytes:
        """Return the next bytes of a picture.

        Raises:
            OSError: it cannot be read, or was deleted.
        """
        return await self._files.read(picture.name, offset)

    async def load(self, name: str, max_bytes: int) -> bytes | None:
        """Return the content of a file, None if missing or larger; for snapshots of a sandbox.

        Raises:
            OSError: it cannot be read.
        """
        picture = await self._files.find(name)
        if picture is None or picture.size > max_bytes:
            return None
        content = picture.start
        while len(content) < picture.size:
            content += await self._files.read(name, len(content))
        return content

    async def put_back(self, name: str, content: bytes) -> None:
        """Store a file of a snapshot, unless it is there.

        Raises:
            UploadFailed: it cannot be stored.
        """
        spooled = await asyncio.to_thread(self.spool)
        try:
            if await self._files.find(name) is None:
                await asyncio.to_thread(spooled.write, content)
                content_type = CONTENT_TYPES[name.rpartition(".")[2]]
                await self._files.put(name, spooled, content_type)
        except OSError as error:
            _log.error("a picture of a snapshot was not stored: %s", error)
            raise UploadFailed from error
        finally:
            spooled.close()

    async def delete_due(self) -> int:
        """Delete the files that are due; return their number."""
        now = int(self._clock.now())
        retry_at = now + REMOVAL_RETRY_SECONDS
        deleted = 0
        for account, stem in await list_due_removals(self._database, now, REMOVAL_BATCH_SIZE):
            try:
                if account != NO_ACCOUNT or not await list_names(self._database, stem):
                    await self._files.delete(stem)
            except OSError as error:
                _log.error("a picture was not deleted, trying again: %s", error)
                change = partial(put_removal, account=account, name=stem, due_at=retry_at)
                await self._database.run_transaction(change)
            else:
                done = partial(delete_removal, account=account, name=stem)
                await self._database.run_transaction(done)
                deleted += 1
        return deleted


def parse_upload_key(text: str | None, etag: str) -> str:
    """Return the key of an upload; without one, its hash is the key.

    Raises:
        InvalidPictureKey
    """
    return etag if text is None else parse_picture_key(text)
