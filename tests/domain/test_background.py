"""Background tasks go on after an error, and never hold up a stop (security X7)."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from hupan import background
from hupan.api.body import Scope
from hupan.app import building
from hupan.app.application import Application
from hupan.app.building import Server
from hupan.background import DONE, BackgroundTask
from hupan.counting import Counts
from hupan.domain import courier, housekeeping, soundness
from hupan.domain.claims import Claims
from hupan.domain.contact_undo import ContactUndo
from hupan.domain.devices import Devices
from hupan.domain.endings import Endings
from hupan.domain.limit_resets import Forgetting
from hupan.domain.soundness import Soundness
from hupan.domain.watch import Watch
from hupan.model import StoreUnavailable
from hupan.store.engine import StoreRefused
from hupan.store.writer import Writer
from tests.model.served import Served
from tests.stores import open_engine

PATIENCE_SECONDS = 30.0
SOON_SECONDS = 0.001
WRITER = "hupan-writer"


class OddError(Exception):
    """An error that nobody expects."""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(background, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(housekeeping, "EVERY_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(courier, "LONGEST_SLEEP_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(soundness, "EVERY_SECONDS", SOON_SECONDS)


@pytest.fixture
def served(tmp_path: Path, _short_pauses: None) -> Iterator[Served]:
    """A server in this process."""
    served = Served(tmp_path / "served")
    yield served
    served.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Waits for something that happens on the loop."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(SOON_SECONDS)


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "error", [OddError("x"), MemoryError(), asyncio.CancelledError(), StoreUnavailable("away")]
)
def test_a_task_goes_on_after_an_error(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, with its trace unless it is an expected one, and counted (X7)."""
    rounds, counts = [0], Counts()

    async def work() -> object:
        rounds[0] += 1
        if rounds[0] < 4:
            raise error
        return DONE if rounds[0] == 5 else None

    async def scenario() -> None:
        task = BackgroundTask("odd jobs", work, expected=(StoreUnavailable,), count=counts)
        task.start()
        await until(lambda: rounds[0] == 5)
        await task.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert counts.of("background_failures") == {("odd jobs",): 3}
    assert len(caplog.records) == 3
    traces = {record.exc_info is not None for record in caplog.records}
    assert traces == {not isinstance(error, StoreUnavailable)}


@pytest.mark.one_engine
@pytest.mark.parametrize("phase", ["work", "pause", "never started", "ended", "deaf"])
def test_a_stop_is_never_blocked(phase: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a task is at, a stop ends it; one that does not hear is left behind (X7)."""
    begun = threading.Event()

    async def work() -> object:
        begun.set()
        if phase == "pause":
            raise OddError
        while phase != "ended":
            try:
                await asyncio.sleep(PATIENCE_SECONDS)
            except asyncio.CancelledError:
                if phase != "deaf":
                    raise
                await asyncio.sleep(0.5)
                break
        return DONE

    async def scenario() -> None:
        task = BackgroundTask("odd jobs", work)
        if phase != "never started":
            task.start()
            await until(begun.is_set)
        await task.stop()
        assert ("does not end" in caplog.text) == (phase == "deaf")

    asyncio.run(scenario())


CHORES: dict[str, tuple[object, str]] = {
    "expired rows": (housekeeping, "purge_codes"),
    "sessions": (Devices, "forget_expired"),
    "contact changes": (ContactUndo, "forget_expired"),
    "erasures": (Endings, "erase_due"),
    "signs of an attack": (Watch, "look"),
    "limits": (Forgetting, "look"),
    "claims": (Claims, "repair"),
    "integrity check": (Soundness, "look_when_due"),
    "outbox": (courier.Courier, "_take_on"),
}


@pytest.mark.one_engine
def test_each_chore_may_fail_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that raises something odd is tried again, and the others are done all the same (X7)."""
    calls = dict.fromkeys(CHORES, 0)

    def failing(name: str, real: Callable[..., Awaitable[object]]) -> Callable[..., object]:
        async def call(*args: object, **options: object) -> object:
            calls[name] += 1
            if calls[name] == 1:
                raise OddError(name)
            return await real(*args, **options)

        return call

    for name, (owner, method) in CHORES.items():
        monkeypatch.setattr(owner, method, failing(name, getattr(owner, method)))
    served = Served(tmp_path / "served")
    try:
        server = served.server

        async def live() -> None:
            server.housekeeping.start()
            server.soundness.start()
            server.parts.courier.start()
            await until(lambda: min(calls.values()) > 1)

        served.run(live())
        told = server.parts.counts.of("background_failures")
        assert told == {("housekeeping",): 7, ("soundness",): 1, ("courier",): 1}
    finally:
        served.close()
    assert not writers()


@pytest.mark.one_engine
@pytest.mark.parametrize("part", ["courier", "pictures", "soundness", "passwords"])
def test_a_stop_closes_everything(
    served: Served, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when a part fails to end: the store is closed all the same (X7)."""

    def fail(_self: object) -> None:
        raise OddError(part)

    parts = served.server.parts
    owner = served.server.soundness if part == "soundness" else getattr(parts, part)
    with monkeypatch.context() as patched:
        patched.setattr(type(owner), "close" if part == "passwords" else "stop", fail)
        with pytest.raises(OddError):
            served.run(served.server.stop())
    assert not writers()
    with pytest.raises(StoreUnavailable):
        served.run(parts.engine.check())


def writers() -> list[threading.Thread]:
    """The threads of stores that are open in this process."""
    return [thread for thread in threading.enumerate() if thread.name == WRITER]


@pytest.mark.one_engine
@pytest.mark.parametrize("step", ["refuse_half_a_copy", "make_parts", "routes", "Metrics"])
def test_a_build_that_fails_closes_what_it_opened(
    served: Served, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it fails: a server that tries twice a second would run out of files (X7)."""
    before, parts = len(writers()), served.server.parts

    def fail(*_args: object, **_options: object) -> None:
        raise OddError(step)

    monkeypatch.setattr(building, step, fail)
    with pytest.raises(OddError):
        served.run(building.build(parts.settings, parts.outside))
    assert len(writers()) == before


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), StoreRefused("odd"), OddError("x"), ValueError("x")]
)
def test_waiting_for_the_store_goes_on(
    served: Served, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens at a try, the next one follows, and the server ends in order (X7)."""
    monkeypatch.setattr("hupan.app.application.EVERY_SECONDS", SOON_SECONDS)
    tries, parts = [0], served.server.parts
    built: list[Server] = []

    async def open_server() -> Server:
        tries[0] += 1
        if tries[0] == 1:
            raise StoreUnavailable("away")
        if tries[0] < 4:
            raise error
        server = await building.build(parts.settings, parts.outside)
        built.append(server)
        return server

    async def scenario() -> None:
        orders: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        told: list[str] = []

        async def send(event: dict[str, str]) -> None:
            told.append(event["type"])

        orders.put_nowait({"type": "lifespan.startup"})
        application = Application(open_server, waits=True)
        scope: Scope = {"type": "lifespan"}
        living = asyncio.create_task(application(scope, orders.get, send))  # type: ignore[arg-type]  # as ASGI has it
        await until(lambda: bool(built))
        orders.put_nowait({"type": "lifespan.shutdown"})
        await living
        assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    before = len(writers())
    served.run(scenario())
    assert len(writers()) == before


@pytest.mark.one_engine
def test_the_writer_goes_on_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in whose group something odd happens fails; the next one is kept (X7)."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            with monkeypatch.context() as patched:

                def fail(_self: Writer, _waiting: object) -> None:
                    raise MemoryError

                patched.setattr(Writer, "_run_one", fail)
                with pytest.raises(StoreUnavailable, match="MemoryError"):
                    await engine.change(lambda tx: tx.run("SELECT 1"))
            await engine.change(lambda tx: tx.run("SELECT 1"))

    asyncio.run(scenario())
