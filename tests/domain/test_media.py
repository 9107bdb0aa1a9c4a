"""Pictures of accounts: tokens, limits, retention and deletion (wire.md 8.4)."""

import io
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain import media_sweep
from hupan.domain.media import (
    LEASE_SECONDS,
    UPLOAD_TOKEN_SECONDS,
    AvatarPictures,
    Media,
    PictureAddresses,
    UploadHolder,
    UploadTokens,
    content_etag,
)
from hupan.domain.media_sweep import GRACE_SECONDS, MIN_AGE_SECONDS, PictureSweep
from hupan.domain.profiles import ProfileEdits
from hupan.domain.redraw_worker import DrawnPicture
from hupan.domain.redrawing import Redrawer
from hupan.domain.sessions import SessionPolicy
from hupan.errors import (
    Banned,
    BrokenPicture,
    Busy,
    ForbiddenPictureKey,
    InvalidField,
    InvalidUploadToken,
    NotSignedIn,
    TooManyUploads,
    UploadFailed,
)
from hupan.model import AccountId, Limit, Session
from hupan.ratelimit.stored import StoredLimiter
from hupan.rng import SystemRandomSource
from hupan.rules import DAY_SECONDS, MediaRules, ProfileEditRules
from hupan.store.media import put_picture
from hupan.store.media_files import DRAFTS_FOLDER, LocalPictureFiles, PictureFiles
from tests.support.world import World, open_world

PUBLIC = "https://chat.example"
MOST, PER_DAY = 3, 5
RULES = MediaRules((Limit("uploads-day", PER_DAY, DAY_SECONDS),), MOST)
OURS = "https://chat-img.jwznb.com/"


class Crash(BaseException):
    """Stand for the end of the process."""


class Copier(Redrawer):
    """A redrawing service that copies its input, or fails on request."""

    failure: BaseException | None = None

    async def redraw(self, source: int, target: int) -> DrawnPicture:
        """Copy the input."""
        if self.failure is not None:
            raise self.failure
        data = os.pread(source, 1000, 0)
        os.write(target, data)
        return DrawnPicture("png", 1, 1, len(data))


class CrashingFiles(LocalPictureFiles):
    """A folder whose process ends right after a file is written."""

    async def put(self, name: str, picture: BinaryIO, content_type: str) -> None:
        """Store a picture and end the process."""
        await super().put(name, picture, content_type)
        raise Crash


class Pictures:
    """The picture service of one store, with accounts."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.redrawer = Copier()
        self.tokens = UploadTokens(SecretBox(b"k" * KEY_BYTES), world.clock)
        self.media = self.media_on(LocalPictureFiles(folder))
        avatars = AvatarPictures(PictureAddresses(PUBLIC), world.clock, MOST)
        self.edits = ProfileEdits(world.engine, world.coins, ProfileEditRules(), avatars)

    def media_on(self, files: PictureFiles) -> Media:
        """Return the service on a folder."""
        world = self.world
        limiter = StoredLimiter(enabled=True)
        return Media(
            *(world.engine, world.clock, SessionPolicy(), limiter, files, self.redrawer),
            *(SystemRandomSource(), RULES, self.tokens, PictureAddresses(PUBLIC)),
        )

    def holder(self, session: Session, key: str = "") -> UploadHolder:
        """Return the account whose uploads a token permits."""
        return self.tokens.verify(self.tokens.issue(session, key))

    async def upload(self, session: Session, key: str, data: bytes = b"pixels") -> None:
        """Upload a picture, a second after the previous one."""
        self.world.clock.time += 1
        with (self.folder.parent / "upload").open("w+b") as file:
            file.write(data)
            file.flush()
            await self.media.store(self.holder(session), key, file)

    async def avatar(self, account: AccountId, url: str) -> str:
        """Set an avatar and return it."""
        await self.edits.change_avatar(account, url)
        return (await self.world.reload(account)).avatar_url

    def files(self) -> set[str]:
        """Return the names of all files, including incomplete ones."""
        return {path.name for path in self.folder.rglob("*") if path.is_file()}

    async def names(self) -> set[str]:
        """Return the names in the store."""
        return {row[0] for row in await self.world.rows("SELECT name FROM pictures")} - {""}

    async def sweep(self) -> None:
        """Delete what is due."""
        await self.media.delete_due()


def pictures_of(world: World, tmp_path: Path) -> Pictures:
    """Return the picture service of a new store and folder."""
    return Pictures(world, tmp_path / "media")


async def test_a_token_is_good_for_one_session_and_ten_minutes(tmp_path: Path) -> None:
    """It is signed, for one account; a token for one key permits no other key."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        session = await world.session(await world.account_id())
        token = pictures.tokens.issue(session)
        assert pictures.tokens.verify(token) == UploadHolder(
            session.account_id, session.token_hash, ""
        )
        foreign = UploadTokens(SecretBox(b"x" * KEY_BYTES), world.clock)
        with pytest.raises(InvalidUploadToken):
            foreign.verify(token)
        with pytest.raises(ForbiddenPictureKey):
            await pictures.media.store(pictures.holder(session, "a.png"), "b.png", io.BytesIO())
        world.clock.time += UPLOAD_TOKEN_SECONDS
        with pytest.raises(InvalidUploadToken):
            pictures.tokens.verify(token)


async def test_an_upload_needs_a_session(tmp_path: Path) -> None:
    """A banned account or an ended session uploads nothing, and is not counted."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        account = await world.account_id()
        session = await world.session(account)
        await world.bans.ban(account, until=int(world.clock.time) + 1000, reason="spam")
        with pytest.raises(Banned):
            await pictures.upload(session, "a")
        await world.bans.unban(account)
        await world.sessions.logout(session)
        with pytest.raises(NotSignedIn):
            await pictures.upload(session, "a")
        assert await world.count("tallies") == await world.count("picture_removals") == 0


async def test_a_session_that_ends_meanwhile(tmp_path: Path) -> None:
    """If the session ends while the picture is redrawn, nothing is stored."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        session = await world.session(await world.account_id())

        class SignsOut(LocalPictureFiles):
            async def put(self, name: str, picture: BinaryIO, content_type: str) -> None:
                await super().put(name, picture, content_type)
                await world.sessions.logout(session)

        pictures.media = pictures.media_on(SignsOut(pictures.folder))
        with pytest.raises(NotSignedIn):
            await pictures.upload(session, "a")
        assert await pictures.names() == set()
        world.clock.time += LEASE_SECONDS
        await pictures.sweep()
        assert pictures.files() == set()


async def test_so_many_a_day(tmp_path: Path) -> None:
    """The limit includes refused uploads, but not those that the server failed to store."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        session = await world.session(await world.account_id())
        for failure, raised in ((Busy(), Busy), (OSError("full"), UploadFailed)):
            pictures.redrawer.failure = failure
            for _ in range(PER_DAY):
                with pytest.raises(raised):
                    await pictures.upload(session, "a")
        pictures.redrawer.failure = BrokenPicture()
        with pytest.raises(BrokenPicture):
            await pictures.upload(session, "a")
        pictures.redrawer.failure = None
        for number in range(PER_DAY - 1):
            await pictures.upload(session, f"k{number}")
        with pytest.raises(TooManyUploads):
            await pictures.upload(session, "a")
        world.pass_days(1)
        await pictures.upload(session, "a")


async def test_what_an_account_keeps(tmp_path: Path) -> None:
    """The newest pictures and the avatar stay; the files of others are deleted (X5)."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        account = await world.account_id()
        session = await world.session(account)
        await pictures.upload(session, "avatar.png")
        shown = await pictures.avatar(account, f"{OURS}avatar.png")
        for number in range(3 * MOST):
            if number % (PER_DAY - 1) == 0:
                world.pass_days(1)
            await pictures.upload(session, f"{number}.png")
        await pictures.sweep()
        kept = {row[0] for row in await world.rows("SELECT client_key FROM pictures")}
        assert kept == {"avatar.png", f"{3 * MOST - 1}.png", f"{3 * MOST - 2}.png"}
        assert pictures.files() == await pictures.names()
        assert shown.rpartition("/")[2] in pictures.files()
        world.clock.time += LEASE_SECONDS
        assert await world.count("picture_removals") == 0


async def test_claims_are_bounded(tmp_path: Path) -> None:
    """Avatar URLs elsewhere that contain a key fill no table (X5)."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        account = await world.account_id()
        for number in range(4 * MOST):
            world.clock.time += 1
            await pictures.avatar(account, f"{OURS}{number}.png")
        assert await world.count("pictures") <= MOST + 1


async def test_the_same_key_again(tmp_path: Path) -> None:
    """A second picture with the same key replaces the first, whose file is deleted."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        session = await world.session(await world.account_id())
        await pictures.upload(session, "a.png", b"first")
        await pictures.upload(session, "a.png", b"second")
        await pictures.sweep()
        assert len(pictures.files()) == 1
        found = await pictures.media.find("a.png")
        assert found is not None
        assert found.start == b"second"


async def test_a_crash_between_file_and_row(tmp_path: Path) -> None:
    """The file without a row is deleted, but not before its upload could have ended."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        session = await world.session(await world.account_id())
        pictures.media = pictures.media_on(CrashingFiles(pictures.folder))
        with pytest.raises(Crash):
            await pictures.upload(session, "a.png")
        assert len(pictures.files()) == 1
        await pictures.sweep()
        assert len(pictures.files()) == 1
        world.clock.time += LEASE_SECONDS
        await pictures.sweep()
        assert pictures.files() == await pictures.names() == set()
        assert await world.count("picture_removals") == 0


async def test_an_upload_that_takes_too_long(tmp_path: Path) -> None:
    """A picture that may already be deleted is not shown."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        session = await world.session(await world.account_id())

        class Slow(LocalPictureFiles):
            async def put(self, name: str, picture: BinaryIO, content_type: str) -> None:
                await super().put(name, picture, content_type)
                world.clock.time += LEASE_SECONDS - 60

        pictures.media = pictures.media_on(Slow(pictures.folder))
        with pytest.raises(UploadFailed):
            await pictures.upload(session, "a.png")
        assert await pictures.names() == set()


async def test_a_file_that_cannot_be_deleted(tmp_path: Path) -> None:
    """Its deletion is retried later, and the others are deleted meanwhile."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        session = await world.session(await world.account_id())
        await pictures.upload(session, "a.png", b"first")
        (stuck,) = pictures.files()
        await pictures.upload(session, "a.png", b"second")

        class Refusing(LocalPictureFiles):
            async def delete(self, stem: str) -> None:
                raise PermissionError(stem)

        assert await pictures.media_on(Refusing(pictures.folder)).delete_due() == 0
        assert stuck in pictures.files()
        world.clock.time += 3600
        assert await pictures.media.delete_due() == 1
        assert stuck not in pictures.files()


async def test_erased_with_the_account(tmp_path: Path) -> None:
    """An erased account leaves no file and no row (security A7)."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        account, other = await world.account_id(), await world.account_id()
        for one in (account, other):
            await pictures.upload(await world.session(one), "a.png")
        await world.account_deletion.cancel_by_operator(account)
        world.pass_days(15)
        await world.account_deletion.erase_due()
        await pictures.sweep()
        assert len(pictures.files()) == 1
        assert pictures.files() == await pictures.names()
        assert await world.count("picture_removals") == 0
        assert await world.rows("SELECT holder FROM picture_keys") == [(other,)]
        found = await pictures.media.find("a.png")  # the key belongs to the other account now
        assert found is not None
        assert {found.name} == pictures.files()


@pytest.mark.one_engine
async def test_addresses(tmp_path: Path) -> None:
    """Every URL of an own picture becomes its public one; another account's is refused."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        account = await world.account_id()
        await pictures.upload(await world.session(account), "k/a.png")
        (name,) = await pictures.names()
        public = f"{PUBLIC}/media/{name}"
        for url in (
            *(f"{OURS}k/a.png", f"{OURS}k/a.png?imageView2/2/w/120", f"{OURS}k%2Fa.png"),
            *("http://chat-img.jwznb.com/k/a.png", "https://CHAT-IMG.jwznb.com:443/k/a.png"),
            *(
                "https://chat-go.example/media/k/a.png",
                f"{PUBLIC}/media/k/a.png",
                public,
                f"{OURS}media/{name}",
            ),
        ):
            await pictures.avatar(account, "https://else.example/b.png")
            assert await pictures.avatar(account, url) == public
        assert await pictures.avatar(account, f"{PUBLIC}/media/default/{account}.png") == ""
        for url in (f"{PUBLIC}/media/other.png", f"{PUBLIC}/media/default/1.png"):
            with pytest.raises(InvalidField):
                await pictures.avatar(account, url)


@pytest.mark.one_engine
def test_etags() -> None:
    """The hash is the one that the original upload service returns."""
    assert content_etag([]) == "Fto5o-5ea0sNMlW_75VgGJCv2AcJ"
    assert content_etag([b"\0" * 20, b"\0" * 20]).startswith("l")


@pytest.mark.one_engine
async def test_modes_of_the_folder(tmp_path: Path) -> None:
    """No other user of the machine can read the files."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        await pictures.upload(await world.session(await world.account_id()), "a.png")
        for path in (pictures.folder, *pictures.folder.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0


async def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    """A short read is an error: its reader would otherwise wait for the rest forever."""
    files = LocalPictureFiles(tmp_path / "media")
    with files.spool() as spooled:
        spooled.write(b"pixels")
        await files.put("aa.png", spooled, "image/png")
    assert await files.read("aa.png", 4) == b"ls"
    with pytest.raises(OSError, match="shorter"):
        await files.read("aa.png", 6)


@pytest.mark.one_engine
async def test_the_name_of_a_deleted_file_is_nobodys_key(tmp_path: Path) -> None:
    """A URL that was once issued shows its own picture or none."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        first, other = [await world.session(await world.account_id()) for _ in range(2)]
        await pictures.upload(first, "a.png")
        (name,) = await pictures.names()
        await pictures.upload(first, "a.png")
        await pictures.sweep()
        await pictures.upload(other, name)
        assert await pictures.media.find(name) is None


@pytest.mark.one_engine
def test_addresses_follow_a_public_url_that_is_set_later() -> None:
    """Pictures stored without one are shown at it; URLs elsewhere stay (wire.md 8.4)."""
    account, name = AccountId(1_000_001), f"{'a' * 26}.png"
    before, after = PictureAddresses(""), PictureAddresses("https://lake.example/chat/")
    stored = before.address(name)
    assert (before.shown(account, stored), before.shown(account, "")) == (stored, "")
    assert after.shown(account, stored) == f"https://lake.example/chat/media/{name}"
    assert after.shown(account, "").endswith("/chat/media/default/1000001.png")
    assert after.shown(account, "https://a.example/x.png") == "https://a.example/x.png"


class SweptPictures:
    """The picture service of one store, with the cleanup of its folder."""

    def __init__(self, world: World, pictures: Pictures, owner: str = "this store") -> None:
        self.world, self.pictures = world, pictures
        self.folders = LocalPictureFiles(pictures.folder)
        self.sweep = PictureSweep(world.engine, world.clock, self.folders, owner)

    def put_file(self, name: str, age_seconds: float, folder: str = "") -> str:
        """Write a file of the given age; return its name."""
        path = self.pictures.folder / (folder or name[:2]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"pixels")
        self.set_age(path, age_seconds)
        return name

    def set_age(self, path: Path, age_seconds: float) -> None:
        """Set the age of a file."""
        written_at = self.world.clock.time - age_seconds
        os.utime(path, (written_at, written_at))

    async def upload(self) -> str:
        """Upload a picture, dated long ago; return the name of its file."""
        account = await self.world.account_id()
        await self.pictures.upload(await self.world.session(account), "a.png")
        name = (await self.pictures.names()).pop()
        self.set_age(self.pictures.folder / name[:2] / name, 10 * MIN_AGE_SECONDS)
        return name

    async def all_folders(self) -> int:
        """Clean every folder, even finished ones; return how many files were found."""
        self.sweep = PictureSweep(
            *(self.world.engine, self.world.clock, self.folders, self.sweep.owner)
        )
        found = await self.sweep.run()
        while self.sweep.is_within_a_pass:
            found += await self.sweep.run()
        return found


STRAY, YOUNG, DRAFT = (f"{letter * 26}.png" for letter in "xyz")


async def test_files_without_rows_are_deleted_after_a_week(tmp_path: Path) -> None:
    """Files unknown to a restored database are deleted; not recent, foreign or used ones."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        swept = SweptPictures(world, pictures)
        kept = await swept.upload()
        swept.put_file(STRAY, MIN_AGE_SECONDS + 60)
        swept.put_file(YOUNG, MIN_AGE_SECONDS - 60)
        swept.put_file(DRAFT, MIN_AGE_SECONDS + 60, DRAFTS_FOLDER)
        swept.put_file("notes.txt", MIN_AGE_SECONDS + 60, "xx")
        await swept.all_folders()  # claims the folder
        assert await swept.all_folders() == 2
        world.clock.time += GRACE_SECONDS - 60
        swept.set_age(pictures.folder / "yy" / YOUNG, 0)
        assert await swept.all_folders() == 2  # and does not delay the sweep
        await pictures.sweep()
        assert pictures.files() >= {STRAY, DRAFT}
        world.clock.time += 120
        await pictures.sweep()
        assert pictures.files() == {kept, YOUNG, "notes.txt", "owner"}
        assert await world.count("picture_removals") == 0


async def test_a_file_whose_row_comes_back_stays(tmp_path: Path) -> None:
    """It may have been uploaded while a clock was wrong."""
    async with open_world(tmp_path / "db") as world:
        swept = SweptPictures(world, pictures := pictures_of(world, tmp_path))
        await swept.upload()
        swept.put_file(STRAY, 2 * MIN_AGE_SECONDS)
        await swept.all_folders()
        assert await swept.all_folders() == 1
        account = await world.account_id()
        await world.engine.run_transaction(lambda tx: put_picture(tx, account, "k", STRAY, 6, 1))
        world.clock.time += GRACE_SECONDS + 60
        await pictures.sweep()
        assert STRAY in pictures.files()
        assert await world.count("picture_removals") == 0


async def test_a_folder_of_another_store_is_left_alone(tmp_path: Path) -> None:
    """A folder without any file of this store, or claimed by another one, is not cleaned."""
    async with open_world(tmp_path / "db") as world:
        pictures = pictures_of(world, tmp_path)
        swept = SweptPictures(world, pictures)
        swept.put_file(STRAY, 2 * MIN_AGE_SECONDS)
        assert [await swept.all_folders() for _ in range(2)] == [0, 0]
        (pictures.folder / "owner").write_text("another store")
        await swept.upload()
        assert [await swept.all_folders() for _ in range(2)] == [0, 0]


async def test_rows_without_files_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The row stays, because the file may return; until then the URL is a 404."""
    async with open_world(tmp_path / "db") as world:
        swept = SweptPictures(world, pictures := pictures_of(world, tmp_path))
        name = await swept.upload()
        swept.put_file(f"{name[:2]}{'q' * 24}.png", 0)
        await swept.all_folders()
        account = await world.account_id()
        gone = f"{name[:2]}{'r' * 24}.png"
        await world.engine.run_transaction(lambda tx: put_picture(tx, account, "k", gone, 6, 1))
        assert await pictures.media.find("k") is None
        await swept.all_folders()
        await swept.sweep.run()
        assert "pictures=1 have no file" in caplog.text
        assert gone in await pictures.names()


async def test_files_beyond_those_that_are_listed_are_not_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a part of a very full folder is read."""
    monkeypatch.setattr(media_sweep, "MAX_FILES_PER_FOLDER", 1)
    async with open_world(tmp_path / "db") as world:
        swept = SweptPictures(world, pictures_of(world, tmp_path))
        name = await swept.upload()
        account, other = await world.account_id(), f"{name[:2]}{'r' * 24}.png"
        await world.engine.run_transaction(lambda tx: put_picture(tx, account, "k", other, 6, 1))
        swept.put_file(other, 0)
        await swept.all_folders()  # the folder belongs to this store from now on
        await swept.all_folders()
        await swept.sweep.run()
        assert "have no file" not in caplog.text
