"""What operators did, one line each, in a file beside the data (security L2).

A command may run where no log is kept, so its line goes where the store's files are; what could
not be done has a line too. The file is opened before anything is done: no act without its line.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import TypeVar

from hupan.app.listing import Imported
from hupan.app.operating import OperationRefused
from hupan.config import Settings
from hupan.domain.masks import line_of, masked

Result = TypeVar("Result")
FILE = "operators.log"
_LONGEST_ID = 10


def recorded(
    settings: Settings, event: str, operator: str, who: str, act: Callable[[], Result]
) -> Result:
    """Does something for an operator and writes down how it ended.

    Args:
        settings: say where the data lie.
        event: what is done, as docs/events.md names it.
        operator: who does it.
        who: the account as the operator named it, "" when it is about none.
        act: does it.

    Raises:
        OperationRefused: the line cannot be written, so nothing was done.
    """
    if not settings.is_postgres and not settings.database_path.exists():
        return act()  # which says that there is no store, and does nothing
    told = {"operator": operator, "target": _target(who)}
    with _opened(settings) as log:
        try:
            done = act()
        except BaseException as error:
            result = "refused" if isinstance(error, OperationRefused) else "error"
            reason = type(error.__cause__ or error).__name__
            _write(log, {"event": event, "result": result, **told, "reason": reason})
            raise
        result = "refused" if isinstance(done, Imported) and done.problems else "ok"
        _write(log, {"event": event, "result": result, **told, "account": _account(done)})
        return done


@contextmanager
def _opened(settings: Settings) -> Iterator[int]:
    path = settings.data_dir / FILE
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        text = f"无法写入操作记录，未执行 / cannot write {path}, nothing was done: {error}"
        raise OperationRefused(text) from error
    try:
        yield log
    finally:
        os.close(log)


def _write(log: int, fields: dict[str, str]) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    os.write(log, f"{now} INFO hupan.auth {line_of(fields)}\n".encode())


def _target(who: str) -> str:
    """An id or a network as it is, a number or an address of e-mail masked."""
    is_id = who.isascii() and who.isdigit() and len(who) <= _LONGEST_ID
    return who if is_id or not who or _is_network(who) else masked(who)


def _is_network(who: str) -> bool:
    try:
        return "%" not in who and str(ip_network(who, strict=False)) != ""
    except ValueError:
        return False


def _account(done: object) -> str:
    return str(done.get("id", "")) if isinstance(done, dict) else ""
