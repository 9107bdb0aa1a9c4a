"""From `hupan connect` to an unmodified client, on a separate machine (kit K-11)."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hupan.cli.sandbox_tls import open_tls_listener

pytestmark = pytest.mark.one_engine

HUPAN = str(Path(sys.executable).with_name("hupan"))
UNSHARE = ("unshare", "--mount", "--net")
HOSTS = b"127.0.0.1 localhost"
# Separate mounts and network: its port 443 and its hosts file are private.
SCRIPT = f"""
mount --bind hosts /etc/hosts
{sys.executable} -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0x41))'
{HUPAN} connect --only hosts --install --yes
mkfifo ready
{HUPAN} sandbox --tls --tls-port 443 --port 0 --json >sandbox.json 2>ready &
grep -m 1 TLS ready
trust=.local/share/hupan/connect/authority.pem
curl -sS --cacert $trust --tls-max 1.2 https://chat-go.jwzhd.com/v1/misc/gray-status
curl -sS --cacert $trust --tlsv1.3 -o picture -w '\\n%{{http_code}}\\n' https://chat-img.jwznb.com/healthz
kill $!
{HUPAN} connect --undo
cat /etc/hosts
"""


def can_unshare() -> bool:
    """Return whether this process may have separate mounts and a network."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("curl"):
        return False
    command = [*UNSHARE, "true"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - the system's
    return done.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_unshare(), reason="root, unshare and curl are needed")
def test_an_unmodified_client(tmp_path: Path) -> None:
    """Curl reaches the sandbox by its own names and port; the hosts file is a mounted one."""
    (tmp_path / "hosts").write_bytes(HOSTS)
    done = subprocess.run(  # noqa: S603 - our own script
        [*UNSHARE, "--pid", "--fork", "/bin/sh", "-ec", SCRIPT],
        cwd=tmp_path,
        env={
            **{k: v for k, v in os.environ.items() if k != "XDG_DATA_HOME"},
            "HOME": str(tmp_path),
            "HUPAN_LANG": "en",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.partition("TLS https://localhost:443\n")[2]
    answer = '{"code":1,"data":{"status":0},"msg":"success"}'
    assert said == f"{answer}\n200\nrestored /etc/hosts\n{HOSTS.decode()}"
    assert (tmp_path / "hosts").read_bytes() == HOSTS


def test_a_port_without_the_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal names the command that grants it."""

    def refuse(*_arguments: object, **_options: object) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(typer.Exit) as raised:
        open_tls_listener("127.0.0.1", 443)
    assert raised.value.exit_code == 1
    assert "sudo sysctl net.ipv4.ip_unprivileged_port_start=443" in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """The refusal names its process, and the option for another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(typer.Exit):
            open_tls_listener("127.0.0.1", port)
    said = capsys.readouterr().err
    assert str(os.getpid()) in said
    assert "--tls-port" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "localhost", "example.com", ""])  # noqa: S104 - refused
def test_tls_on_loopback_alone(host: str) -> None:
    """TLS of a sandbox only works on this machine."""
    with pytest.raises(typer.BadParameter):
        open_tls_listener(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9"])
def test_other_loopback_addresses(host: str) -> None:
    """Any loopback address works."""
    with open_tls_listener(host, 0) as listener:
        assert listener.getsockname()[0] == host
