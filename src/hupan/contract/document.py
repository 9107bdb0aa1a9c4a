"""Writes pages from the contract: `python -m hupan.contract.document protocol > docs/protocol.md`.

`PAGES` has the others. A test compares the committed pages with what is made here.
"""

import sys
from collections.abc import Callable

from hupan.contract.document_compatibility import compatibility
from hupan.contract.document_protocol import protocol
from hupan.contract.openapi import openapi

PAGES: dict[str, Callable[[], str]] = {
    "compatibility": lambda: compatibility("en"),
    "compatibility.zh-CN": lambda: compatibility("zh"),
    "protocol": protocol,
    "openapi": openapi,
}
"""Each page by the name of its file in docs/, without what `FILES` adds."""
FILES: dict[str, str] = {page: f"{page}.md" for page in PAGES} | {"openapi": "openapi.json"}


def main(arguments: list[str]) -> int:
    """Writes the page that is asked for; gives the exit status."""
    if len(arguments) != 1 or arguments[0] not in PAGES:
        sys.stderr.write(f"usage: python -m hupan.contract.document {' | '.join(PAGES)}\n")
        return 2
    sys.stdout.write(PAGES[arguments[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
