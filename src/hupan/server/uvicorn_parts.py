"""Parts of uvicorn, imported without its command line (decision 0004).

`uvicorn/__init__.py` imports its command line (click) and its supervisors: about 40 ms of every
start, and nothing of that is used here (docs/decisions/0004-uvicorn.md).
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _import_without_init(name: str) -> Iterator[None]:
    """Allow imports of a package's modules without running its `__init__`."""
    spec = importlib.util.find_spec(name)
    if spec is None or name in sys.modules:
        yield
        return
    sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        # A later import of the package itself gets the whole of it.
        del sys.modules[name]


with _import_without_init("uvicorn"):
    from uvicorn.config import Config
    from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
    from uvicorn.protocols.http.httptools_impl import (
        STATUS_LINE,
        HttpToolsProtocol,
        RequestResponseCycle,
    )
    from uvicorn.server import ServerState

__all__ = [
    "HIGH_WATER_LIMIT",
    "STATUS_LINE",
    "Config",
    "HttpToolsProtocol",
    "RequestResponseCycle",
    "ServerState",
]
