"""Fresh Debian machines in folders, and servers of the package that run in them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.scratch import DISK
from tests.support.servers import Server

ROOT = Path(__file__).parents[2]
_IMAGES = ROOT / "build"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
INCLUDED = "python3,ca-certificates,tzdata,passwd,init-system-helpers"
DATA = Path("var/lib/hupan")
CONFIG = "etc/hupan/hupan.toml"
AS_SERVICE = ("setpriv", "--reuid", "hupan", "--regid", "hupan", "--init-groups")


def can_make_roots() -> bool:
    """Return whether this machine has the necessary programs."""
    return os.geteuid() == 0 and bool(shutil.which("mmdebstrap") and shutil.which("dpkg-deb"))


class Machine:
    """One machine: a folder that commands see as their root.

    Args:
        packages: those of Debian, besides the dependencies of ours.
    """

    def __init__(self, folder: Path, *packages: str) -> None:
        self.root = folder
        image = _IMAGES / f"{'-'.join(('debian-root', *packages))}.tar"
        if not image.exists():
            image.parent.mkdir(exist_ok=True)
            partial = image.with_suffix(".part.tar")
            included = ",".join((INCLUDED, *packages))
            options = ("--variant=apt", f"--include={included}", "bookworm", partial, MIRROR)
            subprocess.run(["mmdebstrap", *options], check=True)  # noqa: S603, S607  Debian's own
            partial.rename(image)
        folder.mkdir()
        subprocess.run(["tar", "-C", folder, "-xf", image], check=True)  # noqa: S603, S607  tar

    def run(
        self,
        *command: str,
        status: int = 0,
        environment: Mapping[str, str] | None = None,
        answers: str = "",
    ) -> str:
        """Run a command in it; return both outputs."""
        done = subprocess.run(  # noqa: S603  the commands of a test
            [*self.entry(), *command],
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HUPAN_LANG": "en",
                **(environment or {}),
            },
            input=answers,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def entry(self) -> tuple[str, ...]:
        """Return the command prefix that enters the machine."""
        return ("chroot", str(self.root))

    def install(self, package: Path) -> str:
        """Install a package or upgrade to it."""
        shutil.copyfile(package, self.root / "tmp/hupan.deb")
        return self.run("dpkg", "--force-unsafe-io", "-i", "/tmp/hupan.deb")  # noqa: S108  of the machine in the folder

    def hupan(
        self, *arguments: str, status: int = 0, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run a command of the package; return both outputs."""
        own = {"HUPAN_CONFIG": f"/{CONFIG}", **(environment or {})}
        return self.run("hupan", *arguments, status=status, environment=own)

    def serve(self) -> "PackagedServer":
        """Return the service, not started yet."""
        return PackagedServer(self)

    @property
    def keys(self) -> Path:
        """Return the folder with the secret key."""
        return self.root / DATA

    def place_of(self, name: str) -> str:
        """Return the path at which a command in it finds a file."""
        return f"/srv/{name}"

    def get(self, name: str) -> bytes:
        """Read a file."""
        return (self.root / "srv" / name).read_bytes()

    def put(self, name: str, data: bytes) -> None:
        """Write a file."""
        (self.root / "srv" / name).write_bytes(data)

    def lose(self) -> None:
        """Purge the package and remove the machine."""
        self.run("dpkg", "--purge", "hupan")
        self.close()

    def close(self) -> None:
        """Remove the machine, unless it is removed already."""
        if self.root.exists():
            shutil.rmtree(self.root)

    def status_of(self, name: str) -> os.stat_result:
        """Return owner and mode of a file in it."""
        return (self.root / name).stat()

    def user(self) -> tuple[int, str]:
        """Return number and shell of the service's user."""
        fields = self.run("getent", "passwd", "hupan").strip().split(":")
        return int(fields[2]), fields[6]


class PackagedServer(Server):
    """The service as its unit starts it, or another command that serves."""

    def __init__(self, machine: Machine, command: Sequence[str] = ()) -> None:
        super().__init__("serve")
        self._home = Path(tempfile.mkdtemp(prefix="hupan-package-", dir=DISK))
        self._log = self._home / "output.txt"
        command = command or _command_of_unit(machine.root)
        self._command = [*machine.entry(), *command, "--port", str(self.port)]
        self._environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HUPAN_LANG": "en"}


def _command_of_unit(root: Path) -> tuple[str, ...]:
    unit = (root / "usr/lib/systemd/system/hupan.service").read_text("utf-8")
    (start,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    return (*AS_SERVICE, *start.removeprefix("ExecStart=").split())
