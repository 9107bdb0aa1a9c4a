"""What the pool of pictures guarantees to its callers."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import count

import pytest

from hupan.captcha import CaptchaImage, CaptchaPool, CaptchaPoolExhausted, CaptchaRenderingFailed

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60.0


class StubRenderer:
    """A renderer for which the test decides how many pictures it draws, and when it fails."""

    def __init__(self, allowed: int) -> None:
        self._allowed = threading.Semaphore(allowed)
        self._numbers = count(10_000)
        self.failure: Exception | None = None
        self.drawn: list[str] = []
        self.threads: set[str] = set()

    def answer(self) -> str:
        """Return the next of the answers 10000, 10001, and so on."""
        return str(next(self._numbers))

    def allow(self, pictures: int) -> None:
        """Let the renderer draw some more pictures."""
        self._allowed.release(pictures)

    def __call__(self, answer: str) -> bytes:
        """Wait until a picture is allowed, then draw it or fail."""
        assert self._allowed.acquire(timeout=PATIENCE_SECONDS)
        self.threads.add(threading.current_thread().name)
        if self.failure is not None:
            raise self.failure
        self.drawn.append(answer)
        return b"picture of " + answer.encode()


@asynccontextmanager
async def opened(
    pool: CaptchaPool[bytes], renderer: StubRenderer
) -> AsyncIterator[CaptchaPool[bytes]]:
    """Start a pool and stop it in the end, even if the renderer still waits."""
    pool.start()
    try:
        yield pool
    finally:
        renderer.allow(1_000)
        pool.stop()


async def until(true: Callable[[], bool]) -> None:
    """Run the loop until a condition is true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():  # noqa: ASYNC110 - the pool's thread sets no event of the loop
            await asyncio.sleep(0.001)


async def settle() -> None:
    """Give the pool's thread enough time to do something wrong."""
    for _ in range(30):
        await asyncio.sleep(0.001)


def hold_the_loop_until(true: Callable[[], bool]) -> None:
    """Block the loop until the pool's thread has done something."""
    latest = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < latest
        time.sleep(0.001)


def run(test: Coroutine[object, object, None]) -> None:
    """Run a test on a new loop, bounded in time."""
    asyncio.run(asyncio.wait_for(test, PATIENCE_SECONDS))


def taking(pool: CaptchaPool[bytes], takers: int) -> list[asyncio.Task[CaptchaImage[bytes]]]:
    """Begin to take some pictures at once."""
    return [asyncio.create_task(pool.take()) for _ in range(takers)]


def test_ready_picture_is_taken_without_waiting() -> None:
    """Taking a ready picture does not even yield to the event loop."""

    async def test() -> None:
        renderer = StubRenderer(allowed=4)
        async with opened(CaptchaPool(renderer, renderer.answer, size=4), renderer) as pool:
            await until(lambda: pool.ready_count == 4)
            taken = pool.take()
            with pytest.raises(StopIteration) as ended:
                taken.send(None)
            assert ended.value.value == CaptchaImage("10000", b"picture of 10000")

    run(test())


def test_takers_get_different_pictures() -> None:
    """Each of many concurrent callers gets a different picture, with the answer it shows."""

    async def test() -> None:
        renderer = StubRenderer(allowed=200)
        async with opened(CaptchaPool(renderer, renderer.answer, size=8), renderer) as pool:
            pictures = await asyncio.gather(*taking(pool, 150))
        assert len({picture.answer for picture in pictures}) == 150
        assert all(
            picture.picture == b"picture of " + picture.answer.encode() for picture in pictures
        )

    run(test())


def test_taker_waits_at_an_empty_pool_and_the_loop_runs_on() -> None:
    """With none ready a caller waits, the loop runs on, and the caller gets the next picture."""

    async def test() -> None:
        renderer = StubRenderer(allowed=0)
        async with opened(CaptchaPool(renderer, renderer.answer, size=4), renderer) as pool:
            (waiting,) = taking(pool, 1)
            for _ in range(100):
                await asyncio.sleep(0)
            assert not waiting.done()
            renderer.allow(1)
            assert (await waiting).answer == "10000"

    run(test())


def test_takers_are_served_in_their_order() -> None:
    """The caller that has waited longest gets the first picture."""

    async def test() -> None:
        renderer = StubRenderer(allowed=0)
        async with opened(CaptchaPool(renderer, renderer.answer, size=4), renderer) as pool:
            waiting = taking(pool, 3)
            await asyncio.sleep(0)
            renderer.allow(3)
            pictures = await asyncio.gather(*waiting)
            assert [picture.answer for picture in pictures] == ["10000", "10001", "10002"]

    run(test())


def test_one_thread_draws_and_stops_at_the_size() -> None:
    """A single thread other than the loop's draws all pictures, and stops when the pool is full."""

    async def test() -> None:
        renderer = StubRenderer(allowed=1_000)
        async with opened(CaptchaPool(renderer, renderer.answer, size=6), renderer) as pool:
            await until(lambda: pool.ready_count == 6)
            await settle()
            assert len(renderer.drawn) == 6
            assert renderer.threads == {"hupan-pictures"}

    run(test())


def test_pool_is_refilled_only_when_half_of_it_is_left() -> None:
    """The thread sleeps until half of the pictures are gone, then draws until the pool is full."""

    async def test() -> None:
        renderer = StubRenderer(allowed=1_000)
        async with opened(CaptchaPool(renderer, renderer.answer, size=6), renderer) as pool:
            await until(lambda: pool.ready_count == 6)
            await settle()
            for left in (5, 4):
                await pool.take()
                await settle()
                assert pool.ready_count == left
            await pool.take()
            await until(lambda: pool.ready_count == 6)
            assert len(renderer.drawn) == 9

    run(test())


def test_pool_of_one_is_refilled() -> None:
    """The smallest pool works too."""

    async def test() -> None:
        renderer = StubRenderer(allowed=100)
        async with opened(CaptchaPool(renderer, renderer.answer, size=1), renderer) as pool:
            answers = [(await pool.take()).answer for _ in range(20)]
            assert answers == [str(10_000 + place) for place in range(20)]

    run(test())


def test_too_many_waiters_are_refused() -> None:
    """Above the maximum a caller is refused at once; callers already waiting are still served."""

    async def test() -> None:
        renderer = StubRenderer(allowed=0)
        pool = CaptchaPool(renderer, renderer.answer, size=4, max_waiters=3)
        async with opened(pool, renderer):
            waiting = taking(pool, 3)
            await asyncio.sleep(0)
            with pytest.raises(CaptchaPoolExhausted):
                await pool.take()
            renderer.allow(3)
            assert len(await asyncio.gather(*waiting)) == 3

    run(test())


def test_waiter_that_gave_up_leaves_its_place() -> None:
    """A cancelled caller neither counts as waiting nor uses up a picture."""

    async def test() -> None:
        renderer = StubRenderer(allowed=0)
        pool = CaptchaPool(renderer, renderer.answer, size=4, max_waiters=2)
        async with opened(pool, renderer):
            gone, stays = taking(pool, 2)
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
            (comes,) = taking(pool, 1)
            await asyncio.sleep(0)
            renderer.allow(2)
            assert [(await stays).answer, (await comes).answer] == ["10000", "10001"]
            assert gone.cancelled()

    run(test())


def test_waiter_cancelled_as_its_picture_comes_is_passed_over() -> None:
    """A caller cancelled after drawing and before delivery leaves its picture to the next."""

    async def test() -> None:
        renderer = StubRenderer(allowed=0)
        async with opened(CaptchaPool(renderer, renderer.answer, size=4), renderer) as pool:
            gone, stays = taking(pool, 2)
            await asyncio.sleep(0)
            renderer.allow(1)
            hold_the_loop_until(lambda: pool.ready_count == 1)
            gone.cancel()
            assert (await stays).answer == "10000"
            assert gone.cancelled()

    run(test())


def test_failure_reaches_the_waiters_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A failure is raised in all waiting callers; later the same thread draws again."""

    async def test() -> None:
        renderer = StubRenderer(allowed=0)
        renderer.failure = OSError("no ink for 10000")
        pool = CaptchaPool(renderer, renderer.answer, size=4, retry_seconds=0.001)
        async with opened(pool, renderer):
            waiting = taking(pool, 2)
            await asyncio.sleep(0)
            renderer.allow(1)
            failures = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(failure) for failure in failures] == [
                CaptchaRenderingFailed,
                CaptchaRenderingFailed,
            ]
            assert all(
                isinstance(failure, BaseException) and failure.__cause__ is renderer.failure
                for failure in failures
            )
            renderer.failure = None
            renderer.allow(1)
            assert (await pool.take()).answer == "10001"

    with caplog.at_level(logging.ERROR, logger="hupan.pictures"):
        run(test())
    assert caplog.messages == ["a captcha picture could not be drawn: OSError"]


def test_failing_source_of_answers_is_a_failure_too() -> None:
    """An error in the source of answers reaches the waiters like a renderer's error."""

    async def test() -> None:
        renderer = StubRenderer(allowed=10)

        def answer() -> str:
            raise LookupError

        pool = CaptchaPool(renderer, answer, size=4)
        async with opened(pool, renderer):
            with pytest.raises(CaptchaRenderingFailed):
                await pool.take()

    run(test())


def test_stop_ends_the_thread_and_refuses_the_waiters() -> None:
    """After stop() no thread is left, all callers are refused, and stop() may repeat."""

    async def test() -> None:
        renderer = StubRenderer(allowed=0)
        pool = CaptchaPool(renderer, renderer.answer, size=4)
        pool.start()
        waiting = taking(pool, 2)
        await asyncio.sleep(0)
        renderer.failure = OSError("the picture it is at")
        renderer.allow(1)
        pool.stop()
        pool.stop()
        assert "hupan-pictures" not in {thread.name for thread in threading.enumerate()}
        refusals = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(refusal) for refusal in refusals] == [
            CaptchaPoolExhausted,
            CaptchaPoolExhausted,
        ]
        with pytest.raises(CaptchaPoolExhausted):
            await pool.take()

    run(test())


def test_stop_does_not_wait_for_the_next_try() -> None:
    """A pool that pauses for an hour after a failure stops at once."""

    async def test() -> None:
        renderer = StubRenderer(allowed=1)
        renderer.failure = OSError("no ink")
        pool = CaptchaPool(renderer, renderer.answer, size=4, retry_seconds=3600.0)
        pool.start()
        with pytest.raises(CaptchaRenderingFailed):
            await pool.take()
        pool.stop()
        assert "hupan-pictures" not in {thread.name for thread in threading.enumerate()}

    run(test())


def test_pool_that_never_started_stops() -> None:
    """stop() without start() does nothing."""
    renderer = StubRenderer(allowed=0)
    CaptchaPool(renderer, renderer.answer).stop()
    assert renderer.drawn == []


def test_pool_starts_once() -> None:
    """A second start is an error, so that two threads never share one pool."""

    async def test() -> None:
        renderer = StubRenderer(allowed=10)
        async with opened(CaptchaPool(renderer, renderer.answer, size=4), renderer) as pool:
            with pytest.raises(RuntimeError):
                pool.start()

    run(test())


def test_picture_does_not_print_its_answer() -> None:
    """The repr of a picture, in a log or an error, shows neither answer nor pixels (C9)."""
    assert repr(CaptchaImage("48392", b"pixels")) == "CaptchaImage()"


def test_a_pool_may_wait_for_its_first_taker() -> None:
    """With `fill_at_start` off nothing is drawn until the first request."""

    async def story() -> None:
        renderer = StubRenderer(8)
        pool = CaptchaPool(renderer, renderer.answer, size=2, fill_at_start=False)
        async with opened(pool, renderer):
            await asyncio.sleep(0)
            assert renderer.drawn == []
            first = await pool.take()
            assert first.answer == "10000"
            await until(lambda: pool.ready_count == 2)

    asyncio.run(story())
