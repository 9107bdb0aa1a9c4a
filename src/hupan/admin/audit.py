"""The operator log: records the start and the result of each operation (security L2).

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

from hupan.addresses import format_log_fields, mask_contact, mask_contacts_in
from hupan.admin.discovery import ImportResult
from hupan.config import Settings
from hupan.model import PERMANENT_BAN_END
from hupan.opening import OperationRefused, may_have_store
from hupan.ownership import chown_to_folder_owner

Result = TypeVar("Result")
OPERATOR_LOG_FILE = "operators.log"
_MAX_ID_DIGITS = 10
_MAX_VALUE_CHARACTERS = 300
_TIME_FIELDS = {"bannedUntil": "until", "vipUntil": "until", "erasedAt": "erased"}
_RESULT_KEYS: Mapping[str, tuple[str, ...]] = {
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
        sudo_user: who called sudo, by its own word; "" for nobody.
    """

    name: str
    sudo_user: str = ""


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """What is recorded of a command.

    Attributes:
        event: what is done, as docs/events.md names it; "" for what changes nothing.
        text: the account as the operator named it, "" when it is about none.
        details: what was asked for, such as a reason or an end; "" values are left out.
        folder: where the lines go; None for the folder of the data.
    """

    event: str = ""
    subject: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
    folder: Path | None = None


def run_audited(
    settings: Settings,
    operator: Operator,
    action: OperatorAction,
    work: Callable[[], Result],
    describe_result: Callable[[Result], Mapping[str, object]] = lambda _: {},
) -> Result:
    """Does something for an operator and writes down that it begins and how it ends.

    Args:
        settings: say where the data lie.
        operator: who does it.
        action: what is done.
        work: does it.
        describe_result: tells what else the last line says.

    Raises:
        OperationRefused: the line cannot be written, so nothing was done.
    """
    if action.folder is None and not may_have_store(settings):
        return work()  # which says that there is no store, and does nothing
    fields = {
        "act": secrets.token_hex(4),
        "operator": operator.name,
        **({"sudo": operator.sudo_user} if operator.sudo_user else {}),
        "target": _mask_subject(action.subject),
        **_detail_fields(action.details),
    }
    with _open_log(action.folder or settings.data_dir) as log:
        _write_begin(log, {"event": action.event, "result": "begun", **fields})
        try:
            answer = work()
        except BaseException as error:
            result = "refused" if isinstance(error, OperationRefused) else "error"
            reason = type(error.__cause__ or error).__name__
            _write_end(log, {"event": action.event, "result": result, **fields, "reason": reason})
            raise
        result = "refused" if isinstance(answer, ImportResult) and answer.problems else "ok"
        result_fields = {
            "account": _account_of(answer),
            **_result_fields(action.event, answer),
            **_detail_fields(describe_result(answer)),
        }
        _write_end(log, {"event": action.event, "result": result, **fields, **result_fields})
        return answer


@contextmanager
def _open_log(folder: Path) -> Iterator[int]:
    path = folder / OPERATOR_LOG_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unwritable_error(path, error) from error
    try:
        chown_to_folder_owner(log, folder)
        yield log
    finally:
        os.close(log)


def _write_begin(log: int, fields: dict[str, str]) -> None:
    size = os.fstat(log).st_size
    try:
        if size and os.pread(log, 1, size - 1) != b"\n":  # a line that a full disk cut off
            os.write(log, b"\n")
        _write_line(log, fields)
        os.fsync(log)
    except OSError as error:
        raise _unwritable_error(Path(OPERATOR_LOG_FILE), error) from error


def _write_end(log: int, fields: dict[str, str]) -> None:
    """Writes how an act ended; it has a line already, so a full disk fails nothing here."""
    try:
        _write_line(log, fields)
    except OSError:
        return


def _unwritable_error(path: Path, error: OSError) -> OperationRefused:
    return OperationRefused(
        f"无法写入操作记录 {path}，未执行：{error.strerror}",
        f"cannot write {path}, so nothing was done: {error.strerror}",
    )


def _write_line(log: int, fields: dict[str, str]) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = f"{now} INFO hupan.auth {format_log_fields(fields)}\n".encode()
    if os.write(log, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _mask_subject(subject: str) -> str:
    """An id or a network as it is, a number or an address of e-mail masked."""
    is_id = subject.isascii() and subject.isdigit() and len(subject) <= _MAX_ID_DIGITS
    return subject if is_id or not subject or _is_network(subject) else mask_contact(subject)


def _is_network(text: str) -> bool:
    try:
        return "%" not in text and str(ip_network(text, strict=False)) != ""
    except ValueError:
        return False


def _detail_fields(details: Mapping[str, object]) -> dict[str, str]:
    """Details as texts: without numbers and addresses of people, each of a bounded length."""
    texts = {name: str(value) for name, value in details.items() if value not in ("", None)}
    return {
        name: mask_contact(text) if name == "to" else mask_contacts_in(text[:_MAX_VALUE_CHARACTERS])
        for name, text in texts.items()
    }


def _account_of(answer: object) -> str:
    """The account that an answer is about; a medal has an id, too, but no nickname."""
    if not isinstance(answer, dict):
        return ""
    return str(answer.get("account") or (answer.get("id", "") if "nickname" in answer else ""))


def _result_fields(event: str, answer: object) -> dict[str, str]:
    if isinstance(answer, ImportResult):
        return {"rows": str(answer.rows), "total": str(answer.total)}
    if not isinstance(answer, dict):
        return {}
    keys = _RESULT_KEYS.get(event, ())
    return {_TIME_FIELDS.get(key, key): _format_value(key, answer.get(key)) for key in keys}


def _format_value(key: str, value: object) -> str:
    if key not in _TIME_FIELDS:
        return str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, int) or value >= PERMANENT_BAN_END:
        return "never"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value))
