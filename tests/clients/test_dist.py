"""What `make dist` builds: the same bytes each time, and whole without the checkout."""

import subprocess
import tarfile
import time
from pathlib import Path

import httpx
import pytest

from hupan import __version__
from tests.support.empty_environments import EmptyEnvironment, closure, locked_packages
from tests.support.ports import free_port
from tools.dist import PROJECTS, build, main

START_SECONDS = 120
NAMES = ("hupan", "hupan_client", "pytest_hupan")
BOT_TEST = """
import hupan_client
from hupan_client import Sandbox


def test_signing_in(hupan: Sandbox) -> None:
    client = hupan.sign_in("13800138000")
    assert client.get_own_info().phone == "13800138000"
    with client.socket() as socket:
        socket.send_heartbeat()
        assert socket.receive(30)
    assert "site-packages" in hupan_client.__file__
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what was built."""
    folder = tmp_path_factory.mktemp("dist")
    main(folder)
    return folder


def wheel(dist: Path, name: str) -> Path:
    """The wheel of a project."""
    return dist / f"{name}-{__version__}-py3-none-any.whl"


def test_twice_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    """Two builds are equal, and so is a wheel that is built from the sdist alone."""
    main(tmp_path / "again")
    built = {path.name: path.read_bytes() for path in dist.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == built
    sdists = {f"{name}-{__version__}.tar.gz" for name in NAMES}
    assert set(built) == {wheel(dist, name).name for name in NAMES} | sdists
    for name in NAMES:
        with tarfile.open(dist / f"{name}-{__version__}.tar.gz") as archive:
            archive.extractall(tmp_path, filter="data")
        build(tmp_path / f"{name}-{__version__}", tmp_path, "wheel")
        assert wheel(tmp_path, name).read_bytes() == built[wheel(dist, name).name]


def test_the_parts_have_one_version() -> None:
    """It is read from one place."""
    assert len(PROJECTS) == len(NAMES)
    for project in PROJECTS:
        text = (project / "pyproject.toml").read_text("utf-8")
        assert 'dynamic = ["version"]' in text
        assert text.count("src/hupan/__init__.py") == 1


def test_the_server_stands_alone(dist: Path, tmp_path: Path) -> None:
    """With the locked packages and without a checkout, the sandbox and its pages answer."""
    environment = EmptyEnvironment(tmp_path / "environment", locked_packages())
    environment.install(wheel(dist, "hupan"))
    assert __version__ in environment.run("hupan", "--version")
    port = free_port()
    command = [str(environment.bin / "hupan"), "sandbox", "--port", str(port), "--quiet"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as sandbox:  # noqa: S603 - our own
        try:
            await_health(f"http://127.0.0.1:{port}/healthz", sandbox)
            page = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, follow_redirects=True)
            assert (page.status_code, "<html" in page.text) == (200, True)
        finally:
            sandbox.terminate()
    assert sandbox.returncode == 0


def await_health(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            assert httpx.get(url, trust_env=False).is_success
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the sandbox does not answer")


def test_the_client_stands_alone(dist: Path, tmp_path: Path) -> None:
    """It needs three libraries, and neither the server nor protobuf."""
    needed = closure(["httpx", "msgspec", "websockets"])
    assert not needed & {"hupan", "protobuf"}
    environment = EmptyEnvironment(tmp_path / "environment", needed)
    environment.install(wheel(dist, "hupan_client"))
    shown = environment.run(
        "python", "-c", "from hupan_client import *; print(Client('http://127.0.0.1:1'))"
    )
    assert shown == "<Client of http://127.0.0.1:1, without a token>\n"


def test_the_plugin_is_found(dist: Path, tmp_path: Path) -> None:
    """Installing the three wheels is all that a project has to do."""
    needed = locked_packages() | closure(["httpx", "pytest"])
    environment = EmptyEnvironment(tmp_path / "environment", needed)
    environment.install(*(wheel(dist, name) for name in NAMES))
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_bot.py").write_text(BOT_TEST, "utf-8")
    output = environment.run(
        "python", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", folder=project
    )
    assert "1 passed" in output
