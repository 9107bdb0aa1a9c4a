"""Make what clients share with another file: `make clients`.

Every file in a folder `_async` has a twin in the folder `_sync` next to it, with the words of
`WORDS` replaced. The client's errors have a class for each of the server's. What is made is
committed; a guard compares it.
"""

import ast
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


SERVER_ERRORS = ROOT / "src/hupan/errors.py"
CLIENT_ERRORS = ROOT / "clients/hupan-client/src/hupan_client/errors.py"
FIRST_MADE_LINE = (
    "# Made from the errors of the server by `make clients`, down to the next comment.\n"
)
LAST_MADE_LINE = "# End of what is made.\n"
GROUPS = {
    10: "ServerFault",
    11: "BadRequest",
    12: "CodeRefusal",
    13: "LoginRefusal",
    14: "AccountRefusal",
    15: "CoinRefusal",
    16: "PictureRefusal",
}
"""The class above the errors of a hundred; codes of the protocol have none."""
NOT_OF_CLIENTS = {"MissingToken"}
"""Errors with code and text of another one, which clients cannot tell apart."""
_CITATION = re.compile(r" \((?:(?:security|wire\.md) [^)]*|[A-Z][0-9]+)\)")
_DEFAULTS = {"int": "0", "str": '""'}


def make_errors() -> str:
    """Return the required content of the client's errors."""
    before, first, rest = CLIENT_ERRORS.read_text("utf-8").partition(FIRST_MADE_LINE)
    _, last, after = rest.partition(LAST_MADE_LINE)
    if not (first and last):
        raise SystemExit(f"{CLIENT_ERRORS}: a line is missing between which the errors are made")
    source = SERVER_ERRORS.read_text("utf-8")
    classes = [
        _make_error(node, source)
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
        and [ast.unparse(base) for base in node.bases] == ["AppError"]
        and node.name not in NOT_OF_CLIENTS
    ]
    made = "\n\n".join(["", *classes, ""])
    return f"{before}{first}{made}{last}{after}"


def _make_error(node: ast.ClassDef, source: str) -> str:
    # Documentation and texts as they are written, without rule ids; what a text names is a field.
    lines, code = [], 0
    for part in node.body:
        text = f"    {ast.get_source_segment(source, part)}\n"
        if isinstance(part, ast.Expr):
            lines.append(_CITATION.sub("", text) + "\n")
        elif isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) in {"code", "zh", "en"}:
            lines.append(text)
            code = ast.literal_eval(part.value) if text.startswith("    code ") else code
        elif isinstance(part, ast.FunctionDef) and part.name == "__init__":
            for one in part.args.args[1:]:
                kind = ast.unparse(one.annotation) if one.annotation else ""
                lines.append(f"    {one.arg}: {kind} = {_DEFAULTS[kind]}\n")
    return f"class {node.name}({GROUPS.get(code // 100, 'Refusal')}):\n" + "".join(lines)


def made_files() -> dict[Path, str]:
    """Return the required content of every file of the clients that is made."""
    return {**twins(), CLIENT_ERRORS: make_errors()}


def main() -> int:
    for path, text in made_files().items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
