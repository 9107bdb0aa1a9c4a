"""`hupan connect --install`: shows, records and makes changes; reverts them on failure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hupan.connect.authority import prepare_authority
from hupan.connect.files import ConnectRefused, digest_of, read_file, write_file
from hupan.connect.plan import Change, Places, Step, find_changes, survey, unwritable
from hupan.connect.record import PARTS, Entry, Part, Record, RecordFolder
from hupan.connect.stores import ToolFailed
from hupan.connect.undo import undo_entries, undo_record
from hupan.library_errors import localize_error
from hupan.localized import LocalizedText


@dataclass(frozen=True, slots=True)
class Installed:
    """The result of an installation.

    Attributes:
        steps: every place with its state from now on.
        is_changed: whether anything had to be done.
    """

    steps: list[Step]
    is_changed: bool


def check_rights(places: Places, steps: Sequence[Step], command: Sequence[str]) -> None:
    """Refuse to start an installation that could not be completed.

    Args:
        places: what this machine has.
        steps: what is to be done.
        command: what a user with the rights would run.

    Raises:
        ConnectRefused: a file cannot be written; the text names the command.
    """
    paths = unwritable(places, steps)
    if paths:
        listed = ", ".join(map(str, paths))
        typed = shlex.join(["sudo", *command])
        raise ConnectRefused(
            f"没有写入权限：{listed}；未作任何改动。请运行：{typed}",
            f"no permission to write {listed}; nothing was changed. Run: {typed}",
        )


def install(places: Places, address: str, parts: Sequence[Part]) -> Installed:
    """Aim the known names at an address, and trust the authority.

    Args:
        places: what this machine has.
        address: where the sandbox listens.
        parts: what is changed.

    Raises:
        ConnectRefused: something cannot be changed; everything is as it was.
    """
    with places.user.rights():
        authority = prepare_authority(places.authority.folder)
        digest = digest_of(authority.certificate.read_bytes())
    folder = RecordFolder(authority.folder)
    with folder.locked():
        record = folder.load()
        if record is not None and (record.authority, record.address) != (digest, address):
            undo_record(places, folder, record).raise_failures()
            folder.make()
            earlier_parts = {entry.part for entry in record.entries}
            parts = [part for part in PARTS if part in {*parts, *earlier_parts}]
            record = None
        skipped: list[Step] = []
        steps = survey(places, address, parts)
        changes = list(find_changes(places, steps, address, skipped))
        if changes:
            earlier = record or Record(digest, address)
            _apply(places, folder, earlier, changes)
        elif record is None:
            folder.clear()
    ready = {step.path: Step(step.part, step.path, "present") for step in steps}
    return Installed([*(ready | {step.path: step for step in skipped}).values()], bool(changes))


def _apply(
    places: Places,
    folder: RecordFolder,
    earlier: Record,
    changes: Sequence[Change],
) -> None:
    entries = tuple(_record_change(folder, change) for change in changes)
    paths = {entry.path for entry in entries}
    kept = tuple(entry for entry in earlier.entries if entry.path not in paths)
    is_system = any(change.part == "system" for change in changes)
    links = places.system.links() if places.system and is_system else earlier.links
    folder.save(Record(earlier.authority, earlier.address, (*kept, *entries), links))
    try:
        for change, entry in zip(changes, entries, strict=True):
            _write(places, change, entry)
        if places.system and is_system:
            places.system.run_update()
    except (OSError, ToolFailed, ConnectRefused, KeyboardInterrupt) as error:
        _take_back(places, folder, Record(earlier.authority, earlier.address, entries, links))
        if earlier.entries:
            folder.save(earlier)
        else:
            folder.clear()
        reason = _explain(error)
        raise ConnectRefused(
            f"安装未完成，已恢复原状：{reason.zh}",
            f"the installation failed and was undone: {reason.en}",
        ) from error


def _explain(
    error: OSError | ToolFailed | ConnectRefused | KeyboardInterrupt,
) -> LocalizedText:
    if isinstance(error, KeyboardInterrupt):
        return LocalizedText("被中断", "interrupted")
    return localize_error(error)


def _take_back(places: Places, folder: RecordFolder, record: Record) -> None:
    undone, _ = undo_entries(places, folder, record)
    undone.raise_failures()


def _record_change(folder: RecordFolder, change: Change) -> Entry:
    content = change.after or change.before
    if content is None:
        raise ValueError(f"nothing is known of {change.path}")
    return Entry(
        change.part,
        str(change.path),
        change.group,
        folder.back_up(change.path, change.before) if change.before else "",
        folder.back_up(change.path, change.after) if change.after else "",
        content.mode,
        content.uid,
        content.gid,
        tuple(str(parent) for parent in change.path.parents if not parent.exists())[::-1],
        change.is_users,
    )


def _write(places: Places, change: Change, entry: Entry) -> None:
    if change.after is None:
        return
    with places.rights(is_users=change.is_users):
        if read_file(change.path) != change.before:
            raise ConnectRefused(
                f"{change.path} 刚刚被其他程序改动",
                f"another program has just changed {change.path}",
            )
        for parent in entry.folders:
            Path(parent).mkdir(mode=0o700 if change.is_users else 0o755, exist_ok=True)
        write_file(change.path, change.after)
