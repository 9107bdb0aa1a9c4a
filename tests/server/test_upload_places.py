"""Which upload loses its slot when slow uploads hold all of them (wire.md 8.4)."""

import asyncio
import tempfile
from collections.abc import Callable

import pytest

from hupan.api.codecs import Receive
from hupan.api.uploads import (
    GRACE_SECONDS,
    MAX_UPLOADS_AT_ONCE,
    MAX_UPLOADS_PER_HOST,
    UploadForm,
    UploadPlaces,
)
from hupan.domain.media import UploadHolder
from hupan.errors import Busy
from hupan.model import AccountId
from tests.support.pictures import BOUNDARY, form

HOSTS = MAX_UPLOADS_AT_ONCE // MAX_UPLOADS_PER_HOST


def new_form() -> UploadForm:
    """Return an upload form of a client whose tokens are all valid."""
    holder = UploadHolder(AccountId(1), b"", "")
    return UploadForm(BOUNDARY.encode(), lambda _: holder, tempfile.TemporaryFile)


def stuck_after(body: bytes) -> Receive:
    """Return a body that stops after its beginning."""
    events = [{"type": "http.request", "body": body, "more_body": True}]

    async def receive() -> dict[str, object]:
        if not events:
            await asyncio.Event().wait()
        return events.pop()

    return receive


async def ignore(_: object) -> None:
    """Send nothing."""


class Crowd:
    """Uploads that take every slot of a process and then stall."""

    def __init__(self, now: Callable[[], float], hosts: int) -> None:
        self.places = UploadPlaces(now)
        self.forms = [new_form() for _ in range(hosts * MAX_UPLOADS_PER_HOST)]
        self.readers: list[asyncio.Task[None]] = []

    async def settle(self, bodies: Callable[[int], bytes]) -> None:
        """Take the slots, and send the beginning of each body."""
        for number, upload in enumerate(self.forms):
            self.places.take(f"host {number // MAX_UPLOADS_PER_HOST}", upload)
            receive = stuck_after(bodies(number))
            self.readers.append(asyncio.create_task(upload.read(receive, ignore)))
        for _ in range(20):
            await asyncio.sleep(0)
        assert all(upload.received for upload in self.forms)

    async def ended(self) -> list[int]:
        """Return which uploads were refused as busy."""
        for _ in range(20):
            await asyncio.sleep(0)
        ended = [number for number, reader in enumerate(self.readers) if reader.done()]
        assert all(isinstance(self.readers[number].exception(), Busy) for number in ended)
        return ended

    def leave(self) -> None:
        """End all uploads."""
        for reader in self.readers:
            reader.cancel()


@pytest.mark.parametrize(("hosts", "newcomer"), [(1, "host 0"), (HOSTS, "another")])
async def test_the_slowest_leaves(hosts: int, newcomer: str) -> None:
    """Stalled uploads hold neither an address nor all slots."""
    now = 0.0
    crowd = Crowd(lambda: now, hosts)
    await crowd.settle(lambda number: b"-" if number == 3 else f"--{BOUNDARY}".encode())
    with pytest.raises(Busy):
        crowd.places.take(newcomer, new_form())
    now = GRACE_SECONDS
    place = crowd.places.take(newcomer, new_form())
    assert await crowd.ended() == [3]
    crowd.places.free(place)
    crowd.places.take(newcomer, new_form())
    assert await crowd.ended() == [3]
    crowd.leave()


async def test_a_stranger_leaves_first() -> None:
    """An account whose token came first keeps its slot, though another upload is faster."""
    now = 0.0
    crowd = Crowd(lambda: now, 1)
    signed_in = form([("token", b"t")]).removesuffix(b"--\r\n") + b"\r\n"
    stranger = form([("file", b"x" * 1000)])[:900]
    await crowd.settle(lambda number: stranger if number == 5 else signed_in)
    now = GRACE_SECONDS
    crowd.places.take("host 0", new_form())
    assert await crowd.ended() == [5]
    crowd.leave()
