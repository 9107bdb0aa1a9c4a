"""Where countries are looked up, by the settings."""

from hupan.config import Settings
from hupan.places.bundled import open_bundled
from hupan.places.countries import Countries
from hupan.places.mmdb import open_mmdb
from hupan.places.protocol import Places


def make_places(settings: Settings) -> Places:
    """The table that the settings name, opened now; else the one that comes with the server.

    Raises:
        ValueError: the file that the settings name cannot be read as such a table.
    """
    if not settings.country_database:
        return Countries(open_bundled)
    codes = open_mmdb(settings.country_database)
    return Countries(lambda: codes)
