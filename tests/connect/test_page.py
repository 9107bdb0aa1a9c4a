"""The commands of docs/connect.md run unchanged (kit K-12)."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

PAGE = Path(__file__).parents[2] / "docs/connect.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
HUPAN = Path(sys.executable).with_name("hupan")
BESIDE = "hupan sandbox run -- "
GRAY = "https://chat-go.jwzhd.com/v1/misc/gray-status"
ANSWER = '{"code":1,"data":{"status":0},"msg":"success"}'
PROGRAMS = {
    "bot.py": f"import httpx\nprint(httpx.get({GRAY!r}).text)\n",
    "bot.mjs": f"console.log(await (await fetch({GRAY!r})).text());\n",
    "Bot.java": f"""
import java.net.URI;
import java.net.http.*;
public class Bot {{
    public static void main(String[] arguments) throws Exception {{
        HttpRequest request = HttpRequest.newBuilder(URI.create("{GRAY}")).build();
        HttpResponse.BodyHandler<String> handler = HttpResponse.BodyHandlers.ofString();
        System.out.println(HttpClient.newHttpClient().send(request, handler).body());
    }}
}}
""",
}
# Lines that need port 443 of this machine, or a sandbox on it.
NOT_RUN = {"hupan sandbox --tls --tls-port 443", f"curl {GRAY}"}
TOOLS = ("node", "java", "curl", "certutil")


def lines(text: str) -> list[str]:
    """Return the commands of a page, in order."""
    return [line for block in BLOCK.findall(text) for line in block.splitlines()]


def write_program(path: Path, text: str) -> None:
    """Write an executable of the test."""
    path.write_text(text, "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a shell: a home, a hosts file and a sudo of the test."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {missing}")
    tools = tmp_path / "bin"
    tools.mkdir()
    hosts = tmp_path / "hosts"
    hosts.write_bytes(b"127.0.0.1 localhost\n")
    write_program(tools / "sudo", '#!/bin/sh\nexec "$@"\n')
    write_program(tools / "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    own = f"--hosts-file {hosts} --only hosts"
    write_program(
        tools / "hupan",
        f'#!/bin/sh\ncase "$1" in connect) exec {HUPAN} "$@" {own};; *) exec {HUPAN} "$@";; esac\n',
    )
    (tmp_path / ".pki/nssdb").mkdir(parents=True)
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text, "utf-8")
    path = f"{tools}:{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if name != "XDG_DATA_HOME"}
    return {**kept, "HOME": str(tmp_path), "PATH": path, "HUPAN_LANG": "en"}


def run(script: list[str], shell: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run lines in a shell that stops at the first failure."""
    return subprocess.run(  # noqa: S603 - our own page
        ["/bin/sh", "-ec", "\n".join(script)],
        cwd=shell["HOME"],
        env=shell,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_commands_beside_a_sandbox(shell: dict[str, str]) -> None:
    """Each program reaches the sandbox; one sandbox serves them all."""
    found = lines(PAGE.read_text("utf-8"))
    beside = [line.removeprefix(BESIDE) for line in found if line.startswith(BESIDE)]
    assert len(beside) == 4
    script = Path(shell["HOME"]) / "all.sh"
    script.write_text("set -e\n" + "\necho\n".join(beside) + "\n", "utf-8")
    done = run([f"{BESIDE}sh all.sh"], shell)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(ANSWER) == len(beside), done.stdout


def test_the_other_commands(shell: dict[str, str]) -> None:
    """Show, install, trust by hand and undo work; the hosts file is restored."""
    home = Path(shell["HOME"])
    others = [line for line in lines(PAGE.read_text("utf-8")) if not line.startswith(BESIDE)]
    assert set(others) >= NOT_RUN
    script = [line for line in others if line not in NOT_RUN]
    undo = script.index("sudo hupan connect --undo")
    prepare = f"certutil -N -d sql:{home}/.pki/nssdb --empty-password"
    done = run([prepare, *script[:undo], *script[undo + 1 :]], shell)
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1 chat-go.jwzhd.com" in (home / "hosts").read_text("utf-8")
    assert run(["certutil -L -d sql:$HOME/.pki/nssdb -n hupan"], shell).returncode == 0
    assert run([script[undo]], shell).returncode == 0
    assert (home / "hosts").read_bytes() == b"127.0.0.1 localhost\n"
