"""Write a generated page: `python -m tools.docs.document settings > docs/settings.md`.

The tables of docs/limits.md are written by `tools.docs.limits`.
"""

import sys
from collections.abc import Callable

from tools.docs.document_compatibility import compatibility_page
from tools.docs.document_protocol import protocol_page
from tools.docs.openapi import openapi_document
from tools.docs.settings import render_settings_page

PAGES: dict[str, Callable[[], str]] = {
    "settings": render_settings_page,
    "compatibility": lambda: compatibility_page("en"),
    "compatibility.zh-CN": lambda: compatibility_page("zh"),
    "protocol": protocol_page,
    "openapi": openapi_document,
}
"""Each page by the name of its file in docs/, without what `FILES` adds."""
FILES: dict[str, str] = {page: f"{page}.md" for page in PAGES} | {"openapi": "openapi.json"}


def main(arguments: list[str]) -> int:
    """Write the named page; return the exit status."""
    if len(arguments) != 1 or arguments[0] not in PAGES:
        sys.stderr.write(f"usage: python -m tools.docs.document {' | '.join(PAGES)}\n")
        return 2
    sys.stdout.write(PAGES[arguments[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
