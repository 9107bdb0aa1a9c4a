"""The names that clients have built in always appear together (wire.md 6).

The story: the README named two of three. Clients sent their token to the public service's socket.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FIRST, *OTHERS = NAMES = ("chat-go.jwzhd.com", "chat-web-go.jwzhd.com", "chat-ws-go.jwzhd.com")
NAMED_IN = {
    *("README.md", "README.zh-CN.md", "docs/operations.md", "docs/operations.zh-CN.md"),
    *("deploy/nginx/hupan.conf", "deploy/caddy/Caddyfile"),
}
HOSTS_LINES = "".join(f"192.0.2.10  {name}\n" for name in NAMES)
VERIFY = [
    "openssl",
    "verify",
    "-CAfile",
    "authority.pem",
    "-purpose",
    "sslserver",
    "-verify_hostname",
]
COMMANDS = re.compile(r"```sh\n(openssl req .*?)```", re.DOTALL)


def incomplete(texts: dict[str, str]) -> list[str]:
    """Return files that name the first and not all others."""
    naming = {path: text for path, text in texts.items() if FIRST in text}
    return [path for path, text in naming.items() if not all(name in text for name in OTHERS)]


def test_host_names_are_complete(written: Callable[..., dict[str, str]], root: Path) -> None:
    """Pages, hosts lines, proxies and certificate commands have all host names (wire.md 6)."""
    texts = {path: (root / path).read_text("utf-8") for path in NAMED_IN}
    pages = {path: text for path, text in written(".md").items() if "decisions" not in path}
    assert all(FIRST in text for text in texts.values())
    assert incomplete(pages | texts) == []


@pytest.mark.parametrize("page", sorted(path for path in NAMED_IN if path.endswith(".md")))
def test_hosts_lines_can_be_copied(root: Path, page: str) -> None:
    """Each page has a line for each name."""
    assert HOSTS_LINES in (root / page).read_text("utf-8")


def test_a_missing_name_is_seen() -> None:
    """A page that leaves the socket's name out is found."""
    assert incomplete({"a": " ".join(NAMES), "b": " ".join(NAMES[:2]), "c": ""}) == ["b"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_certificate_is_for_every_name(root: Path, tmp_path: Path) -> None:
    """The commands of the page make a certificate that clients accept for all three."""
    commands = COMMANDS.search((root / "docs/operations.md").read_text("utf-8"))
    assert commands is not None
    made = subprocess.run(  # noqa: S603 - our own page
        ["/bin/sh", "-e", "-c", commands[1]], cwd=tmp_path, capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr
    for name in NAMES:
        told = subprocess.run(  # noqa: S603 - the program on the path, own files
            [*VERIFY, name, "fullchain.pem"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert told.returncode == 0, told.stdout + told.stderr
