"""The installation as docs/operations.md describes it, with the file of the README."""

import os
import re
import tempfile
from pathlib import Path

import pytest

from hupan.admin.config_check import find_problems
from hupan.config import load_settings

ROOT = Path(__file__).parents[2]
SERVICE = 65_534
INSTALL = re.compile(r"^install -m (\d{4}) -g hupan ([a-z. ]+?) /etc/hupan/", re.MULTILINE)
SECRETS = {"smtp.password": "p", "sms.secret": "s"}


def example() -> str:
    """Return the `hupan.toml` of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text[text.index('email_sender = "smtp"') :].partition("```")[0]


def install(folder: Path) -> Path:
    """Follow the page, in a folder that replaces /etc/hupan."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    files = {"hupan.toml": example().replace("/etc/hupan", str(folder)), **SECRETS}
    installed = set()
    for mode, names in INSTALL.findall(page):
        for name in names.split():
            path = folder / name
            path.write_text(files[name], encoding="utf-8")
            path.chmod(int(mode, 8))
            if os.geteuid() == 0:
                os.chown(path, 0, SERVICE)
            installed.add(name)
    assert installed == set(files)
    return folder / "hupan.toml"


def test_the_example_passes_where_root_installed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X12, L3: the documented modes are accepted; without root, the file's owner is simulated."""
    if os.geteuid() != 0:
        monkeypatch.setattr("hupan.config.types._ROOT", os.geteuid())
    settings = load_settings({}, {}, install(tmp_path))
    assert (settings.smtp_password, settings.sms_hmac_secret) == ("p", "s")
    assert settings.smtp_from == "hupan@example.com"


def passes_as_service(path: Path) -> bool:
    """Read and check the settings in a child process with only the service user's rights."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(SERVICE)
            os.setuid(SERVICE)
            status = len(find_problems(load_settings({"data_dir": path.parent / "data"}, {}, path)))
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the service's user")
def test_the_user_of_the_service_can_read_it() -> None:
    """X12: `hupan config check` passes for that user, which is only in its group."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        path = install(folder)
        (folder / "data").mkdir(mode=0o700)
        os.chown(folder / "data", SERVICE, SERVICE)
        assert find_problems(load_settings({}, {}, path)) == []  # the child has its imports, too
        assert passes_as_service(path)
        path.chmod(0o600)
        assert not passes_as_service(path)
