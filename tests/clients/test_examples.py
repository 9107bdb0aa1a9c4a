"""The examples of the client and of its pages run unchanged."""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hupan_client import Account, Client, Sandbox

from tests.support.servers import Server

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "clients/hupan-client/examples"
TOLD = {
    "presence.py": "being written: 你好\n",
    "sign_in.py": (
        "signed in as 小湖\n"
        "refused: 4402 This user does not exist\n"
        "refused: 1100 Bad request: the value of size is not valid\n"
    ),
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: str(path.name))
def test_it_runs(path: Path, sandbox: Server) -> None:
    """Each example prints what it is about."""
    done = subprocess.run(  # noqa: S603 - our own example
        [sys.executable, "-W", "error", "-X", "utf8", path, sandbox.url],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, TOLD[path.name]), done.stderr


BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def examples(page: str) -> list[str]:
    """Return the Python blocks of a page."""
    return BLOCK.findall((ROOT / page).read_text("utf-8"))


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_readme_begins_with_three_lines(
    page: str, emptied_sandbox: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first example of both READMEs is three lines that sign in."""
    example = examples(page)[0]
    assert len(example.replace("\n\n", "\n").splitlines()) == 3
    vars(play(example, emptied_sandbox)["client"])["_http"].close()
    assert "phone='13800138000'" in capsys.readouterr().out


def test_the_page_of_the_client(
    emptied_sandbox: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its examples run in order: a first sign-in, a login by e-mail, a socket."""
    first, by_email, on_a_socket = examples("clients/hupan-client/README.md")
    with Sandbox(emptied_sandbox.url) as driver:
        driver.reset()
        driver.accounts.create(email="li@example.com", password="lake at seven", nickname="李")
        namespace = play(first, emptied_sandbox)
        play(by_email, emptied_sandbox)
        client = namespace["client"]
        assert isinstance(client, Client)
        ending = threading.Thread(target=end_session, args=(driver, client.token))
        ending.start()
        exec(on_a_socket, namespace)  # noqa: S102 - our own page
        ending.join()
        vars(client)["_http"].close()
    assert re.fullmatch(r"OwnInfo\(.*\)\n李\nsigned out\n", capsys.readouterr().out)


def end_session(driver: Sandbox, token: str) -> None:
    """Log out once the journal has the login of the example's socket."""
    deadline = time.monotonic() + 60
    while not driver.requests.list("/ws") and time.monotonic() < deadline:
        time.sleep(0.02)
    driver.client(Account("", token)).logout()


def play(example: str, server: Server) -> dict[str, object]:
    """Run an example against a server and return its names."""
    namespace: dict[str, object] = {}
    text = re.sub(r"https?://(127\.0\.0\.1:8480|chat\.example\.com)", server.url, example)
    exec(text, namespace)  # noqa: S102 - our own page
    return namespace
