"""Backups for tests: a key, the commands, and archives of any content."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

from typer.testing import CliRunner, Result

from hupan.age import EncryptingWriter, Identity
from hupan.cli.main import app
from hupan.store.backup_format import ArchiveWriter

PASSPHRASE = "correct horse battery"


class BackupKey:
    """A pair of keys, with the private one in a file, as an operator has it."""

    def __init__(self, folder: Path) -> None:
        self.identity = Identity.generate()
        self.file = folder / "backup.key"
        self.file.write_text(f"{self.identity.secret_text()}\n", "utf-8")
        self.file.chmod(0o600)
        self.public = str(self.identity.public_key)

    def encrypt(self, members: Iterable[tuple[str, bytes]]) -> bytes:
        """Return a backup with these members."""

        def write(archive: ArchiveWriter) -> None:
            for name, data in members:
                archive.add(name, data)
            archive.finish()

        return self.encrypt_archive(write)

    def encrypt_archive(self, write: Callable[[ArchiveWriter], None]) -> bytes:
        """Return a backup of what the function writes."""
        target = io.BytesIO()
        writer = EncryptingWriter(target, self.identity.public_key)
        write(ArchiveWriter(writer))
        writer.finish()
        return target.getvalue()


def invoke(*arguments: str) -> Result:
    """Run one command."""
    return CliRunner().invoke(app, arguments)


def succeed(*arguments: str) -> str:
    """Run a command that must succeed; return its output."""
    done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def contents(folder: Path) -> list[str]:
    """Return every path below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
