"""docs/install.md: each installing command does what the page says, in its order."""

import json
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.containers import Image, can_run_containers
from tests.support.debian_roots import CONFIG, DATA, Machine, PackagedServer
from tests.support.package_days import PASSPHRASE, sign_in_all
from tests.support.ports import LOOPBACK, free_port
from tests.support.scratch import DISK
from tests.support.servers import Server
from tools import dist
from tools.packages.tree import find_pip

pytestmark = [
    pytest.mark.soak,
    pytest.mark.one_engine,
    pytest.mark.skipif(not can_run_containers(), reason="needs root, mmdebstrap, buildah, runc"),
]

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs/install.md").read_text("utf-8")
PHONE = "13900000000"
ANSWERS = "\n" * 40
HOUSE = "/opt/hupan/bin"


def commands(heading: str) -> list[str]:
    """Return the commands below a heading that need a separate machine."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(f"{heading}\n"))
    blocks = re.findall(r"^```text\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def run_line(machine: Machine, line: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a line of the page in a folder with the files it names."""
    return machine.run("sh", "-c", f"cd /srv && {line}", environment=environment, answers=ANSWERS)


def test_debian(package: Path, tmp_path: Path) -> None:
    """R20: the package installs by its page; systemd would start the unit's command."""
    machine = Machine(tmp_path / "machine")
    try:
        (machine.root / "srv/dist").mkdir()
        shutil.copy(package, machine.root / "srv/dist")
        stub = machine.root / "usr/bin/systemctl"  # systemd does not run here
        stub.write_text('#!/bin/sh\necho "$@" >/srv/asked\n', "utf-8")
        stub.chmod(0o755)
        for line in commands("Debian 12"):
            run_line(machine, line)
        assert (machine.root / "srv/asked").read_text("utf-8") == "start hupan\n"
        with machine.serve() as server, WireClient(server) as client:
            assert sign_in_all(machine, server, client, [PHONE])
    finally:
        machine.close()


@pytest.fixture(scope="module")
def python_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Yield a machine with Python's tools, the packages, and libraries instead of an index."""
    machine = Machine(tmp_path_factory.mktemp("python") / "machine", "python3-venv", "pipx")
    srv = machine.root / "srv"
    try:
        dist.main(srv / "dist")
        (srv / "requirements").mkdir()
        wheels = srv / "wheels"
        for name in ("runtime.txt", "build.txt"):
            lock = shutil.copy(CHECKOUT / "requirements" / name, srv / "requirements")
            options = ("--require-hashes", "--only-binary", ":all:", "-r", lock)
            fetch = [*find_pip(), "-qq", "download", "-d", wheels, *options]
            subprocess.run(fetch, check=True)  # noqa: S603  pip
        shutil.copy(CHECKOUT / ".venv/bin/uv", machine.root / "usr/bin/uv")
        yield machine
    finally:
        machine.close()


FROM_FOLDER = {
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "/srv/wheels",
    "UV_OFFLINE": "1",
    "UV_FIND_LINKS": "/srv/wheels",
}


def test_wheel_and_sdist(python_machine: Machine) -> None:
    """R13, R20: install by the page, replace by the sdist's build, remove; data stays."""
    machine = python_machine
    lines = [line for line in commands("From a wheel") if HOUSE.rpartition("/")[0] in line]
    assert [line.split()[0].rpartition("/")[2] for line in lines] == [
        *("python3", "pip", "pip", "hupan"),
    ]
    for line in lines:
        run_line(machine, line, {**FROM_FOLDER, "HOME": "/root"})
    serve = (f"{HOUSE}/hupan", "serve", "--config", f"/{CONFIG}")
    with PackagedServer(machine, serve) as server, WireClient(server) as client:
        token = sign_in_all(machine, server, client, [PHONE])[PHONE]
    pip = f"{HOUSE}/pip"
    run_line(machine, f"{pip} install --force-reinstall --no-deps dist/hupan-*.tar.gz", FROM_FOLDER)
    with PackagedServer(machine, serve) as server, WireClient(server) as client:
        assert client.own_info(token).code == 1
    run_line(machine, f"{pip} uninstall --yes hupan")
    assert not (machine.root / HOUSE.lstrip("/") / "hupan").exists()
    assert (machine.root / DATA / "hupan.db").exists()


@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_tools(python_machine: Machine, tool: str) -> None:
    """R20: the tool has its own command, and can be removed."""
    (line,) = (line for line in commands("From a wheel") if line.startswith(tool))
    environment = {**FROM_FOLDER, "HOME": f"/root/{tool}"}
    run_line(python_machine, line, environment)
    program = f"/root/{tool}/.local/bin/hupan"
    assert "hupan 0." in python_machine.run(program, "version")
    removal = "uv tool uninstall hupan" if tool == "uv" else "pipx uninstall hupan"
    run_line(python_machine, removal, environment)
    assert not (python_machine.root / program.lstrip("/")).exists()


class Podman:
    """podman with its own storage, within the limits of the test process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        config, storage = folder / "containers.conf", folder / "storage.conf"
        config.write_text(
            "[containers]\ndefault_ulimits = []\n"
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
            "utf-8",
        )
        storage.write_text(
            f'[storage]\ndriver = "vfs"\n'
            f'graphroot = "{folder}/storage"\nrunroot = "{folder}/run"\n',
            "utf-8",
        )
        self._environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            **PASSPHRASE,
            "CONTAINERS_CONF": str(config),
            "CONTAINERS_STORAGE_CONF": str(storage),
        }

    def run(self, *arguments: str) -> str:
        """Run a command of podman; return both outputs."""
        done = subprocess.run(  # noqa: S603  the commands of the page
            ["/usr/bin/podman", *arguments],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @property
    def keys(self) -> Path:
        """Return the folder with the secret key of the server."""
        (volume,) = json.loads(self.run("volume", "inspect", "hupan"))
        return Path(volume["Mountpoint"]) / "data"


class PublishedServer(Server):
    """The server in the container that a command of the page started."""

    def __init__(self, podman: Podman) -> None:
        super().__init__("serve")
        self.port, self._podman = podman.port, podman
        self.url = f"http://{LOOPBACK}:{self.port}"

    @property
    def is_running(self) -> bool:
        return "true" in self._podman.run("inspect", "--format", "{{.State.Running}}", "hupan")

    def _written(self) -> str:
        return self._podman.run("logs", "hupan")

    def start(self) -> None:
        self._await_health()


@pytest.fixture
def podman(image: Image) -> Iterator[Podman]:
    """Yield Podman next to the archive of the page, on a short path for its sockets."""
    folder = Path(tempfile.mkdtemp(prefix="hupan-podman-", dir=DISK))
    (folder / "dist").mkdir()
    shutil.copy(image.archive, folder / "dist")
    podman = Podman(folder)
    try:
        yield podman
    finally:
        podman.run("rm", "--all", "--force")
        podman.run("rmi", "--all", "--force")
        shutil.rmtree(folder)


@pytest.mark.skipif(not shutil.which("podman"), reason="needs podman")
def test_container(podman: Podman) -> None:
    """R20: the image is loaded, set up, published, backed up and restored as the page says."""
    after: dict[str, Callable[[], None]] = {"run --detach": lambda: use(podman)}
    played = 0
    for line in commands("Container"):
        words = shlex.split(line.replace("8480:8480", f"{podman.port}:8480"))
        assert words[0] == "podman"
        podman.run(*words[1:])
        for begin, look in after.items():
            if begin in line:
                look()
                played += 1
    assert played == len(after)
    assert (podman.folder / "lake.backup").read_bytes().startswith(b"age-encryption.org/v1")
    assert '"ExitCode": 0' in podman.run("inspect", "hupan")
    (start,) = (line for line in commands("Container") if "run --detach" in line)
    asked = ("run", "--rm", "--volume", "restored:/var/lib/hupan", shlex.split(start)[-1])
    assert PHONE in podman.run(*asked, "account", "list", "--json")


def use(podman: Podman) -> None:
    """Sign in to the started container."""
    server = PublishedServer(podman)
    server.start()
    with WireClient(server) as client:
        assert sign_in_all(podman, server, client, [PHONE])
