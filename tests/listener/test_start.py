"""The start: addresses, refusals, what is said (one line each)."""

import socket

import pytest

from tests.listener.listening import Listening


def test_the_urls_are_real() -> None:
    """Port 0 is resolved, and the server answers there when it says so."""
    with Listening() as running:
        (url,) = running.urls
        assert url.startswith("http://127.0.0.1:")
        assert not url.endswith(":0")
        assert running.connect().ask("/a").startswith("/a 0 ")


def test_ipv6_addresses_stand_in_brackets() -> None:
    """An IPv6 host is one to listen on."""
    with Listening(host="::1") as running:
        (url,) = running.urls
        assert url.startswith("http://[::1]:")


def test_a_name_may_stand_for_several_addresses() -> None:
    """All addresses of localhost get the same port."""
    with Listening(host="localhost") as running:
        assert len({url.rpartition(":")[2] for url in running.urls}) == 1
        assert "127.0.0.1" in running.urls[0] + running.urls[-1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use_is_one_sentence(workers: int) -> None:
    """Nothing starts where another listens: status 1, one line, both languages."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Listening(port=port, workers=workers) as running:
            said = f"端口 {port} 已被占用 / port {port} is already in use\n"
            assert running.end() == (1, said)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("192.0.2.1", 0, "192.0.2.1 不是本机的地址 / 192.0.2.1 is no address of this machine\n"),
        ("no.such.invalid", 0, "no.such.invalid is no host name or address\n"),
        ("x" * 70, 0, "is no host name or address\n"),
        ("127.0.0.1", 65536, "端口 65536 超出 0 到 65535 / port 65536 is not within 0 to 65535\n"),
    ],
)
def test_an_impossible_address_is_one_sentence(host: str, port: int, said: str) -> None:
    """What cannot be listened on is said in one line, with status 1."""
    with Listening(host=host, port=port) as running:
        status, err = running.end()
        assert (status, err.count("\n")) == (1, 1)
        assert err.endswith(said)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_app_that_cannot_start_says_why(workers: int) -> None:
    """Its own message is all that is written; the status is 1."""
    with Listening(refusal="数据库打不开 / the store does not open", workers=workers) as running:
        assert running.urls == []
        assert running.end() == (1, "数据库打不开 / the store does not open\n")
