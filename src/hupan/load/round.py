"""Runs one round of load, and asks single questions."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hupan.load.connection import Connection
from hupan.load.course import Bounds, Course
from hupan.load.pace import Pace
from hupan.load.place import Place
from hupan.load.seen import Seen

GRACE_SECONDS = 10.0
"""How long answers are waited for once nothing more is asked, and a connection at any time."""
MOST_BROKEN = 3
"""A connection that broke so often in a row without an answer is not opened again."""


class Unanswered(OSError):  # noqa: N818 - what became of a question
    """No answer came; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a single question was answered."""

    is_right: bool
    body: bytes


async def fire(place: Place, requests: Sequence[bytes], bounds: Bounds) -> Seen:
    """One round: the requests in turn, again and again, until a bound is met."""
    course = Course(requests, bounds)
    await asyncio.gather(*(_client(place, course, bounds, n) for n in range(bounds.connections)))
    return course.seen()


async def ask(place: Place, request: bytes) -> Answer:
    """Asks once.

    Raises:
        Unanswered: the server was not reached, or gave no answer.
    """
    answers: list[Answer] = []
    coming = iter([request])
    try:
        connection = await _open(
            place,
            lambda: Connection(
                lambda: next(coming, None),
                lambda _took, is_right, body: answers.append(Answer(is_right, body)),
                lambda: 0.0,
            ),
        )
        await _await_end(connection, GRACE_SECONDS)
    except OSError as error:
        raise Unanswered(str(error) or type(error).__name__) from error
    if not answers:
        raise Unanswered("no answer")
    return answers[0]


async def _client(place: Place, course: Course, bounds: Bounds, number: int) -> None:
    """One connection after the other, while they answer."""
    pace = Pace(bounds.per_second / bounds.connections, number / bounds.connections)
    await asyncio.sleep(pace.pause())
    broken = 0
    while broken < MOST_BROKEN and not course.is_over:
        before = course.answers
        try:
            connection = await _open(
                place, lambda: Connection(course.next, course.note, pace.pause)
            )
            whole = await _await_end(connection, course.seconds_left + GRACE_SECONDS)
        except OSError:
            whole = False
        if not whole:
            course.fail()
        broken = 0 if course.answers > before else broken + 1


async def _open(place: Place, make: Callable[[], Connection]) -> Connection:
    """A connection that already asks.

    Raises:
        OSError: the server was not reached in time.
    """
    tls = ssl.create_default_context() if place.is_tls else None
    name = place.host if place.is_tls else None
    async with asyncio.timeout(GRACE_SECONDS):
        _, connection = await asyncio.get_running_loop().create_connection(
            make, place.address, place.port, ssl=tls, server_hostname=name
        )
    return connection


async def _await_end(connection: Connection, seconds: float) -> bool:
    """Whether it ended with everything answered; ended by force when the time is over."""
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(connection.ended)
    except TimeoutError:
        connection.abort()
        return False
