"""The examples of the client and of the pages about it run as they stand."""

import asyncio
import contextlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import hupan_client
import pytest
from hupan_client import AsyncSandbox, Client, ConnectionFailed, Sandbox
from hupan_client.errors import SessionEnded, WrongCode

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
    """Each prints what it is about."""
    done = subprocess.run(  # noqa: S603 - our own example
        [sys.executable, "-W", "error", "-X", "utf8", path, sandbox.url],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, TOLD[path.name]), done.stderr


BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


class MyClient:
    """The client of the page: what it is said to do."""

    opened: ClassVar[list[Client]] = []

    def __init__(self, url: str, token: str = "") -> None:
        self._client = Client(url, token)
        self.opened.append(self._client)
        self.captcha_id = self._client.create_captcha().id
        self._answer = self._phone = ""
        self.is_signed_in = False

    def greeting(self) -> str:
        return f"你好，{self._client.get_own_info().name}"

    def type_captcha(self, answer: str) -> None:
        self._answer = answer

    def request_code(self, phone: str) -> None:
        self._phone = phone
        self._client.send_sms_code(phone, self.captcha_id, self._answer)

    def type_code(self, code: str) -> None:
        self._client.code_login(self._phone, code)
        self.is_signed_in = True

    def rename(self, name: str) -> None:
        with contextlib.suppress(ConnectionFailed):
            self._client.edit_nickname(name)


NAMES = {
    "MyBot": MyClient,
    "MyClient": MyClient,
    "pytest": pytest,
    **{name: getattr(hupan_client, name) for name in hupan_client.__all__},
    "WrongCode": WrongCode,
    "SessionEnded": SessionEnded,
}


def examples(page: str) -> list[str]:
    """The Python blocks of a page."""
    return BLOCK.findall((ROOT / page).read_text("utf-8"))


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_readme_begins_with_three_lines(
    page: str, emptied_sandbox: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first example of both READMEs is three lines, and they sign in."""
    example = examples(page)[0]
    assert len(example.replace("\n\n", "\n").splitlines()) == 3
    namespace: dict[str, object] = {}
    exec(example.replace("http://127.0.0.1:8480", emptied_sandbox.url), namespace)  # noqa: S102 - our own page
    vars(namespace["client"])["_http"].close()
    assert "phone='13800138000'" in capsys.readouterr().out


def test_the_page_on_testing(emptied_sandbox: Server) -> None:
    """Each test of the page passes on an empty sandbox."""
    passed = []
    for example in examples("docs/testing-clients.md"):
        namespace: dict[str, object] = dict(NAMES)
        exec(example, namespace)  # noqa: S102 - our own page
        for name in set(namespace) - set(NAMES):
            if name.startswith("test_"):
                play(namespace[name], emptied_sandbox)
                passed.append(name)
    assert len(passed) == 5


def play(test: object, server: Server) -> None:
    """Run a test of the page as the plugin does."""
    assert callable(test)
    with Sandbox(server.url) as driver:
        driver.reset()
        MyClient.opened.clear()
        if not inspect.iscoroutinefunction(test):
            test(hupan=driver)
        else:
            asyncio.run(test(hupan_async=AsyncSandbox(server.url, keeps_connections=False)))
        driver.reset()
    for client in MyClient.opened:
        client.close()
