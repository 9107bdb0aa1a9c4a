"""Tables of countries in the MaxMind DB format (`.mmdb`), for IPv4 and IPv6."""

import logging
from typing import Protocol

from hupan.places.protocol import Address

_log = logging.getLogger("hupan.places")


class Records(Protocol):
    """An open database."""

    def get(self, ip_address: Address) -> object:
        """What is known of an address, or None.

        Raises:
            ValueError: it is an IPv6 address, and the database has IPv4 alone.
        """
        ...


class MmdbCodes:
    """The countries of a database."""

    def __init__(self, records: Records, broken: type[Exception]) -> None:
        self._records = records
        self._broken = broken

    def code(self, address: Address) -> str:
        """The two letters of the country, "" where the database does not know or is damaged."""
        try:
            return _code(self._records.get(address))
        except ValueError:  # an IPv6 address, and the database has IPv4 alone
            return ""
        except self._broken as error:
            _log.warning("the database of countries is damaged: %s", error)
            return ""


def open_mmdb(path: str) -> MmdbCodes:
    """Reads a database into memory, so that nothing happens when its file is written anew.

    Raises:
        ValueError: the file cannot be read as one; the text says so in Chinese and English.
    """
    # Costs up to 50 ms and 9 MB, and only a server with the setting needs it.
    from maxminddb import MODE_MEMORY, InvalidDatabaseError, open_database  # noqa: PLC0415 - above

    try:
        return MmdbCodes(open_database(path, MODE_MEMORY), InvalidDatabaseError)
    except (InvalidDatabaseError, OSError, ValueError) as error:
        raise ValueError(
            f"无法读取 IP 归属地数据库 / cannot read the database of countries {path}: {error}"
        ) from error


def _code(record: object) -> str:
    """The country in a record: `country.iso_code`, `country_code`, or a plain `country`."""
    if not isinstance(record, dict):
        return ""
    country = record.get("country_code") or record.get("country")
    if isinstance(country, dict):
        country = country.get("iso_code")
    return country.upper() if isinstance(country, str) else ""
