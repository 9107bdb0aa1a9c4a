import socket

import pytest

from bench.load.target import InvalidTarget, resolve_target


@pytest.mark.parametrize(
    ("url", "authority", "prefix"),
    [
        ("http://127.0.0.1:8480", "127.0.0.1:8480", ""),
        ("http://127.0.0.1:8480/", "127.0.0.1:8480", ""),
        ("http://[::1]:8480/web", "[::1]:8480", "/web"),
        ("http://127.0.0.1", "127.0.0.1", ""),
        ("https://127.0.0.1:443", "127.0.0.1", ""),
    ],
)
def test_this_machine_is_known(url: str, authority: str, prefix: str) -> None:
    """A loopback address is this machine, in whatever form a URL has it."""
    place = resolve_target(url)
    assert (place.authority, place.prefix, place.is_loopback) == (authority, prefix, True)


@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]", "0.0.0.0", "[::ffff:192.0.2.1]"])  # noqa: S104 - nobody listens there
def test_another_machine_is_another(host: str) -> None:
    """An address that is none of loopback may be somebody else's."""
    assert not resolve_target(f"http://{host}:8480").is_loopback


def test_the_address_is_judged_and_not_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere is elsewhere, whatever it is called."""
    elsewhere = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 8480))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_more: elsewhere)
    place = resolve_target("http://localhost:8480")
    assert (place.address, place.is_loopback) == ("192.0.2.1", False)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8480",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:99999",
        "http://user:secret@127.0.0.1",
        "http://127.0.0.1/?a=1",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/湖",
        "http://[::1",
        "http://host.invalid",
    ],
)
def test_what_is_no_server_is_refused(url: str) -> None:
    """A URL that names no server is refused with a sentence, without its secrets."""
    with pytest.raises(InvalidTarget) as refusal:
        resolve_target(url)
    assert "secret" not in str(refusal.value)
