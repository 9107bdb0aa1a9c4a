"""The wire protocol: the table of endpoints and their messages.

A file is an area: its messages, then the lines of its endpoints. `ENDPOINTS` is the whole table.
"""

from types import ModuleType
from typing import Any

from hupan.contract import (
    codes,
    coins,
    contacts,
    deletion,
    devices,
    discovery,
    invitations,
    lists,
    media,
    misc,
    profiles,
    search,
    sessions,
    shop,
)
from hupan.contract.endpoints import Endpoint

AREAS: tuple[ModuleType, ...] = (
    codes,
    sessions,
    profiles,
    contacts,
    coins,
    invitations,
    discovery,
    devices,
    deletion,
    lists,
    misc,
    search,
    shop,
    media,
)
"""The areas in the order of the documentation; the handlers of each are in its file in `api/`."""

ENDPOINTS: tuple[Endpoint[Any, Any, Any], ...] = tuple(
    line for area in AREAS for line in vars(area).values() if isinstance(line, Endpoint)
)
