"""Trust stores of this machine: Debian's, the NSS databases of browsers, and those of Java.

NSS and Java are changed by their own tools, but in a copy: the result is known before
it is touched, and it is replaced whole.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from hupan.connect.authority import AUTHORITY_NAME, TRUST_STORE_PASSWORD
from hupan.connect.files import FileContent
from hupan.library_errors import localize_reason
from hupan.localized import LocalizedError

NSS_FILES: Final = ("cert9.db", "key4.db", "pkcs11.txt")
JAVA_ALIAS: Final = "hupan-sandbox"
SYSTEM_JAVA_ALIAS: Final = "debian:hupan-sandbox.pem"
_JAVA_STORE = Path("lib/security/cacerts")
_SECONDS = 120
_MAX_STORES = 50
_PEM_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHROMIUM = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "brave-browser",
)


class ToolFailed(LocalizedError):
    """A tool of a trust store refused; its own message is on a separate line in Chinese."""


@dataclass(frozen=True, slots=True)
class SystemStore:
    """Where Debian and its derivatives keep the authorities that OpenSSL trusts.

    Attributes:
        local: certificates of this machine, which `update` adds to those in `made`.
        made: what `update` generates from all of them.
        update: the command that does so.
    """

    local: Path
    made: Path
    update: tuple[str, ...]

    @property
    def certificate(self) -> Path:
        return self.local / "hupan-sandbox.crt"

    @property
    def bundle(self) -> Path:
        return self.made / "ca-certificates.crt"

    @property
    def keystore(self) -> Path:
        return self.made / "java/cacerts"

    def run_update(self) -> None:
        """Rebuild what the system derives from the certificates.

        Raises:
            ToolFailed: the command refused.
        """
        # The leftovers of a killed one would be used, with its old certificates.
        self.bundle.with_name(f"{self.bundle.name}.new").unlink(missing_ok=True)
        run_tool(self.update)

    def links(self) -> dict[str, str]:
        """Return the links by name, with their targets."""
        return {
            path.name: str(path.readlink()) for path in self.made.iterdir() if path.is_symlink()
        }


def find_system_store(search_path: str) -> SystemStore | None:
    """Return Debian's store; None on systems of another kind."""
    tool = shutil.which("update-ca-certificates", path=f"{search_path}:{_PATH}")
    if tool is None:
        return None
    store = SystemStore(Path("/usr/local/share/ca-certificates"), Path("/etc/ssl/certs"), (tool,))
    return store if store.bundle.exists() else None


def find_nss_folders(home: Path, search_path: str) -> list[Path]:
    """Return the folders of NSS databases of a user; Chromium's even if it does not exist yet."""
    chromium = home / ".pki/nssdb"
    own = (".mozilla/firefox", ".config/mozilla/firefox")  # the second since Firefox 147
    packaged = ("snap/firefox/common", ".var/app/org.mozilla.firefox")
    firefox = [*own, *(f"{base}/{path}" for base in packaged for path in own)]
    found = [
        *home.glob("snap/chromium/current/.pki/nssdb/cert9.db"),
        *home.glob(".local/share/pki/nssdb/cert9.db"),
        *(path for base in firefox for path in home.glob(f"{base}/*/cert9.db")),
    ]
    has_chromium = any(shutil.which(name, path=search_path) for name in _CHROMIUM)
    first = [chromium] if has_chromium or (chromium / "cert9.db").exists() else []
    return [*first, *sorted(path.parent for path in found)][:_MAX_STORES]


def find_java_stores(home: Path, environ: Mapping[str, str], made: Path | None) -> list[Path]:
    """Return the trust stores of the Javas on this machine, without the one that Debian makes."""
    homes = [Path(environ["JAVA_HOME"])] if environ.get("JAVA_HOME") else []
    if java := shutil.which("java", path=environ.get("PATH", "")):
        homes.append(Path(java).resolve().parent.parent)
    homes += sorted(Path("/usr/lib/jvm").glob("*"))
    homes += sorted([*home.glob(".sdkman/candidates/java/*"), *home.glob(".jdks/*")])
    found = dict[Path, None]()
    for folder in homes:
        for path in (folder / _JAVA_STORE, folder / "jre" / _JAVA_STORE):
            if path.is_file() and (made is None or made not in path.resolve().parents):
                found[path.resolve()] = None
    return list(found)[:_MAX_STORES]


def find_certutil(search_path: str) -> str | None:
    """Return the tool of NSS."""
    return shutil.which("certutil", path=f"{search_path}:{_PATH}")


def find_keytool(search_path: str) -> str | None:
    """Return the tool of Java."""
    return shutil.which("keytool", path=search_path)


Files: TypeAlias = dict[str, FileContent | None]


def change_nss(
    certutil: str,
    folder: Path,
    before: Files,
    owner: tuple[int, int],
    certificate: bytes | None,
) -> Files:
    """Return the files of a database after the change.

    Args:
        certutil: the tool.
        folder: where they are.
        before: the files; without any, a new database without a password is made.
        owner: the owner of a new database.
        certificate: the certificate to trust for servers; None removes ours.

    Raises:
        ToolFailed: it has a password, or is of an older kind.
    """
    with _copies(before) as copy:
        database = ("-d", f"sql:{copy}")
        password, own = copy / "no-password", copy / "own.pem"
        password.write_bytes(b"\n")
        if before[NSS_FILES[0]] is None:
            run_tool((certutil, "-N", *database, "--empty-password"))
            modules = copy / NSS_FILES[2]
            text = modules.read_bytes().replace(str(copy).encode(), str(folder).encode())
            modules.write_bytes(text)
        name = ("-n", AUTHORITY_NAME)
        if certificate is None:
            if _succeeds((certutil, "-L", *database, *name)):
                run_tool((certutil, "-D", *database, *name))
        elif not _is_trusted(certutil, database, certificate):
            own.write_bytes(certificate)
            trust = ("-t", "C,,", "-i", str(own), "-f", str(password))
            run_tool((certutil, "-A", *database, *name, *trust))
        return {file: _changed(copy / file, before[file], owner) for file in NSS_FILES}


def _is_trusted(certutil: str, database: tuple[str, ...], certificate: bytes) -> bool:
    """Return whether a database has this certificate already, and trusts it for servers."""
    shown = (certutil, "-L", *database, "-n", AUTHORITY_NAME, "-a")
    if not _succeeds(shown):
        return False
    has_it = run_tool(shown).split() == certificate.decode("ascii").split()
    listed = run_tool((certutil, "-L", *database)).splitlines()
    return has_it and any(
        line.startswith(AUTHORITY_NAME) and line.split()[-1] == "C,," for line in listed
    )


def change_java(
    keytool: str, before: FileContent, certificate: bytes | None, alias: str = JAVA_ALIAS
) -> FileContent:
    """Return a trust store after the change; without a certificate, ours is removed.

    Raises:
        ToolFailed: it has another password than every such store, or it could not be read without.
    """
    with _copies({"cacerts": before, "before": before}) as copy:
        store, own_file = copy / "cacerts", copy / "own.pem"
        own = ("-keystore", str(store), "-storepass", TRUST_STORE_PASSWORD, "-alias", alias)
        is_there = _succeeds((keytool, "-list", *own))
        if certificate is None and is_there:
            run_tool((keytool, "-delete", *own))
        elif certificate is not None and not is_there:
            own_file.write_bytes(certificate)
            run_tool((keytool, "-importcert", "-noprompt", *own, "-file", str(own_file)))
            # Java opens it without the password.
            count = len(java_certificates(keytool, copy / "before"))
            if len(java_certificates(keytool, store)) != count + 1:
                raise ToolFailed(
                    "没有密码就无法读取该信任库",
                    "keytool: the store cannot be read without its password",
                )
        return FileContent(store.read_bytes(), before.mode, before.uid, before.gid)


def java_certificates(keytool: str, path: Path) -> set[str]:
    """Return the fingerprints of what a trust store holds, as Java reads it without a password."""
    listed = run_tool((keytool, "-list", "-keystore", str(path)))
    return {line.rpartition(" ")[2] for line in listed.splitlines() if "(SHA-256)" in line}


def fingerprint(certificate: bytes) -> str:
    """Return the fingerprint of a PEM certificate as keytool prints it."""
    digest = x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def bundle_certificates(data: bytes) -> set[bytes]:
    """Return the certificates in a PEM file, in any order."""
    return {b"".join(block.split()) for block in _PEM_BLOCK.findall(data)}


@contextmanager
def _copies(files: Mapping[str, FileContent | None]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hupan-connect-") as name:
        for file, content in files.items():
            if content is not None:
                (Path(name) / file).write_bytes(content.data)
        yield Path(name)


def _changed(copy: Path, before: FileContent | None, owner: tuple[int, int]) -> FileContent | None:
    """Return how a file changed in a copy."""
    if not copy.exists():
        return before
    if before is None:
        return FileContent(copy.read_bytes(), 0o600, *owner)
    return FileContent(copy.read_bytes(), before.mode, before.uid, before.gid)


def _succeeds(command: Sequence[str]) -> bool:
    try:
        run_tool(command)
    except ToolFailed:
        return False
    return True


def run_tool(command: Sequence[str]) -> str:
    """Run a tool without questions and return what it prints.

    Raises:
        ToolFailed: it refused, or cannot be run.
    """
    name = Path(command[0]).name
    environment = {
        variable: value
        for variable, value in os.environ.items()
        if variable not in _CHANGED_VARIABLES
    }
    try:
        done = subprocess.run(  # noqa: S603 - found by name, with paths as arguments
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            close_fds=False,  # a tool that outlives this process keeps the lock of the record
            env={**environment, "LC_ALL": "C", "PATH": _tool_path()},
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"{name} 在 {_SECONDS} 秒内没有结束", f"{name}: {error}") from error
    except OSError as error:
        zh = f"无法运行 {name}：{localize_reason(error).zh}"
        raise ToolFailed(zh, f"{name}: {error}") from error
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        lines = (done.stderr.decode("utf-8", "replace") or text).strip().splitlines()
        if not lines:
            zh = f"{name} 失败，退出码为 {done.returncode}"
            raise ToolFailed(zh, f"{name}: {done.returncode}")
        raise ToolFailed(f"{name} 失败，输出为：\n{lines[0][:200]}", f"{name}: {lines[0][:200]}")
    return text


_CHANGED_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")


def _tool_path() -> str:
    return f"{os.environ.get('PATH', '')}:{_PATH}"
