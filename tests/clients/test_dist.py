"""What `make dist` builds is reproducible, and complete without the checkout (kit K-1)."""

import json
import subprocess
import tarfile
from pathlib import Path

import httpx
import pytest

from hupan import __version__
from tests.support.wheelhouse import Machine
from tools.dist import PROJECTS, build, main

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
    """Build everything into a folder and return it."""
    folder = tmp_path_factory.mktemp("dist")
    main(folder)
    return folder


def wheel(dist: Path, name: str) -> Path:
    """Return the wheel of a project."""
    return dist / f"{name}-{__version__}-py3-none-any.whl"


def test_twice_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    """Two builds are equal, and so is a wheel built from the sdist alone."""
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
    """The version is read from one place."""
    assert len(PROJECTS) == len(NAMES)
    for project in PROJECTS:
        text = (project / "pyproject.toml").read_text("utf-8")
        assert 'dynamic = ["version"]' in text
        assert text.count("src/hupan/__init__.py") == 1


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Return a machine whose index has only the packages' declared requirements."""
    return Machine(tmp_path_factory.mktemp("machine"), ["hupan", "hupan-client", "pytest-hupan"])


def environment(machine: Machine, dist: Path, folder: Path, *names: str) -> Path:
    """Make an environment with some of the wheels; return the folder of its commands."""
    machine.run("uv", "venv", "-q", folder)
    wheels = [wheel(dist, name) for name in names]
    machine.run("uv", "pip", "install", "-q", "--python", folder / "bin/python", *wheels)
    return folder / "bin"


def test_the_server_stands_alone(dist: Path, machine: Machine, tmp_path: Path) -> None:
    """With the locked packages and without a checkout, the sandbox and its pages answer."""
    commands = environment(machine, dist, tmp_path / "environment", "hupan")
    command = [str(commands / "hupan"), "sandbox", "--port", "0", "--json"]
    with subprocess.Popen(  # noqa: S603 - our own
        command, cwd=tmp_path, env=machine.environment, stdout=subprocess.PIPE, text=True
    ) as sandbox:
        try:
            assert sandbox.stdout is not None
            told = json.loads(sandbox.stdout.readline())
            page = httpx.get(told["pages"], trust_env=False, follow_redirects=True)
            assert (page.status_code, "<html" in page.text) == (200, True)
            machine.run(commands / "hupan", "conformance", told["url"])
            machine.run(commands / "hupan", "doctor", told["url"])
        finally:
            sandbox.terminate()
    assert (sandbox.returncode, told["version"]) == (0, __version__)


def test_it_runs_without_being_installed(dist: Path, machine: Machine) -> None:
    """`uvx` runs the wheel in a temporary environment."""
    shown = machine.run("uvx", "-q", "--from", wheel(dist, "hupan"), "hupan", "--version")
    assert __version__ in shown
    assert not (machine.commands / "hupan").exists()


def test_the_client_stands_alone(dist: Path, machine: Machine, tmp_path: Path) -> None:
    """The client needs three libraries, and neither the server nor protobuf."""
    commands = environment(machine, dist, tmp_path / "environment", "hupan_client")
    python = commands / "python"
    installed = machine.run("uv", "pip", "freeze", "-q", "--python", python).lower()
    assert {line.split("==")[0].split(" @ ")[0] for line in installed.splitlines()} == {
        *("hupan-client", "httpx", "msgspec", "websockets"),
        *("anyio", "certifi", "h11", "httpcore", "idna", "typing-extensions"),  # of httpx
    }
    shown = machine.run(
        python, "-c", "from hupan_client import *; print(Client('http://127.0.0.1:1'))"
    )
    assert shown == "<Client of http://127.0.0.1:1, without a token>\n"


def test_the_plugin_is_found(dist: Path, machine: Machine, tmp_path: Path) -> None:
    """A project only has to install the three wheels."""
    commands = environment(machine, dist, tmp_path / "environment", *NAMES)
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_bot.py").write_text(BOT_TEST, "utf-8")
    pytest_run = ("-m", "pytest", "-W", "error", "-p", "no:cacheprovider")
    assert "1 passed" in machine.run(commands / "python", *pytest_run, folder=project)
