"""Each code block of the page on testing clients runs unchanged, on an empty machine."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.wheelhouse import Machine
from tools.dist import ROOT, main

PAGE = "docs/testing-clients.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
STEP = re.compile(r"^      - run: (.*)$", re.MULTILINE)
MY_CLIENT = '''
"""What the page takes for granted: a client, or a bot."""

import json
import urllib.request


class MyClient:
    def __init__(self, url, token=""):
        self.url, self.token = url, token
        self.is_signed_in = False
        self.captcha_id = self.call("user/captcha")["id"]

    def call(self, path, **body):
        headers = {"token": self.token, "content-type": "application/json"}
        request = urllib.request.Request(
            f"{self.url}/v1/{path}", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer).get("data")

    def greeting(self):
        own_id = self.call("user/get-user-data")["data"]["userId"]
        hits = self.call("search/home-search", word=own_id)["list"][0]["list"]
        return "你好，" + hits[0]["nickname"]

    def type_captcha(self, answer):
        self.answer = answer

    def request_code(self, phone):
        self.phone = phone
        answer = {"id": self.captcha_id, "code": self.answer}
        self.call("verification/get-verification-code", mobile=phone, **answer)

    def type_code(self, code):
        login = {"deviceId": "d", "platform": "linux"}
        self.call("user/verification-login", mobile=self.phone, captcha=code, **login)
        self.is_signed_in = True

    def rename(self, name):
        try:
            self.call("user/edit-nickname", name=name)
        except OSError:
            pass  # the answer is lost


MyBot = MyClient
'''
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="the page needs git"),
]


def blocks(language: str) -> list[str]:
    """Return the blocks of the page in a language."""
    text = (ROOT / PAGE).read_text("utf-8")
    return [code for name, code in BLOCK.findall(text) if name == language]


def commit(machine: Machine, folder: Path) -> None:
    """Make a repository of a folder."""
    as_somebody = "git -c user.name=me -c user.email=me@example.com"
    machine.shell(f"git init -q && git add -A && {as_somebody} commit -qm first", folder)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Return a machine with pip and git, whose index has what the page names."""
    packages = ["hupan", "hupan-client", "pytest-hupan", "pytest-xdist", "hatchling"]
    return Machine(tmp_path_factory.mktemp("machine"), packages)


@pytest.fixture(scope="module")
def project(machine: Machine) -> Path:
    """Return a project with the tests of the page, as its workflow checks it out and tests it."""
    origin, work = machine.home / "origin/me/bot", machine.home / "work"
    origin.mkdir(parents=True)
    work.mkdir()
    main(origin / "wheels")
    (origin / "requirements.txt").write_text("httpx\n")
    (origin / "my_client.py").write_text(MY_CLIENT, "utf-8")
    (ini,) = blocks("ini")
    (origin / "pytest.ini").write_text(f"{ini}pythonpath = .\n")
    for number, code in enumerate(blocks("python")):
        test = code if "def test_" in code else f"def test_block():\n    {indented(code)}"
        text = f"from my_client import MyBot, MyClient\n{test}"
        (origin / f"test_{number}.py").write_text(text, "utf-8")
    commit(machine, origin)
    (workflow,) = blocks("yaml")
    github = {
        "PYTEST_XDIST_AUTO_NUM_WORKERS": "1",
        "GITHUB_SERVER_URL": f"file://{machine.home}/origin",
        "GITHUB_REPOSITORY": "me/bot",
        "GITHUB_SHA": machine.shell("git rev-parse HEAD", origin).strip(),
    }
    exports = "".join(f"export {name}={text}\n" for name, text in github.items())
    steps = STEP.findall(workflow)
    assert len(steps) == workflow.count("- run:")
    output = [machine.shell(exports + with_uv(step), work) for step in steps]
    assert f"{len(blocks('python'))} passed" in output[-1]
    return work


def with_uv(script: str) -> str:
    """Use uv instead of the page's pip: it needs a fifth of the time, and no ensurepip."""
    return script.replace(".venv/bin/pip ", "uv pip ").replace("-m venv ", "-m venv --without-pip ")


def indented(code: str) -> str:
    return code.rstrip().replace("\n", "\n    ") + "\n"


def test_the_workflow(project: Path) -> None:
    """A fresh checkout with the wheels in it runs the tests of the page under pytest-xdist."""
    assert (project / ".venv/bin/hupan").exists()
    assert len(blocks("python")) == len(list(project.glob("test_*.py"))) == 6


def test_a_git_repository_instead_of_wheels(project: Path, machine: Machine) -> None:
    """The three packages install from a clone, and are the same as those of the wheels."""
    _, cloning, _ = blocks("sh")
    source = machine.home / "hupan.git"
    skipped = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("src", "deploy", "clients"):
        shutil.copytree(ROOT / name, source / name, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    commit(machine, source)
    machine.shell(f"export HUPAN=file://{source}\n{with_uv(cloning)}", project)
    installed = set(machine.shell("uv pip freeze -q", project).splitlines())
    clone = f"file://{project}/hupan"
    assert installed >= {
        f"hupan @ {clone}",
        f"hupan-client @ {clone}/clients/hupan-client",
        f"pytest-hupan @ {clone}/clients/pytest-hupan",
    }


def test_without_python(project: Path, machine: Machine) -> None:
    """The lines for other languages work with the sandbox that they start."""
    _, _, script = blocks("sh")
    port = str(free_port())
    path = f"export PATH={project / '.venv/bin'}{os.pathsep}$PATH\n"
    output = machine.shell(path + script.replace("8480", port), project)
    assert '"id":"1000001"' in output
    assert '"httpStatus"' in output or '"code":1002' in output
