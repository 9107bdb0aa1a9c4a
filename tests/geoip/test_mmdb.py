"""Countries from a `.mmdb` file (setting country_database)."""

import logging
from ipaddress import ip_address
from pathlib import Path

import pytest

from hupan.geoip import open_mmdb_table
from tests.support.mmdb_files import Value, write_mmdb

GEOLITE: Value = {
    "continent": {"code": "AS"},
    "country": {"iso_code": "HK", "geoname_id": 1819730},
    "registered_country": {"iso_code": "CN"},
}


def code_in(path: Path, address: str) -> str:
    """Return the code that a file has for an address."""
    return open_mmdb_table(str(path)).country_code(ip_address(address))


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (GEOLITE, "HK"),
        ({"country_code": "JP"}, "JP"),
        ({"country_code": "jp"}, "JP"),
        ({"country": "US", "country_name": "United States"}, "US"),
        ({"country": "United States", "country_code": "US"}, "US"),
        ({"registered_country": {"iso_code": "CN"}}, ""),
        ({"country": {}}, ""),
        ({"country": {"iso_code": 7}}, ""),
        ({"country_code": 7}, ""),
        ({}, ""),
        ("CN", ""),
        (7, ""),
    ],
)
def test_records_of_several_makers_are_read(tmp_path: Path, record: Value, code: str) -> None:
    """The country is found in whichever field its maker uses."""
    path = write_mmdb(tmp_path / "x.mmdb", {"1.0.0.0/8": record})
    assert code_in(path, "1.2.3.4") == code


def test_networks_of_both_versions_are_known(tmp_path: Path) -> None:
    """Each address is in its own network; outside of all networks there is no country."""
    records = {"1.0.0.0/8": {"country_code": "AU"}, "2400:3200::/32": {"country_code": "CN"}}
    path = write_mmdb(tmp_path / "x.mmdb", records)
    told = [code_in(path, address) for address in ("1.2.3.4", "2400:3200::1", "2.3.4.5", "2a00::")]
    assert told == ["AU", "CN", "", ""]


def test_a_database_of_ipv4_knows_no_ipv6(tmp_path: Path) -> None:
    """An IPv6 address has no country there, and causes no error."""
    path = write_mmdb(tmp_path / "x.mmdb", {"1.0.0.0/8": {"country_code": "AU"}}, version=4)
    assert (code_in(path, "1.2.3.4"), code_in(path, "2400:3200::1")) == ("AU", "")


@pytest.mark.parametrize("content", [b"", b"x" * 1000, b"\xab\xcd\xefMaxMind.com", b"\0" * 300])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    """The refusal comes at opening, and names the file."""
    path = tmp_path / "x.mmdb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"country database .*x\.mmdb"):
        open_mmdb_table(str(path))


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    """A missing file is refused, too."""
    with pytest.raises(ValueError, match="cannot read the country database"):
        open_mmdb_table(str(tmp_path / "gone.mmdb"))


def test_a_damaged_record_is_no_country(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-in works without a country; the log says why."""
    monkeypatch.setattr(logging.getLogger("hupan"), "propagate", True)
    path = write_mmdb(tmp_path / "x.mmdb", {"1.0.0.0/8": {"country_code": "AU"}})
    content = path.read_bytes()
    # The record becomes a pointer out of the file.
    place = content.index(b"\xe1\x4ccountry_code")
    path.write_bytes(content[:place] + b"\x38\xff\xff\xff\xff" + content[place + 5 :])
    assert code_in(path, "1.2.3.4") == ""
    assert "the country database is damaged" in caplog.text


def test_a_rewritten_file_breaks_nothing(tmp_path: Path) -> None:
    """An open database is not affected by changes of its file."""
    path = write_mmdb(tmp_path / "x.mmdb", {"1.0.0.0/8": {"country_code": "AU"}})
    codes = open_mmdb_table(str(path))
    path.write_bytes(b"")
    assert codes.country_code(ip_address("1.2.3.4")) == "AU"
