"""docs/senders.md: a server starts with every block of settings."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hupan.admin.config_check import find_problems
from hupan.config import load_settings
from hupan.delivery.sender import NotSent
from hupan.environment import make_sms_sender
from tests.support.delivery_samples import send, sms
from tests.support.ports import free_port

pytestmark = pytest.mark.one_engine

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/senders.md").read_text("utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
RELAY = next(block for block in BLOCKS if "127.0.0.1:8090" in block)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in BLOCKS:
        for name in re.findall(r'_file = "(.*)"', block):
            Path(name).write_text("relay-secret-of-a-test\n", "utf-8")
            Path(name).chmod(0o600)


def save(block: str) -> Path:
    """Write a block as the file of settings."""
    path = Path("hupan.toml")
    path.touch(0o600)
    path.write_text(block, "utf-8")
    return path


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_server_starts_with_each_block(block: str) -> None:
    """X12: each block is accepted unchanged."""
    settings = load_settings({}, {}, save(block))
    assert find_problems(settings) == []
    assert {settings.sms_sender, settings.email_sender} != {"console"}


@contextmanager
def relay(port: int) -> Iterator[None]:
    """Yield the command of the page, on another port."""
    (line,) = re.findall(r"^python3 (examples/sms-relay.py .*)$", PAGE, re.MULTILINE)
    program, *options = line.replace("8090", str(port)).split()
    with subprocess.Popen(  # noqa: S603  the page's own command
        [sys.executable, ROOT / program, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"listening on 127.0.0.1:{port}\n"
            yield
        finally:
            process.terminate()


def test_the_relay_takes_what_the_server_signs() -> None:
    """The example of the page accepts the right secret and refuses another one."""
    port = free_port()
    block = RELAY.replace("8090", str(port))
    with relay(port):
        send(make_sms_sender(load_settings({}, {}, save(block))), sms())
        Path("relay.secret").write_text("another", "utf-8")
        with pytest.raises(NotSent, match="answered 403"):
            send(make_sms_sender(load_settings({}, {}, save(block))), sms())
