"""The image as runc runs it: any user, a read-only root, one volume, no privileges."""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.ports import LOOPBACK
from tests.support.scratch import DISK
from tests.support.servers import Server
from tools.packages.image import VOLUME

_SECONDS = 120
_GROUP = 0
# /proc and /dev as every runtime mounts them; /tmp is not among them.
_MOUNTS: Sequence[Mapping[str, object]] = (
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
        "destination": "/dev/shm",  # noqa: S108  of the container
        "type": "tmpfs",
        "source": "shm",
        "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
    },
)


def can_run_containers() -> bool:
    """Return whether this machine has the necessary programs."""
    programs = ("mmdebstrap", "buildah", "runc", "strip")
    return os.geteuid() == 0 and all(map(shutil.which, programs))


@dataclass(frozen=True)
class Image:
    """The archive of an image with one layer, read according to the OCI specification."""

    archive: Path

    @cached_property
    def _members(self) -> Mapping[str, bytes]:
        with tarfile.open(self.archive) as tar:
            files = (member for member in tar if member.isfile() and member.size < 2**20)
            return {member.name: _read(tar, member) for member in files}

    def _blob(self, descriptor: Mapping[str, Any]) -> dict[str, Any]:
        """Return a JSON blob; check the size and the digest of its descriptor."""
        kind, _, digest = descriptor["digest"].partition(":")
        data = self._members[f"blobs/{kind}/{digest}"]
        assert (len(data), hashlib.sha256(data).hexdigest()) == (descriptor["size"], digest)
        found: dict[str, Any] = json.loads(data)
        return found

    @cached_property
    def descriptor(self) -> dict[str, Any]:
        """Return the manifest entry of the image."""
        (found,) = json.loads(self._members["index.json"])["manifests"]
        return dict(found)

    @property
    def digest(self) -> str:
        """Return the digest by which registries know the image."""
        return str(self.descriptor["digest"])

    @cached_property
    def layer(self) -> dict[str, Any]:
        """Return the descriptor of its only layer."""
        (found,) = self._blob(self.descriptor)["layers"]
        assert found["mediaType"] == "application/vnd.oci.image.layer.v1.tar"
        return dict(found)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Return the configuration of its containers."""
        found: dict[str, Any] = self._blob(self._blob(self.descriptor)["config"])["config"]
        return found

    def unpack(self, root: Path) -> None:
        """Unpack its layer."""
        root.mkdir()
        kind, _, digest = self.layer["digest"].partition(":")
        blob = root.with_suffix(".tar")
        with tarfile.open(self.archive) as tar, blob.open("wb") as file:
            source = tar.extractfile(f"blobs/{kind}/{digest}")
            assert source
            shutil.copyfileobj(source, file)
        subprocess.run(["tar", "-C", root, "-xpf", blob], check=True)  # noqa: S603, S607  tar
        blob.unlink()


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file
    return file.read()


class ContainerHost:
    """A machine that runs containers of one image, all with the same volume.

    Args:
        root: the unpacked image.
        uid: the user of the containers; group 0, as runtimes assign to a user without a name.
    """

    def __init__(self, image: Image, root: Path, folder: Path, uid: int) -> None:
        folder.mkdir()
        self._image, self._root, self._folder, self._uid = image, root, folder, uid
        self._count = 0
        self.volume = folder / "volume"
        # As a runtime makes an empty volume: with owner and mode of the folder in the image.
        status = (root / VOLUME.lstrip("/")).stat()
        self.volume.mkdir()
        os.chown(self.volume, status.st_uid, status.st_gid)
        self.volume.chmod(stat.S_IMODE(status.st_mode))

    def bundle(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, ...]:
        """Return the command that runs a command in a new container."""
        self._count += 1
        name = f"{self._folder.name}-{os.getpid()}-{self._count}"
        bundle = self._folder / name
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(self._spec(command, environment)), "utf-8")
        return ("runc", "--root", str(self._folder / "runc"), "run", "-b", str(bundle), name)

    def _spec(self, command: Sequence[str], environment: Mapping[str, str]) -> dict[str, object]:
        config = self._image.config
        (volume,) = config["Volumes"]
        own = [f"{name}={value}" for name, value in environment.items()]
        bind = {"destination": volume, "type": "bind", "source": str(self.volume)}
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": self._uid, "gid": _GROUP},
                "args": list(command),
                "env": [*config["Env"], "HUPAN_LANG=en", *own],
                "cwd": config["WorkingDir"],
                "capabilities": {},
                "noNewPrivileges": True,
            },
            "root": {"path": str(self._root), "readonly": True},
            "mounts": [*_MOUNTS, {**bind, "options": ["rbind", "rw", "nosuid", "nodev"]}],
            # It shares the network of the test, so its address must be loopback.
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
        }

    def hupan(
        self, *arguments: str, status: int = 0, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run a command of Hupan in a new container; return both outputs."""
        command = [*self._image.config["Entrypoint"], *arguments]
        return self.run(*command, status=status, environment=environment)

    def run(
        self, *command: str, status: int = 0, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run any program of the image in a new container; return both outputs."""
        done = subprocess.run(  # noqa: S603  the commands of a test
            self.bundle(command, environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def serve(self) -> "ContainerServer":
        """Return the server, not started yet."""
        config = self._image.config
        return ContainerServer(self, [*config["Entrypoint"], *config["Cmd"]])

    def place_of(self, name: str) -> str:
        """Return the path at which a command in a container finds a file of the volume."""
        return f"{VOLUME}/{name}"

    @property
    def keys(self) -> Path:
        """Return the folder with the secret key."""
        return self.volume / "data"

    def get(self, name: str) -> bytes:
        """Read a file of the volume."""
        return (self.volume / name).read_bytes()

    def lose(self) -> None:
        """Remove the volume, which has all data of the containers."""
        shutil.rmtree(self.volume)

    def put(self, name: str, data: bytes) -> None:
        """Write a file into the volume."""
        path = self.volume / name
        path.write_bytes(data)
        os.chown(path, self._uid, _GROUP)


class ContainerServer(Server):
    """The command of the image itself, in a container."""

    def __init__(self, host: ContainerHost, program: Sequence[str]) -> None:
        super().__init__("serve")
        self._home = Path(tempfile.mkdtemp(prefix="hupan-container-", dir=DISK))
        self._log = self._home / "output.txt"
        self._host, self._program = host, program
        self._command = []
        self._environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def start(self) -> None:
        """Start a new container."""
        own = {"HUPAN_HOST": LOOPBACK, "HUPAN_PORT": str(self.port)}
        self._command = [*self._host.bundle(self._program, own)]
        super().start()

    def kill(self) -> int:
        """End all of it at once."""
        with contextlib.suppress(subprocess.CalledProcessError):
            runc, name = self._command[:3], self._command[-1]
            subprocess.run([*runc, "delete", "--force", name], check=True)  # noqa: S603  runc
        return super().kill()
