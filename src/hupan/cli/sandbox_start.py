"""What `hupan sandbox` prints once it runs, for people and programs, or when it cannot listen."""

import errno
import json
import os
import secrets
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from hupan import __version__
from hupan.admin.limits import exemption_lines
from hupan.cli.language import cell_width, pad_cells, say, say_text
from hupan.config import Settings
from hupan.config.load import masked_database
from hupan.library_errors import localize_reason
from hupan.localized import LocalizedText
from hupan.server.serve import BindError

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - replaced by loopback
OUTBOX_PATH = "/sandbox/outbox"


def local_url(url: str) -> str:
    """Return a URL by which this machine reaches a server that listens on every address."""
    for every, loopback in _EVERY_ADDRESS.items():
        url = url.replace(f"//{every}:", f"//{loopback}:")
    return url


def print_start(urls: list[str], settings: Settings) -> None:
    """Print three lines to act on, and where the data is; flushed at once, even into a pipe."""
    base = local_url(urls[0])
    how = say("手机号任意，验证码见页面", "with any phone number; the pages show the code")
    fields = [
        (say("页面", "pages"), f"{base}/"),
        *((say("接口地址", "base URL"), url) for url in urls),
        (say("登录", "sign in"), how),
        (say("数据库", "data"), masked_database(settings)),
    ]
    width = max(cell_width(name) for name, _ in fields)
    lines = [
        f"{say('湖畔', 'Hupan')} {__version__} · {say('沙盒', 'sandbox')}",
        *(f"  {pad_cells(name, width)}  {value}" for name, value in fields),
        *(f"  {say_text(line)}" for line in exemption_lines(settings, time.time())),
    ]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def describe_start(urls: list[str], settings: Settings, seed: str) -> dict[str, object]:
    """Return what programs need to use the sandbox."""
    base = local_url(urls[0])
    return {
        "url": base,
        "urls": urls,
        "port": int(base.rpartition(":")[2]),
        "pages": f"{base}/",
        "outbox": f"{base}{OUTBOX_PATH}",
        "pid": os.getpid(),
        "version": __version__,
        "dataDir": str(settings.data_dir.absolute()),
        "database": masked_database(settings),
        "limits": settings.limits_enabled,
        "seed": seed,
    }


def print_json_line(values: Mapping[str, object]) -> None:
    """Print one line of JSON, flushed at once."""
    sys.stdout.write(json.dumps(values, ensure_ascii=True) + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Announcement:
    """How a sandbox reports that it runs.

    Attributes:
        as_json: whether it prints JSON instead of words.
        ready_file: what gets the same JSON.
        opens_page: whether a browser opens its pages.
    """

    as_json: bool
    ready_file: Path | None
    opens_page: bool

    def make(self, urls: list[str], settings: Settings, seed: str) -> None:
        """Print where the sandbox runs."""
        facts = describe_start(urls, settings, seed)
        if self.as_json:
            print_json_line(facts)
        else:
            print_start(urls, settings)
        if self.ready_file is not None:
            write_ready_file(self.ready_file, facts)
        if self.opens_page:
            open_browser(str(facts["pages"]))


@contextmanager
def ready_file(path: Path | None) -> Iterator[None]:
    """Remove what an earlier sandbox left at a path, and at the end what this one wrote.

    Raises:
        typer.BadParameter: nothing can be written there.
    """
    if path is None:
        yield
        return
    try:
        path.unlink(missing_ok=True)
        draft = _draft_of(path)
        draft.touch(exist_ok=False)
        draft.unlink()
    except OSError as error:
        reason = localize_reason(error)
        raise typer.BadParameter(
            say(
                f"无法写入 --ready-file {path}：{reason.zh}",
                f"cannot write --ready-file {path}: {reason.en}",
            )
        ) from error
    try:
        yield
    finally:
        with suppress(OSError, ValueError, AttributeError):  # another file may be there by now
            if json.loads(path.read_text("utf-8")).get("pid") == os.getpid():
                path.unlink()


def write_ready_file(path: Path, values: Mapping[str, object]) -> None:
    """Write the file under another name first, so that it is complete once it is there."""
    draft = _draft_of(path)
    try:
        draft.write_text(json.dumps(values) + "\n", "utf-8")
        draft.rename(path)
    except OSError as error:  # the sandbox runs all the same
        reason = localize_reason(error)
        sys.stderr.write(
            say(
                f"无法写入 {path}：{reason.zh}\n",
                f"the file {path} cannot be written: {reason.en}\n",
            )
        )


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def open_browser(url: str) -> None:
    """Open a page without waiting for the browser."""

    def run() -> None:
        if not webbrowser.open(url):
            sys.stderr.write(
                say(
                    f"没有可用的浏览器，请自行打开 {url}\n",
                    f"no browser found: open {url} yourself\n",
                )
            )

    threading.Thread(target=run, name="browser", daemon=True).start()


def explain_taken_port(port: int, error: BindError) -> LocalizedText:
    """Return why a sandbox cannot listen, and for a port in use its owner and what to do."""
    text = error.localized
    if getattr(error.__cause__, "errno", None) != errno.EADDRINUSE:
        return text
    owner = find_listener(port)
    zh, en = text.zh, text.en
    if owner is not None:
        number, name = owner
        zh, en = f"{zh}，占用者为进程 {number}（{name}）", f"{en} by process {number} ({name})"
    return LocalizedText(
        f"{zh}；用 --port 0 自动选择空闲端口", f"{en}; --port 0 chooses a free port"
    )


_LISTENING = "0A"
_PROC = Path("/proc")


def find_listener(port: int) -> tuple[int, str] | None:
    """Return number and name of a process that listens on a port, if the system shows it."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    for folder in _PROC.iterdir():
        if folder.name.isdecimal() and _holds_socket(folder, inodes):
            return int(folder.name), _process_name(folder)
    return None


def _process_name(folder: Path) -> str:
    with suppress(OSError):
        name = (folder / "comm").read_text("utf-8", "replace").strip()
        return "".join(c for c in name if c.isprintable())
    return "?"


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _holds_socket(folder: Path, inodes: set[str]) -> bool:
    with suppress(OSError):  # another user's, or it has just ended
        for descriptor in (folder / "fd").iterdir():
            with suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:[") and target[8:-1] in inodes:
                    return True
    return False
