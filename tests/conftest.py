"""Fixtures that start real servers, and both engines for every test that touches a store."""

import asyncio
import gc
import inspect
import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.client import WireClient
from tests.support.postgres import Cluster
from tests.support.scratch import DISK, use_memory
from tests.support.servers import CHEAP_HASHES, Server
from tests.support.stores import ENGINES, STORES, Databases, EngineName

# Set before `hupan.cli` is imported, here and in every child process.
os.environ["HUPAN_LANG"] = "zh"
# No public server is contacted; reading the system's roots would cost each sender 40 ms. The key
# of this one was thrown away.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "support" / "nobody.pem")
use_memory()
# Found failures stay found on a busy machine; the random search is in `make soak`.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
OUTPUT_TAIL = 6000
STORELESS = (
    *("bench", "captcha", "clients", "config", "delivery", "geoip"),
    *("guards", "server", "store"),
)
"""Folders of tests that run once: they use no store, or choose its engine themselves."""
LONG_FIRST = ("model", "flows", "web", "faults", "store", "attacks", "cli", "wire", "domain")
"""Folders in the order of the duration of their longest file."""


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """Yield a folder on the disk, where other tests have one in memory."""
    with tempfile.TemporaryDirectory(prefix="hupan-disk-", dir=DISK) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Yield a PostgreSQL server for the tests of this process, started on first use."""
    with Cluster() as cluster:
        databases = Databases(cluster)
        yield databases
        databases.close()


@pytest.fixture(scope="session", autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[EngineName]:
    """Set the engine of the tests, which every opened store and started server reads."""
    STORES.engine = getattr(request, "param", "sqlite")
    if STORES.engine == "postgres":
        STORES.databases = request.getfixturevalue("databases")
    yield STORES.engine
    STORES.engine = "sqlite"


@pytest.fixture(autouse=True)
def _databases_of_one_test(engine: EngineName) -> Iterator[None]:
    del engine
    with STORES.dropped_after():
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark of tests that are too long for both engines."""
    config.addinivalue_line(
        "markers", "postgres_soak: runs on PostgreSQL with `make soak`, on SQLite with `make test`"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that may touch a store on both engines; `make check` on the embedded one."""
    if metafunc.definition.path.parent.name in STORELESS:
        return
    if metafunc.definition.get_closest_marker("one_engine"):
        return
    slow = {"postgres": [pytest.mark.slow]}
    if metafunc.definition.get_closest_marker("postgres_soak"):
        slow["postgres"].append(pytest.mark.soak)
    engines = [pytest.param(name, marks=slow.get(name, [])) for name in ENGINES]
    metafunc.parametrize("engine", engines, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests with the garbage collector off: the collected objects stay anyway."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in a new event loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments: dict[str, object] = pyfuncitem.funcargs
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: arguments[name] for name in names}))
    return True


@contextmanager
def _sandboxes() -> Iterator[dict[EngineName, Server]]:
    running: dict[EngineName, Server] = {}
    try:
        yield running
        for server in running.values():
            assert server.is_running, server.output()[-OUTPUT_TAIL:]
    finally:
        for server in running.values():
            server.close()


@pytest.fixture(scope="session")
def sandboxes() -> Iterator[dict[EngineName, Server]]:
    """Yield the shared sandboxes, one for each engine, started on first use."""
    with _sandboxes() as running:
        yield running


@pytest.fixture(scope="session")
def sandbox(engine: EngineName, sandboxes: dict[EngineName, Server]) -> Server:
    """Return the sandbox that all tests share; each test uses new numbers and addresses."""
    if engine not in sandboxes:
        sandboxes[engine] = Server("sandbox", environment=CHEAP_HASHES).__enter__()
    return sandboxes[engine]


@pytest.fixture
def own_sandbox() -> Iterator[Server]:
    """Yield a sandbox for a single test, which may stop it or inspect its process."""
    with Server("sandbox") as server:
        yield server


@pytest.fixture(scope="session")
def clients() -> Iterator[dict[EngineName, WireClient]]:
    """Yield the clients of the shared sandboxes; their counters go on, so no number comes twice."""
    known: dict[EngineName, WireClient] = {}
    yield known
    for client in known.values():
        client.close()


@pytest.fixture(scope="session")
def wire(engine: EngineName, sandbox: Server, clients: dict[EngineName, WireClient]) -> WireClient:
    """Return an unauthenticated client of the shared sandbox."""
    return clients.setdefault(engine, WireClient(sandbox))


@pytest.fixture(scope="session")
def emptied_sandboxes() -> Iterator[dict[EngineName, Server]]:
    """Yield the sandboxes that are emptied for each test, one for each engine."""
    with _sandboxes() as running:
        yield running


@pytest.fixture(scope="session")
def emptied_sandbox(engine: EngineName, emptied_sandboxes: dict[EngineName, Server]) -> Server:
    """Return a sandbox for tests that set its clock or count its contents."""
    if engine not in emptied_sandboxes:
        emptied_sandboxes[engine] = Server("sandbox", environment=CHEAP_HASHES).__enter__()
    return emptied_sandboxes[engine]


@pytest.fixture
def own_wire(emptied_sandbox: Server) -> Iterator[WireClient]:
    """Yield an unauthenticated client of an empty sandbox, whose clock the test may set."""
    with WireClient(emptied_sandbox) as client:
        assert client.request("POST", "/sandbox/reset").is_success
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's output with a failure."""
    report = yield
    fixtures: dict[str, object] = getattr(item, "funcargs", {})
    if report.failed:
        for name, value in fixtures.items():
            if isinstance(value, Server):
                report.sections.append((f"output of {name}", value.output()[-OUTPUT_TAIL:]))
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Exclude tests that empty or start a sandbox from `make check`; run long files first.

    At the end of a run the processes share short files, so that none is left alone with a long one.
    """
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        if {"own_sandbox", "own_wire"} & set(fixtures):
            item.add_marker(pytest.mark.slow)
    items.sort(key=_length)


def _length(item: pytest.Item) -> int:
    folder = item.path.parent.name
    return LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)
