"""Write the pages that are generated from the code: `python -m tools.docs [PAGE…]`."""

import sys
from collections.abc import Callable
from pathlib import Path

from supply import licences
from tools.docs import security
from tools.docs.compatibility import compatibility_page
from tools.docs.limits import limits_page
from tools.docs.openapi import openapi_document
from tools.docs.protocol import protocol_page
from tools.docs.settings import settings_page

DOCS = Path(__file__).parents[2] / "docs"


def _limits() -> str:
    # Its text is written by hand; the tables are generated.
    return limits_page((DOCS / "limits.md").read_text("utf-8"))


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": lambda: settings_page("en"),
    "settings.zh-CN.md": lambda: settings_page("zh"),
    "limits.md": _limits,
    "compatibility.md": lambda: compatibility_page("en"),
    "compatibility.zh-CN.md": lambda: compatibility_page("zh"),
    "protocol.md": protocol_page,
    "openapi.json": openapi_document,
    "security.md": security.english_page,
    "security.zh-CN.md": security.chinese_page,
    "licences.md": licences.page,
}
"""Each page by the name of its file in docs/."""


def main(names: list[str]) -> int:
    """Write the named pages; return the exit status."""
    if unknown := set(names) - PAGES.keys():
        sys.stderr.write(f"no page {', '.join(sorted(unknown))}; there are {', '.join(PAGES)}\n")
        return 2
    for name in names or PAGES:
        (DOCS / name).write_text(PAGES[name](), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
