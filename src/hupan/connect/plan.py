"""What `hupan connect --install` changes on a machine; nothing is changed here."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hupan.connect.authority import Authority
from hupan.connect.files import FileContent, can_write, find_holder, read_file
from hupan.connect.hosts import add_lines
from hupan.connect.names import KNOWN_NAMES
from hupan.connect.record import Part
from hupan.connect.stores import (
    NSS_FILES,
    SystemStore,
    ToolFailed,
    change_java,
    change_nss,
    find_certutil,
    find_java_stores,
    find_keytool,
    find_nss_folders,
    find_system_store,
)
from hupan.connect.user import User
from hupan.localized import LocalizedText

State = Literal["missing", "present", "skipped"]
_HOSTS_MODE = _CERTIFICATE_MODE = 0o644
_NO_CERTUTIL = LocalizedText(
    "找不到 certutil（Debian：apt install libnss3-tools）",
    "certutil is not installed (Debian: apt install libnss3-tools)",
)
_NO_KEYTOOL = LocalizedText("找不到 keytool", "keytool is not installed")
_NO_SYSTEM_STORE = LocalizedText(
    "找不到 update-ca-certificates：请按本系统的方法添加该证书",
    "update-ca-certificates is not installed: add the certificate by the means of this system",
)


@dataclass(frozen=True, slots=True)
class Places:
    """What exists on a machine."""

    user: User
    authority: Authority
    hosts: Path
    system: SystemStore | None
    nss: Sequence[Path]
    java: Sequence[Path]
    certutil: str | None
    keytool: str | None

    def rights(self, *, is_users: bool) -> AbstractContextManager[None]:
        """Acquire the rights for a file."""
        return self.user.rights() if is_users else nullcontext()

    def is_users(self, path: Path) -> bool:
        """Return whether a path is in the user's home."""
        return path.is_relative_to(self.user.home)


def find_places(
    user: User, authority: Authority, hosts: Path, environ: Mapping[str, str]
) -> Places:
    """Look for what can be changed."""
    search_path = environ.get("PATH", os.defpath)
    system = find_system_store(search_path)
    return Places(
        user,
        authority,
        Path(os.path.realpath(hosts)),  # unlike resolve(), it takes a link to itself
        system,
        find_nss_folders(user.home, search_path),
        find_java_stores(user.home, environ, system.made if system else None),
        find_certutil(search_path),
        find_keytool(search_path),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One place that must point to the sandbox, or trust the authority.

    Attributes:
        state: "skipped" if it cannot be changed, for a reason.
    """

    part: Part
    path: Path
    state: State
    reason: LocalizedText | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A file before and after; `after` is None for files that a system command makes."""

    part: Part
    path: Path
    group: str
    before: FileContent | None
    after: FileContent | None
    is_users: bool = False


def survey(places: Places, address: str, parts: Sequence[Part]) -> list[Step]:
    """Return what is to be done, as far as it is known without trying.

    Raises:
        ConnectRefused: the hosts file points a name elsewhere.
    """
    trusted = _certificate_bytes(places)
    steps = {
        "hosts": lambda: [_hosts_step(places, address)],
        "system": lambda: [_system_step(places)],
        "browsers": lambda: [_nss_step(places, folder, trusted) for folder in places.nss],
        "java": lambda: [_java_step(places, path, trusted) for path in places.java],
    }
    return [step for part in parts for step in steps[part]()]


def _certificate_bytes(places: Places) -> bytes:
    """Return the certificate as stores hold it; b"" if none exists yet."""
    with places.user.rights():
        content = read_file(places.authority.certificate)
    try:
        certificate = x509.load_pem_x509_certificate(content.data if content else b"")
    except ValueError:  # none, or a damaged one: another is made
        return b""
    return certificate.public_bytes(Encoding.DER)


def _hosts_step(places: Places, address: str) -> Step:
    current = read_file(places.hosts)
    data = current.data if current else b""
    is_done = add_lines(data, address, KNOWN_NAMES) == data
    return Step("hosts", places.hosts, "present" if is_done else "missing")


def _system_step(places: Places) -> Step:
    if places.system is None:
        return Step("system", Path("/etc/ssl/certs"), "skipped", _NO_SYSTEM_STORE)
    path = places.system.certificate
    current = read_file(path)
    with places.user.rights():
        own = read_file(places.authority.certificate)
    is_done = current is not None and own is not None and current.data == own.data
    return Step("system", path, "present" if is_done else "missing")


def _nss_step(places: Places, folder: Path, trusted: bytes) -> Step:
    if places.certutil is None:
        return Step("browsers", folder, "skipped", _NO_CERTUTIL)
    with places.user.rights():
        current = read_file(folder / NSS_FILES[0])
    if current is not None and trusted and trusted in current.data:
        return Step("browsers", folder, "present")
    if reason := holder_of(folder):
        return Step("browsers", folder, "skipped", reason)
    return Step("browsers", folder, "missing")


def holder_of(folder: Path) -> LocalizedText | None:
    """Return why a database cannot be replaced now: a browser has it open."""
    holder = find_holder([folder / name for name in NSS_FILES])
    if not holder and not (folder / f"{NSS_FILES[0]}-journal").exists():
        return None
    return LocalizedText(
        f"{holder or '浏览器'} 正在使用它：请先关闭",
        f"{holder or 'a browser'} has it open: close that first",
    )


def _java_step(places: Places, path: Path, trusted: bytes) -> Step:
    if places.keytool is None:
        return Step("java", path, "skipped", _NO_KEYTOOL)
    current = read_file(path)
    is_done = current is not None and trusted != b"" and trusted in current.data
    return Step("java", path, "present" if is_done else "missing")


def unwritable(places: Places, steps: Sequence[Step]) -> list[Path]:
    """Return what this process has no right to change."""
    missing = []
    for step in steps:
        if step.state == "missing":
            with places.rights(is_users=places.is_users(step.path)):
                if not can_write(step.path):
                    missing.append(step.path)
    return missing


def find_changes(
    places: Places, steps: Sequence[Step], address: str, skipped: list[Step]
) -> Iterator[Change]:
    """Yield what each file becomes; a store that its tool refuses is appended to `skipped`."""
    for step in steps:
        if step.state == "skipped":
            skipped.append(step)
            continue
        try:
            changes = list(_changes_of(places, step, address))
        except ToolFailed as error:
            skipped.append(Step(step.part, step.path, "skipped", error.localized))
        else:
            yield from changes


def _changes_of(places: Places, step: Step, address: str) -> Iterator[Change]:
    if step.part == "hosts":
        yield from _hosts_changes(places, address)
    elif step.part == "system" and places.system is not None:
        yield from _system_changes(places, places.system)
    elif step.part == "browsers" and places.certutil is not None:
        yield from _nss_changes(places, places.certutil, step.path)
    elif step.part == "java" and places.keytool is not None:
        yield from _java_changes(places, places.keytool, step.path)


def _hosts_changes(places: Places, address: str) -> Iterator[Change]:
    before = read_file(places.hosts)
    base = before or FileContent(b"", _HOSTS_MODE, os.geteuid(), os.getegid())
    data = add_lines(base.data, address, KNOWN_NAMES)
    if data != base.data:
        after = FileContent(data, base.mode, base.uid, base.gid)
        yield Change("hosts", places.hosts, str(places.hosts), before, after)


def _system_changes(places: Places, system: SystemStore) -> Iterator[Change]:
    with places.user.rights():
        own = read_file(places.authority.certificate)
    before = read_file(system.certificate)
    if own is None or (before is not None and before.data == own.data):
        return
    after = FileContent(own.data, _CERTIFICATE_MODE, os.geteuid(), os.getegid())
    yield Change("system", system.certificate, "system", before, after)
    for path in (system.bundle, system.keystore):
        if content := read_file(path):
            yield Change("system", path, "system", content, None)


def _nss_changes(places: Places, certutil: str, folder: Path) -> Iterator[Change]:
    with places.user.rights():
        before = {name: read_file(folder / name) for name in NSS_FILES}
        certificate = places.authority.certificate.read_bytes()
    owner = (places.user.uid, places.user.gid)
    after = change_nss(certutil, folder, before, owner, certificate)
    for name in NSS_FILES:
        if after[name] != before[name]:
            path = folder / name
            change = Change("browsers", path, str(folder), before[name], after[name], is_users=True)
            yield change


def _java_changes(places: Places, keytool: str, path: Path) -> Iterator[Change]:
    is_users = places.is_users(path)
    with places.user.rights():
        certificate = places.authority.certificate.read_bytes()
    with places.rights(is_users=is_users):
        before = read_file(path)
    if before is not None:
        after = change_java(keytool, before, certificate)
        if after != before:
            yield Change("java", path, str(path), before, after, is_users)
