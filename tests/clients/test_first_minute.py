"""From nothing to a sign-in with a third-party client, with the README alone (kit K-15)."""

import re
import subprocess

import httpx
import pytest

from hupan import __version__
from tests.support.wheelhouse import SECONDS, Machine
from tools.dist import ROOT

THEIR_CLIENT = '''
"""A client that knows nothing of Hupan: its host name is built in, and it verifies certificates."""

import json
import urllib.request

SERVER = "https://chat-go.jwzhd.com/v1"


def call(path, body=None, token=""):
    content = None if body is None else json.dumps(body).encode()
    headers = {"token": token, "content-type": "application/json"}
    request = urllib.request.Request(f"{SERVER}/{path}", content, headers)
    answer = json.load(urllib.request.urlopen(request))
    if answer["code"] != 1:
        raise SystemExit(answer["msg"])
    return answer.get("data")


captcha = call("user/captcha", {})
digits = input(f"captcha {captcha['id']}: ")
phone = "13800138000"
call("verification/get-verification-code", {"mobile": phone, "id": captcha["id"], "code": digits})
code = input(f"code of {phone}: ")
login = {"mobile": phone, "captcha": code, "deviceId": "theirs", "platform": "linux"}
token = call("user/verification-login", login)["token"]
print("signed in as", call("user/get-user-data", {}, token)["data"]["userId"])
'''
MAX_COMMANDS = 3
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Return a machine whose index has what Hupan needs to be built and to run."""
    return Machine(tmp_path_factory.mktemp("machine"), ["hupan", "hatchling"])


def commands_of(page: str) -> list[str]:
    """Return the commands of the README from the installation to the client."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (block,) = [text for text in blocks if "sandbox run" in text]
    return str(block).splitlines()


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_three_commands_at_most(page: str) -> None:
    """Both READMEs have the same commands, and no more than three."""
    assert commands_of(page) == commands_of("README.md")
    assert len(commands_of(page)) <= MAX_COMMANDS


def test_the_other_ways(machine: Machine) -> None:
    """The README's `uvx` command works as well, and installs nothing."""
    command = "uvx --from . hupan"
    assert f"`{command} sandbox`" in (ROOT / "README.md").read_text("utf-8")
    assert __version__ in machine.shell(f"{command} --version", folder=ROOT)
    assert not (machine.commands / "hupan").exists()


def test_the_first_sign_in(machine: Machine) -> None:
    """The commands run unchanged, and the client signs in with codes that the user looks up."""
    *installing, running = commands_of("README.md")
    for command in installing:
        machine.shell(command, folder=ROOT)
    assert __version__ in machine.run("hupan", "--version")
    (machine.home / "their_client.py").write_text(THEIR_CLIENT, "utf-8")
    with subprocess.Popen(  # noqa: S602 - the README's own line
        running,
        shell=True,
        cwd=machine.home,
        env=machine.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        told = read_until(client, r"http://127\.0\.0\.1:\d+/sandbox/outbox")
        captcha = answer_prompt(client, r"captcha (\S+): ", told)
        answer_prompt(client, r"code of (\d+): ", told)
        output, errors = client.communicate(timeout=SECONDS)
    assert (client.returncode, captcha != "", output) == (0, True, "signed in as 1000001\n"), errors


def read_until(client: "subprocess.Popen[str]", pattern: str) -> str:
    """Read a terminal until its output matches, and return the match."""
    assert client.stderr is not None
    for line in client.stderr:
        if found := re.search(pattern, line):
            return found[0]
    pytest.fail("the client ended")


def answer_prompt(client: "subprocess.Popen[str]", pattern: str, outbox: str) -> str:
    """Type the outbox's answer for the number or the captcha that a prompt names."""
    assert client.stdout is not None
    assert client.stdin is not None
    shown = ""
    while not (found := re.fullmatch(pattern, shown)):
        letter = client.stdout.read(1)
        assert letter, shown
        shown += letter
    query = {"to": found[1], "timeout": 30}
    message = httpx.get(f"{outbox}/wait", params=query, timeout=60, trust_env=False).json()
    client.stdin.write(f"{message['code']}\n")
    client.stdin.flush()
    return found[1]
