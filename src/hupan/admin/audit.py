"""The operator log: records the start and the result of each operation (security L2).

A command may run where no log is kept, so its lines are written next to the store. An operation has
two lines with one id: `begun`, which is on the disk before anything is done, and its result. So no
operation is without a line, even one that was interrupted or after which the disk was full.
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
from hupan.library_errors import localize_reason
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
"""The keys of a result that are logged, by event, besides the account."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The user of a command.

    Attributes:
        name: the system's user name, as the kernel knows it.
        sudo_user: the user that called sudo, as sudo reports it; "" for none.
    """

    name: str
    sudo_user: str = ""


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """What is recorded of a command.

    Attributes:
        event: its name in docs/events.md; "" for commands that change nothing.
        subject: the account as the operator named it, "" for none.
        details: options such as a reason or an end; "" values are omitted.
        folder: the folder of the log; None for the data folder.
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
    """Run an operation and record its start and its result.

    Args:
        settings: name the data folder.
        operator: the user of the command.
        action: what is recorded.
        work: runs the operation.
        describe_result: returns further fields of the last line.

    Raises:
        OperationRefused: the line cannot be written, so nothing was done.
    """
    if action.folder is None and not may_have_store(settings):
        return work()  # which reports the missing store
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
            outcome = work()
        except BaseException as error:
            result = "refused" if isinstance(error, OperationRefused) else "error"
            reason = type(error.__cause__ or error).__name__
            _write_end(log, {"event": action.event, "result": result, **fields, "reason": reason})
            raise
        result = "refused" if isinstance(outcome, ImportResult) and outcome.problems else "ok"
        result_fields = {
            "account": _account_of(outcome),
            **_result_fields(action.event, outcome),
            **_detail_fields(describe_result(outcome)),
        }
        _write_end(log, {"event": action.event, "result": result, **fields, **result_fields})
        return outcome


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
        if size and os.pread(log, 1, size - 1) != b"\n":  # a line that a full disk truncated
            os.write(log, b"\n")
        _write_line(log, fields)
        os.fsync(log)
    except OSError as error:
        raise _unwritable_error(Path(OPERATOR_LOG_FILE), error) from error


def _write_end(log: int, fields: dict[str, str]) -> None:
    """Write the result; the operation has a line already, so a full disk is not an error here."""
    try:
        _write_line(log, fields)
    except OSError:
        return


def _unwritable_error(path: Path, error: OSError) -> OperationRefused:
    reason = localize_reason(error)
    return OperationRefused(
        f"无法写入操作记录 {path}，未执行：{reason.zh}",
        f"cannot write {path}, so nothing was done: {reason.en}",
    )


def _write_line(log: int, fields: dict[str, str]) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = f"{now} INFO hupan.auth {format_log_fields(fields)}\n".encode()
    if os.write(log, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _mask_subject(subject: str) -> str:
    """Return an id or a network as it is, a phone number or an e-mail address masked."""
    is_id = subject.isascii() and subject.isdigit() and len(subject) <= _MAX_ID_DIGITS
    return subject if is_id or not subject or _is_network(subject) else mask_contact(subject)


def _is_network(text: str) -> bool:
    try:
        return "%" not in text and str(ip_network(text, strict=False)) != ""
    except ValueError:
        return False


def _detail_fields(details: Mapping[str, object]) -> dict[str, str]:
    """Return details as texts of bounded length, without phone numbers and e-mail addresses."""
    texts = {name: str(value) for name, value in details.items() if value not in ("", None)}
    return {
        name: mask_contact(text) if name == "to" else mask_contacts_in(text[:_MAX_VALUE_CHARACTERS])
        for name, text in texts.items()
    }


def _account_of(outcome: object) -> str:
    """Return the account of a result; a medal also has an id, but no nickname."""
    if not isinstance(outcome, dict):
        return ""
    return str(outcome.get("account") or (outcome.get("id", "") if "nickname" in outcome else ""))


def _result_fields(event: str, outcome: object) -> dict[str, str]:
    if isinstance(outcome, ImportResult):
        return {"rows": str(outcome.rows), "total": str(outcome.total)}
    if not isinstance(outcome, dict):
        return {}
    keys = _RESULT_KEYS.get(event, ())
    return {_TIME_FIELDS.get(key, key): _format_value(key, outcome.get(key)) for key in keys}


def _format_value(key: str, value: object) -> str:
    if key not in _TIME_FIELDS:
        return str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, int) or value >= PERMANENT_BAN_END:
        return "never"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value))
