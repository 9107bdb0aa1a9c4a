"""Background tasks continue after an error, and never delay a stop (security X7)."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from hupan import application as building
from hupan import background
from hupan.api.codecs import Scope
from hupan.application import Application, Server
from hupan.background import DONE, BackgroundTask
from hupan.domain import maintenance as housekeeping
from hupan.domain import maintenance as soundness
from hupan.domain import outbox as courier
from hupan.domain.deletion import AccountDeletion
from hupan.domain.devices import Devices
from hupan.domain.limits import MemoryLimitReset
from hupan.domain.maintenance import IntegrityChecker, OrphanIdentityRepair
from hupan.domain.recovery import ContactUndo
from hupan.metrics import MetricCounters
from hupan.model import StoreUnavailable
from hupan.ratelimit.memory import AttackDetector
from hupan.store.database import StoreRefused
from hupan.store.sqlite import Writer
from tests.model.inprocess_server import InProcessServer
from tests.support.stores import open_engine

PATIENCE_SECONDS = 60.0
SOON_SECONDS = 0.001
WRITER = "hupan-writer"


class OddError(Exception):
    """An error that no code expects."""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "INITIAL_RETRY_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(background, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(housekeeping, "PURGE_INTERVAL_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(courier, "MAX_SLEEP_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(soundness, "INTEGRITY_POLL_SECONDS", SOON_SECONDS)


@pytest.fixture
def served(tmp_path: Path, _short_pauses: None) -> Iterator[InProcessServer]:
    """Yield a server in this process."""
    served = InProcessServer(tmp_path / "served")
    yield served
    served.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a condition on the event loop."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(SOON_SECONDS)


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "error", [OddError("x"), MemoryError(), asyncio.CancelledError(), StoreUnavailable("away")]
)
def test_a_task_goes_on_after_an_error(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is logged and counted, with its traceback unless it is an expected one (X7)."""
    rounds, counts = [0], MetricCounters()

    async def work() -> object:
        rounds[0] += 1
        if rounds[0] < 4:
            raise error
        return DONE if rounds[0] == 5 else None

    async def scenario() -> None:
        task = BackgroundTask("odd jobs", work, expected_errors=(StoreUnavailable,), count=counts)
        task.start()
        await until(lambda: rounds[0] == 5)
        await task.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert counts.counts_by_labels("background_failures") == {("odd jobs",): 3}
    assert len(caplog.records) == 3
    traces = {record.exc_info is not None for record in caplog.records}
    assert traces == {not isinstance(error, StoreUnavailable)}


@pytest.mark.one_engine
@pytest.mark.parametrize("phase", ["work", "pause", "never started", "ended", "deaf"])
def test_a_stop_is_never_blocked(phase: str, caplog: pytest.LogCaptureFixture) -> None:
    """A stop ends a task in every phase; one that ignores it is abandoned (X7)."""
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
        assert ("does not stop" in caplog.text) == (phase == "deaf")

    asyncio.run(scenario())


CHORES: dict[str, tuple[object, str]] = {
    "expired rows": (housekeeping, "purge_codes"),
    "sessions": (Devices, "purge_expired"),
    "contact changes": (ContactUndo, "purge_expired"),
    "erasures": (AccountDeletion, "erase_due"),
    "signs of an attack": (AttackDetector, "check_hour"),
    "limits": (MemoryLimitReset, "apply_requested"),
    "claims": (OrphanIdentityRepair, "run"),
    "integrity check": (IntegrityChecker, "run_when_due"),
    "outbox": (courier.OutboxWorker, "_start_due"),
}


@pytest.mark.one_engine
def test_each_chore_may_fail_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task with an unexpected error is retried, and the others run anyway (X7)."""
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
    served = InProcessServer(tmp_path / "served")
    try:
        server = served.server

        async def live() -> None:
            server.housekeeping.start()
            server.integrity_checker.start()
            server.infrastructure.outbox_worker.start()
            await until(lambda: min(calls.values()) > 1)

        served.run(live())
        told = server.infrastructure.metric_counters.counts_by_labels("background_failures")
        assert told == {("housekeeping",): 7, ("soundness",): 1, ("courier",): 1}
    finally:
        served.close()
    assert not writers()


@pytest.mark.one_engine
@pytest.mark.parametrize("part", ["outbox_worker", "captcha_pool", "soundness", "password_hasher"])
def test_a_stop_closes_everything(
    served: InProcessServer, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a part fails to stop, the store is closed anyway (X7)."""

    def fail(_self: object) -> None:
        raise OddError(part)

    parts = served.server.infrastructure
    owner = served.server.integrity_checker if part == "soundness" else getattr(parts, part)
    with monkeypatch.context() as patched:
        patched.setattr(type(owner), "close" if part == "password_hasher" else "stop", fail)
        with pytest.raises(OddError):
            served.run(served.server.stop())
    assert not writers()
    with pytest.raises(StoreUnavailable):
        served.run(parts.database.check())


def writers() -> list[threading.Thread]:
    """Return the threads of stores that are open in this process."""
    return [thread for thread in threading.enumerate() if thread.name == WRITER]


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "step", ["ensure_copy_complete", "Infrastructure", "build_routes", "MetricsApp"]
)
def test_a_build_that_fails_closes_what_it_opened(
    served: InProcessServer, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaks no file, even if the server retries twice a second (X7)."""
    before, parts = len(writers()), served.server.infrastructure

    def fail(*_args: object, **_options: object) -> None:
        raise OddError(step)

    monkeypatch.setattr(building, step, fail)
    with pytest.raises(OddError):
        served.run(building.build_server(parts.settings, parts.environment))
    assert len(writers()) == before


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), StoreRefused("怪", "odd"), OddError("x"), ValueError("x")]
)
def test_waiting_for_the_store_goes_on(
    served: InProcessServer, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any error the next attempt follows, and the server stops in order (X7)."""
    monkeypatch.setattr("hupan.application.STORE_RETRY_SECONDS", SOON_SECONDS)
    tries, parts = [0], served.server.infrastructure
    built: list[Server] = []

    async def open_server() -> Server:
        tries[0] += 1
        if tries[0] == 1:
            raise StoreUnavailable("away")
        if tries[0] < 4:
            raise error
        server = await building.build_server(parts.settings, parts.environment)
        built.append(server)
        return server

    async def scenario() -> None:
        orders: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        told: list[str] = []

        async def send(event: dict[str, str]) -> None:
            told.append(event["type"])

        orders.put_nowait({"type": "lifespan.startup"})
        application = Application(open_server, retry_store=True)
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
    """Writes grouped with an unexpected error fail; the next one succeeds (X7)."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            with monkeypatch.context() as patched:

                def fail(_self: Writer, _waiting: object) -> None:
                    raise MemoryError

                patched.setattr(Writer, "_run_one", fail)
                with pytest.raises(StoreUnavailable, match="MemoryError"):
                    await engine.run_transaction(lambda tx: tx.execute("SELECT 1"))
            await engine.run_transaction(lambda tx: tx.execute("SELECT 1"))

    asyncio.run(scenario())
