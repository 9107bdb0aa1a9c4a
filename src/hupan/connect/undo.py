"""`hupan connect --undo`: each file as it was, byte by byte.

If another program has changed a file since, only our part is removed from it.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from hupan.connect.files import (
    ConnectRefused,
    FileContent,
    read_file,
    remove_draft,
    write_file,
)
from hupan.connect.hosts import remove_lines
from hupan.connect.plan import Places, holder_of
from hupan.connect.record import PARTS, Entry, Part, Record, RecordFolder
from hupan.connect.stores import (
    NSS_FILES,
    SYSTEM_JAVA_ALIAS,
    SystemStore,
    ToolFailed,
    bundle_certificates,
    change_java,
    change_nss,
    fingerprint,
    java_certificates,
)
from hupan.library_errors import localize_error
from hupan.localized import LocalizedText


@dataclass(slots=True)
class Undone:
    """The result of an undo.

    Attributes:
        restored: files that are as they were.
        notes: what was changed by others since.
        failures: what could not be undone, and stays recorded.
    """

    restored: list[Path] = field(default_factory=list)
    notes: list[LocalizedText] = field(default_factory=list)
    failures: list[LocalizedText] = field(default_factory=list)

    def raise_failures(self) -> None:
        """Raise the first failure, if there is one.

        Raises:
            ConnectRefused: its text.
        """
        for text in self.failures[:1]:
            raise ConnectRefused(text.zh, text.en)


def undo(places: Places, parts: Sequence[Part] = PARTS) -> Undone | None:
    """Undo an installation; if its record is lost, remove what contains our names.

    Args:
        places: what this machine has.
        parts: what is undone; the others stay as they are.

    Returns:
        None if there is nothing to undo.

    Raises:
        ConnectRefused: the record cannot be read, or belongs to another user.
    """
    folder = RecordFolder(places.authority.folder)
    if not folder.exists():
        return undo_traces(places, parts)
    with folder.locked():
        record = folder.load()
        if record is None:  # nothing was changed yet, or everything is undone
            folder.clear()
            return undo_traces(places, parts)
        undone = undo_record(places, folder, record, parts)
        return undone if undone != Undone() else None


def undo_record(
    places: Places, folder: RecordFolder, record: Record, parts: Sequence[Part] = PARTS
) -> Undone:
    """Undo what a record names, and forget what is undone."""
    chosen = tuple(entry for entry in record.entries if entry.part in parts)
    others = tuple(entry for entry in record.entries if entry.part not in parts)
    undone, remaining = undo_entries(places, folder, structs.replace(record, entries=chosen))
    if remaining or others:
        folder.save(structs.replace(record, entries=(*others, *remaining)))
    else:
        folder.clear()
    return undone


def undo_entries(
    places: Places, folder: RecordFolder, record: Record
) -> tuple[Undone, tuple[Entry, ...]]:
    """Undo entries group by group, the last first; return those that remain, too."""
    undoing = _Undoing(places, Undone())
    remaining: list[Entry] = []
    for _, members in itertools.groupby(reversed(record.entries), key=lambda entry: entry.group):
        entries = list(members)
        with undoing.kept_failure(Path(entries[0].path)) as has_failed:
            if entries[0].part == "system":
                undoing.undo_system(folder, entries, record.links)
            else:
                undoing.undo_group(folder, entries)
        if has_failed:
            remaining += entries
    return undoing.undone, tuple(reversed(remaining))


def undo_traces(places: Places, parts: Sequence[Part]) -> Undone | None:
    """Remove what contains our names, if no record says how it was before."""
    undoing = _Undoing(places, Undone())
    if places.system is not None and "system" in parts and places.system.certificate.exists():
        with undoing.kept_failure(places.system.certificate):
            undoing.strip_system(places.system)
    found: dict[Part, Sequence[Path]] = {
        "hosts": [places.hosts],
        "browsers": places.nss if places.certutil else (),
        "java": places.java if places.keytool else (),
    }
    for part, paths in found.items():
        for path in paths if part in parts else ():
            with undoing.kept_failure(path):
                undoing.strip(part, path)
    return undoing.undone if undoing.undone != Undone() else None


@dataclass(frozen=True, slots=True)
class _Undoing:
    places: Places
    undone: Undone

    @contextlib.contextmanager
    def kept_failure(self, path: Path) -> Iterator[list[bool]]:
        """Record a failure, which does not affect the other groups; the list then is not empty."""
        has_failed: list[bool] = []
        try:
            yield has_failed
        except (OSError, ToolFailed, ConnectRefused) as error:
            has_failed.append(True)
            text = localize_error(error)
            self.undone.failures.append(LocalizedText(f"{path}：{text.zh}", f"{path}: {text.en}"))

    def undo_group(self, folder: RecordFolder, entries: Sequence[Entry]) -> None:
        """Restore files that belong together, or remove our part from them."""
        first = entries[0]
        with self.places.rights(is_users=first.is_users):
            found = [read_file(Path(entry.path)) for entry in entries]
        kept = [(folder.backup(entry), folder.result(entry)) for entry in entries]
        if all(map(_is_known, found, kept)):
            befores = [before for before, _ in kept]
            if first.part == "browsers" and _data(found) != _data(befores):
                _refuse_holder(Path(first.group))
            for entry, before in zip(entries, befores, strict=True):
                self._restore(entry, before)
        elif None in found:
            self._note(
                first.group, "已被删除，不再恢复", "has been deleted since, and was not restored"
            )
        else:
            before = kept[0][0]
            ended = before is None or not before.data or before.data.endswith(b"\n")
            self.strip(first.part, Path(first.group), ended=ended)

    def _restore(self, entry: Entry, before: FileContent | None) -> None:
        path = Path(entry.path)
        with self.places.rights(is_users=entry.is_users):
            remove_draft(path)
            if before is None:
                path.unlink(missing_ok=True)
                for parent in reversed(entry.folders):
                    with contextlib.suppress(OSError):  # another program has put something there
                        Path(parent).rmdir()
            elif read_file(path) != before:
                write_file(path, before)
        self.undone.restored.append(path)

    def _note(self, path: str | Path, zh: str, en: str) -> None:
        self.undone.notes.append(LocalizedText(f"{path} {zh}", f"{path} {en}"))

    def strip(self, part: Part, path: Path, *, ended: bool = True) -> None:
        """Remove our part from something that others have changed."""
        is_users = self.places.is_users(path)
        with self.places.rights(is_users=is_users):
            before = _read_group(part, path)
        after = self._stripped(part, before, ended=ended)
        changed = [file for file in before if after[file] != before[file]]
        if changed and part == "browsers":
            _refuse_holder(path)
        with self.places.rights(is_users=is_users):
            for file in changed:
                if content := after[file]:
                    write_file(file, content)
        if changed:
            self._note(
                path,
                "在安装后被改动过，只去掉了湖畔写入的部分",
                "has been changed since; only Hupan's part was removed",
            )

    def _stripped(
        self, part: Part, before: Mapping[Path, FileContent | None], *, ended: bool
    ) -> Mapping[Path, FileContent | None]:
        places, (path, *_) = self.places, before
        current = before[path]
        if current is None:
            return before
        if part == "browsers":
            files = {file.name: content for file, content in before.items()}
            owner = (places.user.uid, places.user.gid)
            after = change_nss(_found("certutil", places.certutil), path.parent, files, owner, None)
            return {file: after[file.name] for file in before}
        if part == "java":
            return {path: change_java(_found("keytool", places.keytool), current, None)}
        data = remove_lines(current.data, ended=ended)
        return {path: FileContent(data, current.mode, current.uid, current.gid)}

    def undo_system(
        self, folder: RecordFolder, entries: Sequence[Entry], links: Mapping[str, str]
    ) -> None:
        """Remove the certificate, and restore what the system's command makes of all of them."""
        for entry in entries:
            if entry.after:
                current = read_file(Path(entry.path))
                if _is_known(current, (folder.backup(entry), folder.result(entry))):
                    self._restore(entry, folder.backup(entry))
                else:
                    self._note(
                        entry.path,
                        "不是由湖畔安装，保持不变",
                        "was not installed by Hupan, and was kept",
                    )
        system = self.places.system
        if system is None:
            return
        system.run_update()
        own = folder.result(entries[-1])  # the certificate: it was recorded first
        for entry in entries:
            if not entry.after:
                self._put_back_made(folder, entry, system, own.data if own else b"")
        _put_back_links(system, links)

    def _put_back_made(
        self, folder: RecordFolder, entry: Entry, system: SystemStore, own: bytes
    ) -> None:
        """Restore a file that the command made, if it holds the same certificates except ours."""
        path, before = Path(entry.path), folder.backup(entry)
        current = read_file(path)
        if before is None or current is None or current == before:
            return
        if path != system.keystore:
            is_same = bundle_certificates(current.data) == bundle_certificates(before.data)
        elif self.places.keytool is None:
            is_same = False
        else:
            listed = java_certificates(self.places.keytool, path)
            kept = java_certificates(self.places.keytool, folder.path_of(entry.before))
            is_same = listed - {fingerprint(own)} == kept - {fingerprint(own)}
        if is_same:
            self._restore(entry, before)
            return
        if path == system.keystore:
            self._strip_system_keystore(path)
        self._note(
            path,
            "含有安装后新增的证书，只去掉了湖畔的证书",
            "has certificates that were added since; only Hupan's was removed",
        )

    def _strip_system_keystore(self, path: Path) -> None:
        """Remove what the system's command leaves in the trust store of Java."""
        before = read_file(path)
        if before is not None and self.places.keytool is not None:
            after = change_java(self.places.keytool, before, None, SYSTEM_JAVA_ALIAS)
            if after != before:
                write_file(path, after)

    def strip_system(self, system: SystemStore) -> None:
        """Remove the certificate if no record says how it was before."""
        system.certificate.unlink()
        system.run_update()
        self._strip_system_keystore(system.keystore)
        self.undone.restored.append(system.certificate)


def _read_group(part: Part, path: Path) -> dict[Path, FileContent | None]:
    paths = [path / name for name in NSS_FILES] if part == "browsers" else [path]
    return {file: read_file(file) for file in paths}


def _data(contents: Sequence[FileContent | None]) -> list[bytes | None]:
    return [content.data if content else None for content in contents]


def _is_known(
    current: FileContent | None, kept: tuple[FileContent | None, FileContent | None]
) -> bool:
    """Return whether a file is as we found or made it, or half-written by a killed process."""
    data, before, after = _data([current, *kept])
    if data in {before, after}:
        return True
    return None not in {data, before, after} and (
        _is_torn(data or b"", before or b"", after or b"")
        or _is_torn(data or b"", after or b"", before or b"")
    )


def _is_torn(data: bytes, old: bytes, new: bytes) -> bool:
    """Return whether the beginning of the new bytes has overwritten the old ones."""
    length = next(
        (index for index, (a, b) in enumerate(zip(data, new, strict=False)) if a != b),
        min(len(data), len(new)),
    )
    return data[length:] == old[length:]


def _refuse_holder(folder: Path) -> None:
    reason = holder_of(folder)
    if reason is not None:
        raise ConnectRefused(reason.zh, reason.en)


def _found(name: str, tool: str | None) -> str:
    if tool is None:
        raise ToolFailed(f"找不到 {name}", f"{name}: not found")
    return tool


def _put_back_links(system: SystemStore, links: Mapping[str, str]) -> None:
    """Restore links that the command lost, and remove those to our certificate."""
    current = system.links()
    for name, target in links.items():
        if name not in current and not (system.made / name).exists():
            (system.made / name).symlink_to(target)
    own = system.certificate.with_suffix(".pem").name
    for name, target in current.items():
        if name not in links and (name == own or target in {own, str(system.certificate)}):
            (system.made / name).unlink(missing_ok=True)
