"""Each command on the backup page works, in the order of the page (L6)."""

import re
import shlex
from pathlib import Path

import pytest

from hupan.config import load_settings
from tests.support.backups import PASSPHRASE, contents, succeed

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]
ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PHONE = "13900000001"


def test_the_page_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands go from the key pair to the restored account and the check before an upgrade."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)
    config = Path("hupan.toml")
    succeed("database", "migrate")
    succeed("account", "create", "--phone", PHONE)
    output, ran = "", []
    for kind, text in BLOCK.findall((ROOT / "docs" / "backup.md").read_text("utf-8")):
        if kind == "toml":
            here = text.replace("age1…", output.strip()).replace("/mnt/", f"{tmp_path}/")
            config.write_text(
                config.read_text("utf-8") + here if config.exists() else here, "utf-8"
            )
            config.chmod(0o600)
            assert load_settings({}, {}).backup_public_key.startswith("age1")
        elif kind == "sh":
            for line in text.splitlines():
                output = succeed(*words(line, tmp_path))
                ran.append(line)
    assert len(ran) == 8
    assert PHONE in succeed("account", "list", "--data-dir", "restored")
    assert load_settings({}, {}).backup_hours == 24


def words(line: str, folder: Path) -> list[str]:
    """Return the arguments of a command; FILE is the name of an existing backup."""
    program, *arguments = shlex.split(line)
    assert program == "hupan"
    made = [name for name in contents(folder) if name.endswith(".age")]
    return [made[0] if argument == "FILE" else argument for argument in arguments]


def test_a_passphrase_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting and the environment variable work as the page says (security L3)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)
    succeed("database", "migrate")
    succeed("account", "create", "--phone", PHONE)
    secret = Path("passphrase")
    secret.write_text(f"{PASSPHRASE}\n", "utf-8")
    secret.chmod(0o600)
    config = Path("hupan.toml")
    config.write_text('backup_passphrase_file = "passphrase"\n', "utf-8")
    succeed("backup", "create", "a.age")
    config.unlink()
    monkeypatch.setenv("HUPAN_BACKUP_PASSPHRASE", PASSPHRASE)
    succeed("restore", "a.age", "--data-dir", "restored")
    assert PASSPHRASE not in Path("data/operators.log").read_text("utf-8")
