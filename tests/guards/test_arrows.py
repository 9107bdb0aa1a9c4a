"""The allowed imports between layers.

The story: a similar account server began with clean layers. Then one rule needed one query "just
here", one import went into a function to hide a cycle, and two years later no file could be read,
tested or replaced by itself. A wrong import fails here on the day it is written, not on the day it
causes trouble. An import inside a function or under TYPE_CHECKING would hide it, so it is refused
in every direction.
"""

import ast
import re
from collections.abc import Sequence

import pytest

from tests.support.syntax import nodes_of

MODULE = re.compile(r"hupan(\.[a-z_]+)+")

LEAVES = {
    *("model", "errors", "rules", "addresses", "localized", "clock", "rng", "crypto", "metrics"),
    *("background", "ownership", "age", "library_errors"),
}
"""Modules that every layer may import; they may also import each other."""

COMPOSITION = {"environment", "opening", "wiring", "application"}

ARROWS: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    **{leaf: set[str]() for leaf in LEAVES},
    "contract": set(),
    "config": set(),
    "server": set(),
    "captcha": set(),
    "geoip": set(),
    "upstream": set(),
    "logs": {"config", "contract", "domain.sessions", "server.output"},
    "delivery": set(),
    "store": set(),
    "ratelimit": {"store", "config"},
    "domain": {"store", "ratelimit", "captcha", "delivery.sender"},
    "api": {"contract", "domain", "ratelimit", "geoip", "logs", "upstream"},
    "admin": {
        *("config", "domain", "ratelimit", "store", "delivery"),
        *("environment", "opening"),
    },
    "web": {"config", "domain", "admin"},
    "web.sandbox": {"web", "sandbox", "config", "domain", "admin"},
    "sandbox": {
        *("config", "admin", "domain", "delivery.sender", "delivery.texts", "contract"),
        *("api.codecs", "api.presence", "api.responses", "upstream"),
    },
    "environment": {"config", "delivery", "domain", "geoip", "captcha", "upstream"},
    "opening": {"config", "store"},
    "wiring": {
        *("config", "store", "domain", "ratelimit", "api", "admin", "captcha", "geoip"),
        *("contract", "delivery", "environment", "opening", "logs"),
    },
    "application": {
        *("config", "store", "domain", "api", "admin", "captcha", "server", "logs"),
        *("ratelimit", "delivery", "environment", "opening", "wiring"),
    },
    "sandbox_tools": {"api", "application", "domain", "environment", "sandbox"},
    "sandbox_application": {
        *("config", "store", "domain", "api", "contract", "sandbox", "server", "logs"),
        *("environment", "application", "sandbox_tools", "web.sandbox"),
    },
    "conformance": set(),
    "connect": set(),
    "doctor": {"conformance", "connect", "config", "admin"},
    "cli": {
        "conformance",
        "connect",
        "doctor",
        "config",
        "admin",
        "server",
        "logs",
        "sandbox_application",
        "sandbox.seeding",
        *COMPOSITION,
    },
}


def imported(node: ast.Import | ast.ImportFrom, path: str) -> list[str]:
    """Return the full names that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    package = ["hupan", *path.split("/")[:-1]]
    start = package[: len(package) + 1 - node.level] if node.level else []
    origin = ".".join([*start, *filter(None, [node.module])])
    return [f"{origin}.{alias.name}" for alias in node.names]


def named(nodes: Sequence[ast.AST]) -> list[tuple[int, str]]:
    """Return our modules that a file names in strings, if it imports by name."""
    words = {getattr(node, "id", getattr(node, "attr", "")) for node in nodes}
    if not words & {"import_module", "__import__"}:
        return []
    texts = [node for node in nodes if isinstance(node, ast.Constant)]
    return [(text.lineno, str(text.value)) for text in texts if MODULE.fullmatch(str(text.value))]


def layer_of(path: str) -> str:
    """Return the layer of a file: its first folder, or its second where that has its own rules."""
    names = path.removesuffix(".py").split("/")
    inner = ".".join(names[:2])
    return inner if inner in ARROWS else names[0]


def wrong_arrows(path: str, source: str) -> list[str]:
    """Return the wrong imports of the file at a path below src/hupan.

    A late import says why on its line, for ruff.
    """
    layer = layer_of(path)
    if layer not in ARROWS:
        return [f"{path}: {layer} is no layer yet: add it to ARROWS and to CONTRIBUTING.md"]
    allowed = [f"hupan.{name}." for name in (layer, "__version__", *LEAVES, *ARROWS[layer])]
    nodes, lines = nodes_of(source), source.splitlines()
    imports = (node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))
    found = [(node, name) for node in imports for name in imported(node, path)]
    ours = [(node, name) for node, name in found if f"{name}.".startswith("hupan.")]
    targets = [*((node.lineno, name) for node, name in ours), *named(nodes)]
    return [
        *(
            f"{path}:{line}: {layer} must not import {name}"
            for line, name in targets
            if not f"{name}.".startswith(tuple(allowed))
        ),
        *(
            f"{path}:{node.lineno}: {name} is not imported at the top"
            for node, name in ours
            if node.col_offset and "# noqa: PLC0415 - " not in lines[node.lineno - 1]
        ),
    ]


def test_every_import_is_allowed(modules: dict[str, str]) -> None:
    """Each file imports only what its layer may, and only at its top."""
    assert modules
    assert [fault for path, text in modules.items() for fault in wrong_arrows(path, text)] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("store/codes.py", "from hupan.domain.sessions import Sessions"),
        ("store/codes.py", "from hupan import domain"),
        ("store/codes.py", "from ..domain import sessions"),
        ("store/codes.py", "from .. import domain"),
        ("store/codes.py", "import hupan.domain.sessions as sessions"),
        ("store/codes.py", "import os, hupan.domain"),
        ("model.py", "from . import store"),
        ("model.py", "from .store.codes import find_code"),
        ("domain/sessions.py", "from hupan.delivery.smtp import Smtp"),
        ("domain/sessions.py", "from hupan.delivery import smtp"),
        ("domain/sessions.py", "from hupan.api import app"),
        ("api/sessions.py", "from hupan.store.codes import find_code"),
        ("client/login.py", "from hupan.models import Account"),
        ("application.py", "from hupan.cli.serve import serve"),
        ("application.py", "from hupan.web.sandbox.app import make_sandbox_pages"),
        ("web/pages.py", "from hupan.sandbox.routes import SandboxRoutes"),
        ("sandbox/routes.py", "from hupan.web.pages import PageSet"),
        ("web/sandbox/outbox.py", "from hupan.store.accounts import find_account"),
        ("sandbox/faults.py", "from hupan.server.connection import RequestCycle"),
        ("application.py", "from hupan.sandbox.journal import Journal"),
        ("cli/serve.py", "import hupan"),
        ("store/codes.py", "def late():\n    from hupan.model import Account"),
        ("store/codes.py", "if TYPE_CHECKING:\n    from hupan.model import Account"),
        (
            "store/codes.py",
            "try:\n    from hupan.store import engine\nexcept ImportError:\n    pass",
        ),
        ("store/codes.py", 'import_module("hupan.domain.sessions")'),
        ("store/codes.py", 'NAME = "hupan.domain.sessions"\nimportlib.import_module(NAME)'),
        ("helpers/text.py", ""),
    ],
)
def test_a_wrong_import_is_seen(path: str, source: str) -> None:
    """A wrong import is one fault, however it is written."""
    assert len(wrong_arrows(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("store/codes.py", "from hupan.model import Account"),
        ("store/codes.py", "from hupan.store.database import Store"),
        ("store/codes.py", "from .engine import Store"),
        ("store/__init__.py", "from .engine import Store"),
        ("domain/sessions.py", "from hupan.delivery import sender"),
        ("cli/main.py", "from hupan import __version__"),
        ("application.py", "from hupan.api.app import Dispatcher"),
        ("web/sandbox/outbox.py", "from hupan.sandbox.outbox import MessageCapture"),
        ("cli/main.py", 'FILES = {"serve": "hupan.cli.serve"}\nimport_module(FILES["serve"])'),
        ("config/paths.py", 'import hupandas, os\nname = "hupan.db"'),
    ],
)
def test_an_allowed_import_passes(path: str, source: str) -> None:
    """An allowed import is no fault."""
    assert wrong_arrows(path, source) == []
