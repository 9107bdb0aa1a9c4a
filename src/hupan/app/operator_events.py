"""What operators did, in a file beside the data (security L2).

A command may run where no log is kept, so its lines go where the store's files are. An act has two
lines of one number: `begun`, which is on the disk before anything is done, and how it ended. So no
act is without its line, not even one that was cut off or after which the disk was full.
"""

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

from hupan.app.listing import Imported
from hupan.app.operating import OperationRefused
from hupan.config import Settings
from hupan.domain.masks import line_of, masked, masked_within
from hupan.model import NEVER_ENDS
from hupan.ownership import give_to_owner

Result = TypeVar("Result")
FILE = "operators.log"
_LONGEST_ID = 10
_LONGEST_VALUE = 300
_TIMES = {"bannedUntil": "until", "vipUntil": "until", "erasedAt": "erased"}
_OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "operator-ban": ("bannedUntil",),
    "operator-vip": ("vipUntil",),
    "operator-coins": ("number", "change", "after"),
    "operator-delete": ("erasedAt",),
    "operator-limits-reset": ("forgotten",),
    "operator-sign-out": ("ended",),
    "operator-password": ("removed", "sent"),
}
"""What the lines of an event tell of the answer, besides the account."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs a command.

    Attributes:
        name: the user of the system, as the kernel knows it.
        sudo: who called sudo, by its own word; "" for nobody.
    """

    name: str
    sudo: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """What is recorded of a command.

    Attributes:
        event: what is done, as docs/events.md names it; "" for what changes nothing.
        who: the account as the operator named it, "" when it is about none.
        details: what was asked for, such as a reason or an end; "" values are left out.
        folder: where the lines go; None for the folder of the data.
    """

    event: str = ""
    who: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
    folder: Path | None = None


def recorded(
    settings: Settings,
    operator: Operator,
    act: Act,
    work: Callable[[], Result],
    outcome: Callable[[Result], Mapping[str, object]] = lambda _: {},
) -> Result:
    """Does something for an operator and writes down that it begins and how it ends.

    Args:
        settings: say where the data lie.
        operator: who does it.
        act: what is done.
        work: does it.
        outcome: tells what else the last line says.

    Raises:
        OperationRefused: the line cannot be written, so nothing was done.
    """
    if act.folder is None and not _has_store(settings):
        return work()  # which says that there is no store, and does nothing
    told = {
        "act": secrets.token_hex(4),
        "operator": operator.name,
        **({"sudo": operator.sudo} if operator.sudo else {}),
        "target": _target(act.who),
        **_told(act.details),
    }
    with _opened(act.folder or settings.data_dir) as log:
        _begin(log, {"event": act.event, "result": "begun", **told})
        try:
            done = work()
        except BaseException as error:
            result = "refused" if isinstance(error, OperationRefused) else "error"
            reason = type(error.__cause__ or error).__name__
            _end(log, {"event": act.event, "result": result, **told, "reason": reason})
            raise
        result = "refused" if isinstance(done, Imported) and done.problems else "ok"
        more = {"account": _account(done), **_outcome(act.event, done), **_told(outcome(done))}
        _end(log, {"event": act.event, "result": result, **told, **more})
        return done


def _has_store(settings: Settings) -> bool:
    """Whether there may be a store to do something with: a mistaken folder is not filled."""
    return settings.is_postgres or settings.database_path.exists()


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        give_to_owner(log, folder)
        yield log
    finally:
        os.close(log)


def _begin(log: int, fields: dict[str, str]) -> None:
    size = os.fstat(log).st_size
    try:
        if size and os.pread(log, 1, size - 1) != b"\n":  # a line that a full disk cut off
            os.write(log, b"\n")
        _write(log, fields)
        os.fsync(log)
    except OSError as error:
        raise _unwritable(Path(FILE), error) from error


def _end(log: int, fields: dict[str, str]) -> None:
    """Writes how an act ended; it has a line already, so a full disk fails nothing here."""
    try:
        _write(log, fields)
    except OSError:
        return


def _unwritable(path: Path, error: OSError) -> OperationRefused:
    return OperationRefused(
        f"无法写入操作记录，未执行 / cannot write {path}, nothing was done: {error.strerror}"
    )


def _write(log: int, fields: dict[str, str]) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = f"{now} INFO hupan.auth {line_of(fields)}\n".encode()
    if os.write(log, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _target(who: str) -> str:
    """An id or a network as it is, a number or an address of e-mail masked."""
    is_id = who.isascii() and who.isdigit() and len(who) <= _LONGEST_ID
    return who if is_id or not who or _is_network(who) else masked(who)


def _is_network(who: str) -> bool:
    try:
        return "%" not in who and str(ip_network(who, strict=False)) != ""
    except ValueError:
        return False


def _told(details: Mapping[str, object]) -> dict[str, str]:
    """Details as texts: without numbers and addresses of people, each of a bounded length."""
    texts = {name: str(value) for name, value in details.items() if value not in ("", None)}
    return {
        name: masked(text) if name == "to" else masked_within(text[:_LONGEST_VALUE])
        for name, text in texts.items()
    }


def _account(done: object) -> str:
    """The account that an answer is about; a medal has an id, too, but no nickname."""
    if not isinstance(done, dict):
        return ""
    return str(done.get("account") or (done.get("id", "") if "nickname" in done else ""))


def _outcome(event: str, done: object) -> dict[str, str]:
    if isinstance(done, Imported):
        return {"rows": str(done.rows), "total": str(done.total)}
    if not isinstance(done, dict):
        return {}
    keys = _OUTCOMES.get(event, ())
    return {_TIMES.get(key, key): _value(key, done.get(key)) for key in keys}


def _value(key: str, value: object) -> str:
    if key not in _TIMES:
        return str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, int) or value >= NEVER_ENDS:
        return "never"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value))
