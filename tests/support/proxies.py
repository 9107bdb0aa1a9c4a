"""The proxies of deploy/, each as a separate process on the loopback address."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import LOOPBACK, free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
START_SECONDS = 120.0
STOP_SECONDS = 60.0

MEDIA_NAMES = ("chat-img.jwznb.com", "api.qiniu.com", "upload-z2.qiniup.com")
NAMES = ("chat-go.jwzhd.com", "chat-web-go.jwzhd.com", "chat-ws-go.jwzhd.com")


def nginx(folder: Path, port: int, behind: int, chain: Path) -> Sequence[str]:
    """Return the command that runs the system's nginx with our file."""
    text = (DEPLOY / "nginx/hupan.conf").read_text("utf-8")
    site = _replacer(text)(
        ("listen 443 ssl;", f"listen {LOOPBACK}:{port} ssl;"),
        ("127.0.0.1:8480", f"{LOOPBACK}:{behind}"),
        ("/etc/hupan/tls/fullchain.pem", str(chain)),
        ("/etc/hupan/tls/privkey.pem", str(chain)),
        ("/var/log/nginx/hupan.log", str(folder / "access.log")),
    )
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\n{temporary}{site}}}\n",
        "utf-8",
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, behind: int, chain: Path) -> Sequence[str]:
    """Return the command that runs Caddy with our file."""
    text = (DEPLOY / "caddy/Caddyfile").read_text("utf-8")
    all_names = (*NAMES, *MEDIA_NAMES[:2], "*.qiniup.com")
    names = f"{', '.join(all_names)} {{"
    addresses = ", ".join(f"https://{name}:{port}" for name in all_names)
    site = _replacer(text)(
        ("{\n\tservers {", "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {"),
        (names, f"{addresses} {{\n\tbind {LOOPBACK}"),
        ("127.0.0.1:8480", f"{LOOPBACK}:{behind}"),
        ("/etc/hupan/tls/fullchain.pem /etc/hupan/tls/privkey.pem", f"{chain} {chain}"),
        ("/var/log/caddy/hupan.log", str(folder / "access.log")),
    )
    (folder / "Caddyfile").write_text(site, "utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


FRONTS: dict[str, Callable[[Path, int, int, Path], Sequence[str]]] = {
    "nginx": nginx,
    "caddy": caddy,
}


@contextmanager
def front(name: str, folder: Path, behind: int, chain: Path) -> Iterator[int]:
    """Run a proxy in front of a server; yield its port."""
    port = free_port()
    command = FRONTS[name](folder, port, behind, chain)
    program = shutil.which(command[0])
    assert program is not None
    with (folder / "output.txt").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - a program of the system with our own file
            [program, *command[1:]],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/bin"},
        )
        try:
            _await(port, process, folder / "output.txt")
            yield port
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def _await(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text("utf-8", "replace"))


def _replacer(text: str) -> Callable[..., str]:
    def replaced(*pairs: tuple[str, str]) -> str:
        done = text
        for old, new in pairs:
            assert done.count(old) == 1, old
            done = done.replace(old, new)
        return done

    return replaced
