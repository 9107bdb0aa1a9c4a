"""The start: addresses, refusals, messages of one line each."""

import socket
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from tests.support.commands import PATIENCE_SECONDS
from tests.support.listeners import Listening

pytestmark = pytest.mark.slow


def test_the_urls_are_real() -> None:
    """Port 0 is resolved, and the server answers there once it prints the URL."""
    with Listening() as running:
        (url,) = running.urls
        assert url.startswith("http://127.0.0.1:")
        assert not url.endswith(":0")
        assert running.connect().run("/a").startswith("/a 0 ")


def test_ipv6_addresses_stand_in_brackets() -> None:
    """A server can listen on an IPv6 host."""
    with Listening(host="::1") as running:
        (url,) = running.urls
        assert url.startswith("http://[::1]:")


def test_a_name_may_stand_for_several_addresses() -> None:
    """All addresses of localhost get the same port."""
    with Listening(host="localhost") as running:
        assert len({url.rpartition(":")[2] for url in running.urls}) == 1
        assert "127.0.0.1" in running.urls[0] + running.urls[-1]


def answers_at(url: str) -> bool:
    """Return whether a request there gets a response."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    address = (host.strip("[]").replace("%25", "%"), int(port))
    with socket.create_connection(address, PATIENCE_SECONDS) as client:
        client.sendall(b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n")
        return client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_star_is_every_address_of_both_families() -> None:
    """One word listens on IPv4 and IPv6."""
    with Listening(host="*") as running:
        assert [url.rpartition(":")[0] for url in running.urls] == ["http://0.0.0.0", "http://[::]"]
        port = running.urls[0].rpartition(":")[2]
        assert all(answers_at(f"http://{host}:{port}") for host in ("127.0.0.1", "[::1]"))


@pytest.mark.parametrize("workers", [1, 2])
def test_several_addresses_may_be_named(workers: int) -> None:
    """All are served, on one port; duplicates are merged."""
    with Listening(host="127.0.0.1,::1,127.0.0.1,localhost", workers=workers) as running:
        first, second = running.urls
        assert first.startswith("http://127.0.0.1:")
        assert second == f"http://[::1]:{first.rpartition(':')[2]}"
        assert all(map(answers_at, running.urls))


def link_local() -> str | None:
    """Return an address of this machine that is only valid with its interface."""
    try:
        rows = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:
        return None
    local = [row.split() for row in rows if row.startswith("fe80")]
    return f"{IPv6Address(int(local[0][0], 16))}%{local[0][5]}" if local else None


@pytest.mark.skipif(link_local() is None, reason="the machine has no such address")
def test_an_address_may_have_a_zone() -> None:
    """The server listens on it, prints it as a URL, and answers there."""
    address = str(link_local())
    with Listening(host=f"127.0.0.1,{address}") as running:
        assert running.urls[1].startswith(f"http://[{address.replace('%', '%25')}]:")
        assert answers_at(running.urls[1])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use_is_one_sentence(workers: int) -> None:
    """Nothing starts on a port in use: status 1, one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Listening(port=port, workers=workers) as running:
            said = f"端口 {port} 已被占用\n"
            assert running.end() == (1, said)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("192.0.2.1", 0, "192.0.2.1 不是本机的地址\n"),
        ("127.0.0.1,192.0.2.1", 0, "192.0.2.1 不是本机的地址\n"),
        ("no.such.invalid", 0, "无法识别监听地址 no.such.invalid\n"),
        ("x" * 70, 0, f"无法识别监听地址 {'x' * 70}\n"),
        ("127.0.0.1", 65536, "端口 65536 超出 0 到 65535\n"),
    ],
)
def test_an_impossible_address_is_one_sentence(host: str, port: int, said: str) -> None:
    """An invalid address is reported in one line, with status 1."""
    with Listening(host=host, port=port) as running:
        status, err = running.end()
        assert (status, err.count("\n")) == (1, 1)
        assert err.endswith(said)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_app_that_cannot_start_says_why(workers: int) -> None:
    """Only its own message is written; the status is 1."""
    with Listening(refusal="数据库打不开", workers=workers) as running:
        assert running.urls == []
        assert running.end() == (1, "数据库打不开\n")
