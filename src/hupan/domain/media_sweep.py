"""Files of pictures that no row names, in folders or in a bucket: remains of a restored database.

A file is not deleted at once. Its name is stored with a time of deletion a week ahead, in the
database that does not know it: restoring another one within this week loses nothing.
No file younger than a day counts, so none that is being uploaded. A folder or a bucket is swept
only by the store that it belongs to, which a file in it names. Rows without files are reported, and
stay.
"""

import logging
from functools import partial

from hupan.clock import Clock
from hupan.domain.media import NO_ACCOUNT
from hupan.rules import DAY_SECONDS
from hupan.store.database import Database
from hupan.store.media import list_names, put_orphan_removal
from hupan.store.media_files import DRAFTS_FOLDER, PictureFolders

MIN_AGE_SECONDS = DAY_SECONDS
GRACE_SECONDS = 7 * DAY_SECONDS
MAX_FILES_PER_FOLDER = 20_000
_log = logging.getLogger("hupan.media")


class PictureSweep:
    """Looks through some folders in each round, and begins again at the end.

    Args:
        database: the store.
        clock: determines the age of files.
        folders: the folders of pictures.
        owner: names this store in the folder.

    Attributes:
        owner: the same.
    """

    def __init__(
        self, database: Database, clock: Clock, folders: PictureFolders, owner: str
    ) -> None:
        self._database = database
        self._clock = clock
        self._folders = folders
        self.owner = owner
        self._pending: list[str] = []
        self._missing = 0

    @property
    def is_within_a_pass(self) -> bool:
        """Whether folders are left that were there when this pass began."""
        return bool(self._pending)

    async def run(self) -> int:
        """Look through the next folders; return how many files are to be deleted.

        Raises:
            OSError: a folder cannot be read.
        """
        if not self._pending:
            self._report_missing()
            self._pending = await self._folders.list_folders()
        count = self._folders.folders_per_round
        current, self._pending = self._pending[:count], self._pending[count:]
        return sum([await self._sweep(folder) for folder in current])

    async def _sweep(self, folder: str) -> int:
        files = await self._folders.list_files(folder, MAX_FILES_PER_FOLDER)
        # Read after the files: an upload writes its row behind its file.
        known = set() if folder == DRAFTS_FOLDER else await list_names(self._database, folder)
        if not files and not known:
            return 0
        if not await self._folders.belongs_to(self.owner, may_claim=bool(known & files.keys())):
            return 0
        if known - files.keys():  # or it was written meanwhile
            files |= await self._folders.list_files(folder, MAX_FILES_PER_FOLDER)
        if len(files) < MAX_FILES_PER_FOLDER:  # else the file may be one of those not listed
            self._missing += len(known - files.keys())
        latest = self._clock.now() - MIN_AGE_SECONDS
        orphans = [name for name, at in files.items() if name not in known and at < latest]
        due_at = int(self._clock.now()) + GRACE_SECONDS
        for name in orphans:
            stem = name.partition(".")[0]
            change = partial(put_orphan_removal, account=NO_ACCOUNT, name=stem, due_at=due_at)
            await self._database.run_transaction(change)
        if orphans:
            days = GRACE_SECONDS // DAY_SECONDS
            _log.warning(
                "files=%d folder=%s belong to no picture: deleted within %d days",
                len(orphans),
                folder,
                days,
            )
        return len(orphans)

    def _report_missing(self) -> None:
        if self._missing:
            _log.error(
                "pictures=%d have no file: restore the folder of pictures from its backup",
                self._missing,
            )
        self._missing = 0
