"""The country of an address (wire.md 3, ipGeo)."""

import asyncio
from array import array
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.geoip import (
    COUNTRY_NAMES,
    BundledCountryTable,
    CountryResolver,
    IPAddress,
    open_bundled_table,
)

PRIVATE = [
    *("0.0.0.1", "10.0.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1", "192.168.1.1"),
    *("100.64.0.1", "192.0.2.1", "198.18.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fd00::1", "2001:db8::1"),
]


@pytest.fixture(scope="module")
def bundled() -> BundledCountryTable:
    """Return the table that comes with the server."""
    return open_bundled_table()


class Fixed:
    """A table with the same entry for every address."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.lookups: list[IPAddress] = []

    def country_code(self, address: IPAddress) -> str:
        """Return the answer."""
        self.lookups.append(address)
        return self.answer


def named(codes: Fixed | BundledCountryTable, address: str | None) -> str:
    """Return the name of the country of an address."""
    asked = None if address is None else ip_address(address)
    return asyncio.run(CountryResolver(lambda: codes).country(asked))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("114.114.114.114", "中国"),
        ("223.5.5.5", "中国"),
        ("202.81.252.1", "中国香港"),
        ("60.246.1.1", "中国澳门"),
        ("168.95.1.1", "中国台湾"),
        ("8.8.8.8", "美国"),
        ("13.112.0.1", "日本"),
        ("81.2.69.142", "英国"),
    ],
)
def test_the_bundled_table_knows_ipv4(
    bundled: BundledCountryTable, address: str, name: str
) -> None:
    """Well-known addresses have their country's Chinese name."""
    assert named(bundled, address) == name


def test_the_bundled_table_knows_no_ipv6(bundled: BundledCountryTable) -> None:
    """An unknown country is not guessed."""
    assert named(bundled, "2400:3200::1") == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_have_no_country(address: str) -> None:
    """A private address has no country, and is not looked up."""
    codes = Fixed("CN")
    assert named(codes, address) == ""
    assert codes.lookups == []


def test_no_address_has_no_country() -> None:
    """Without an address there is no country."""
    assert named(Fixed("CN"), None) == ""


@pytest.mark.parametrize("code", ["", "XK", "ZZ", "--", "cn", "中国"])
def test_what_is_no_code_has_no_name(code: str) -> None:
    """Codes outside ISO 3166-1 are not shown."""
    assert named(Fixed(code), "8.8.8.8") == ""


@pytest.mark.slow
def test_every_code_has_a_name_in_chinese(bundled: BundledCountryTable) -> None:
    """All 249 of ISO 3166-1 have a unique name, and the bundled table has no other code."""
    assert len(COUNTRY_NAMES) == len(set(COUNTRY_NAMES.values())) == 249
    assert all(code.isascii() and code.isupper() and len(code) == 2 for code in COUNTRY_NAMES)
    assert all("\u4e00" <= name[0] <= "\u9fff" for name in COUNTRY_NAMES.values())
    told = {bundled.country_code(ip_address(network << 14)) for network in range(2**18)}
    assert len(told) > 150
    assert told - {""} <= set(COUNTRY_NAMES)


def test_three_are_written_as_is_customary_in_china() -> None:
    """These three always have the prefix 中国, and no other name has."""
    assert (COUNTRY_NAMES["HK"], COUNTRY_NAMES["MO"], COUNTRY_NAMES["TW"]) == (
        "中国香港",
        "中国澳门",
        "中国台湾",
    )


@pytest.mark.parametrize(
    ("address", "code"),
    [("0.0.0.1", "AA"), ("0.0.0.255", "AA"), ("0.0.1.0", "BB"), ("255.255.255.255", "BB")],
)
def test_ranges_end_where_they_end(address: str, code: str) -> None:
    """The last address of a range is in it, the next one is in the next range."""
    table = BundledCountryTable(array("I", [255, 2**32 - 1]), b"\1\0", ["BB", "AA"])
    assert table.country_code(ip_address(address)) == code


@given(st.ip_addresses())
def test_every_address_has_an_answer(address: IPAddress) -> None:
    """No address raises an error."""
    table = BundledCountryTable(array("I", [2**32 - 1]), bytes([0]), ["CN"])
    assert table.country_code(address) == ("CN" if address.version == 4 else "")


async def test_the_table_is_opened_once_and_late() -> None:
    """The first public address opens it, and concurrent requests open it once."""
    opened: list[Fixed] = []

    def open_codes() -> Fixed:
        opened.append(Fixed("CN"))
        return opened[-1]

    async def story() -> list[str]:
        countries = CountryResolver(open_codes)
        assert await countries.country(ip_address("10.0.0.1")) == ""
        assert opened == []
        address = ip_address("8.8.8.8")
        return await asyncio.gather(*(countries.country(address) for _ in range(20)))

    assert await story() == ["中国"] * 20
    assert len(opened) == 1
