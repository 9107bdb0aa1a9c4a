"""Make the synchronous half of the clients from the asynchronous one: `make clients`.

Every file in a folder `_async` has a twin in the folder `_sync` next to it, with the words of
`WORDS` replaced. The twins are committed; a guard compares them.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORDS = {
    r"async (?=def |with |for )": "",
    r"await ": "",
    r"\basynchronous\b": "synchronous",
    r"\bThe synchronous one is made from this file: `make clients`\.": (
        "Made from its asynchronous twin by `make clients`: change that one."
    ),
    r"__a(enter|exit|iter|next)__": r"__\1__",
    r"\baclose\b": "close",
    r"\baiter_bytes\b": "iter_bytes",
    r"\b_async\b": "_sync",
    r"\bAsync(?=[A-Z])": "",
    r"\bStopAsyncIteration\b": "StopIteration",
    r"\bwebsockets\.asyncio\b": "websockets.sync",
}


BY_HAND = {"link.py"}
"""Files whose library has two different interfaces."""


def make_twin(text: str) -> str:
    """Return the synchronous twin of an asynchronous file."""
    for pattern, word in WORDS.items():
        text = re.sub(pattern, word, text)
    formatter = [str(Path(sys.executable).with_name("ruff")), "format", "-"]
    done = subprocess.run(formatter, input=text, capture_output=True, text=True, check=True)  # noqa: S603 - our own tool
    return done.stdout


def twins() -> dict[Path, str]:
    """Return the required content of each synchronous file."""
    found = (ROOT / "clients").glob("*/src/*/_async/*.py")
    sources = sorted(path for path in found if path.name not in BY_HAND)
    return {
        path.parent.with_name("_sync") / path.name: make_twin(path.read_text("utf-8"))
        for path in sources
    }


def main() -> int:
    for path, text in twins().items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
