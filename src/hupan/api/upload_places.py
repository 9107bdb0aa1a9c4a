"""Places for the uploads that a process reads at once.

If all are taken, the slowest upload loses its place: a client that holds places with uploads that
hardly progress does not prevent others from uploading.
"""

import time
from collections.abc import Callable

from hupan.api.uploads import UploadForm
from hupan.errors import Busy

MAX_UPLOADS_AT_ONCE = 32
"""Of one process; each has a file of up to 8 MiB and 512 KiB of memory."""
MAX_UPLOADS_PER_HOST = 8
GRACE_SECONDS = 1.0
"""No upload that is younger gives its place up."""


class UploadPlace:
    """The place of one upload."""

    def __init__(self, host: str, form: UploadForm, taken_at: float) -> None:
        self.host = host
        self.form = form
        self.taken_at = taken_at


class UploadPlaces:
    """The places of a process, with a bound per host."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._places: set[UploadPlace] = set()

    def take(self, host: str, form: UploadForm) -> UploadPlace:
        """Take a place, perhaps that of another upload.

        Raises:
            Busy: none is free, and none of the others is slow.
        """
        now = self._now()
        rivals = [place for place in self._places if place.host == host]
        if len(rivals) < MAX_UPLOADS_PER_HOST:
            rivals = list(self._places) if len(self._places) >= MAX_UPLOADS_AT_ONCE else []
        if rivals:
            self._free_slowest(rivals, now)
        place = UploadPlace(host, form, now)
        self._places.add(place)
        return place

    def free(self, place: UploadPlace) -> None:
        """Return a place; does nothing where it was given up."""
        self._places.discard(place)

    def _free_slowest(self, rivals: list[UploadPlace], now: float) -> None:
        slow = [
            place
            for place in rivals
            if place.form.is_reading and now - place.taken_at >= GRACE_SECONDS
        ]
        if not slow:
            raise Busy
        # A stranger before an account: a token that came first is known already.
        slowest = min(
            slow,
            key=lambda place: (
                place.form.is_signed_in,
                place.form.received / (now - place.taken_at),
            ),
        )
        self._places.discard(slowest)
        slowest.form.give_up()
