"""The client address of a request (security I10)."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.addresses import MAX_HOPS, ClientResolver, parse_client_address
from hupan.model import RequestContext

pytestmark = pytest.mark.one_engine

PROXY, CLIENT, STRANGER = "10.0.0.1", "203.0.113.9", "198.51.100.7"
NETWORKS = [ip_network(one) for one in ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")]
LISTED = ClientResolver(NETWORKS, "x-forwarded-for")
SINGLE = ClientResolver(NETWORKS, "x-real-ip")
NOBODY = ClientResolver([], "")


def resolved(
    addresses: ClientResolver, peer: str, *lines: str | bytes, header: str = "x-forwarded-for"
) -> str | None:
    """Return the address of a request from a peer, with these lines of a header."""
    raw = [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines]
    headers = [(b"host", b"a"), *((header.encode(), line) for line in raw)]
    address = addresses.resolve_address(
        RequestContext(1, "", english=False, headers=headers, peer=peer)
    )
    return None if address is None else str(address)


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ([CLIENT], CLIENT),
        ([f"{STRANGER}, {CLIENT}"], CLIENT),
        ([f"{STRANGER},{CLIENT}\t, 10.1.2.3 , 10.9.9.9"], CLIENT),
        ([f"{CLIENT},10.1.2.3"], CLIENT),
        (["[fe80::1%eth0]:4711"], "fe80::1"),
        (["fe80::1%25eth0"], "fe80::1"),
        ([f"{CLIENT}:4711"], CLIENT),
        (["2001:db8::9"], "2001:db8::9"),
        (["[2001:db8::9]"], "2001:db8::9"),
        (["[2001:db8::9]:4711"], "2001:db8::9"),
        (["2001:DB8:0:0::9"], "2001:db8::9"),
        (["fe80::1%eth0"], "fe80::1"),
        ([f"::ffff:{CLIENT}"], CLIENT),
        ([f"{CLIENT}, ::ffff:10.1.2.3"], CLIENT),
        ([f"{CLIENT}, fd00::5"], CLIENT),
        ([", ".join([CLIENT] + ["10.1.2.3"] * (MAX_HOPS - 1))], CLIENT),
    ],
)
def test_the_rightmost_untrusted_hop_is_the_client(lines: list[str], address: str) -> None:
    """Addresses to the left of it are not trusted."""
    assert resolved(LISTED, PROXY, *lines) == address


UNUSABLE_LINES: list[list[str | bytes]] = [
    [],
    [""],
    [" , "],
    ["a"],
    ["unknown"],
    ["_hidden"],
    ["1.2.3"],
    ["1.2.3.4.5"],
    ["256.1.1.1"],
    ["01.2.3.4"],
    ["1.2.3.4/8"],
    ["1.2.3.4:x"],
    ["１.２.３.４".encode()],
    ["²⁰³.0.113.9".encode()],
    [b"\xff\xfe"],
    ["::1::2"],
    ["[::1"],
    ["[]:1"],
    ["fe80::1%"],
    ["for=203.0.113.9"],
    ['"203.0.113.9"'],
    [f"{CLIENT} {STRANGER}"],
    [f"{CLIENT},"],
    [f"{CLIENT}, a"],
    [f"{CLIENT}, a, 10.1.2.3"],
    ["10.1.2.3"],
    [STRANGER, CLIENT],
    [CLIENT, CLIENT],
    [CLIENT, ""],
    ["", CLIENT],
    ["10.1.2.3, 10.1.2.4"],
    [", ".join([CLIENT] + ["10.1.2.3"] * MAX_HOPS)],
    ["9" * 10_000],
    ["," * 10_000],
    ["10.1.2.3," * 1_000],
    ["1.2.3.4%" + "e" * 10_000],
]


def test_an_unusable_header_leaves_the_peer(subtests: pytest.Subtests) -> None:
    """Empty, unreadable, endless, repeated, or only proxies: the peer's address counts."""
    for lines in UNUSABLE_LINES:
        with subtests.test(lines=lines):
            assert resolved(LISTED, PROXY, *lines) == PROXY


@pytest.mark.parametrize("peer", [CLIENT, "2001:db8::9", "127.0.0.2", "9.255.255.255"])
def test_only_trusted_proxies_are_heard(peer: str) -> None:
    """The header of any other peer is ignored (security, lesson 15)."""
    assert resolved(LISTED, peer, STRANGER) == peer


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}", "fd00::1", "fd00::1%eth0", "127.0.0.1"])
def test_a_trusted_proxy_is_known_in_every_form(peer: str) -> None:
    """IPv4 in IPv6 and zones are normalised."""
    assert resolved(LISTED, peer, STRANGER) == STRANGER


def test_no_header_is_read_unless_it_is_the_one() -> None:
    """It is ignored without the settings, and under another name."""
    assert resolved(NOBODY, "127.0.0.1", STRANGER) == "127.0.0.1"
    assert resolved(SINGLE, PROXY, STRANGER) == PROXY
    assert resolved(LISTED, PROXY, STRANGER, header="forwarded") == PROXY
    assert resolved(SINGLE, PROXY, CLIENT, header="x-real-ip") == CLIENT


@pytest.mark.parametrize("peer", ["", "socket", "/run/hupan.sock"])
def test_a_socket_without_address_has_none(peer: str) -> None:
    """A peer without an address is not trusted, so no header is read."""
    assert resolved(LISTED, peer, STRANGER) is None


@given(st.lists(st.binary(max_size=60), max_size=5), st.text(max_size=20))
def test_bytes_never_break_it(lines: list[bytes], peer: str) -> None:
    """Any header results in an address or the peer's, never an error (security, lesson 14)."""
    for end in (PROXY, CLIENT, peer):
        address = resolved(LISTED, end, *lines)
        assert address is None or str(ip_address(address)) == address
    assert resolved(LISTED, CLIENT, *lines) == CLIENT


@given(st.ip_addresses(), st.lists(st.sampled_from(["a", "", STRANGER, PROXY])))
def test_a_client_of_a_proxy_cannot_choose(client: object, said: list[str]) -> None:
    """The address that a proxy appends decides, whatever the client wrote before it."""
    seen = parse_client_address(str(client))
    assert seen is not None
    if not any(seen in network for network in NETWORKS):
        assert resolved(LISTED, PROXY, ", ".join([*said, str(client)])) == str(seen)


@pytest.mark.slow
@given(st.ip_addresses(v=4), st.integers(0, 99_999))
def test_forms_of_one_address_are_one(address: object, port: int) -> None:
    """A port, brackets and IPv6 notation do not matter."""
    mapped = f"::ffff:{address}"
    for form in (f"{address}", f"{address}:{port}", mapped, f"[{mapped}]", f"[{mapped}]:{port}"):
        assert parse_client_address(form) == address
