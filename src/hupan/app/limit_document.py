"""Writes the table of docs/limits.md anew: `python -m hupan.app.limit_document docs/limits.md`."""

import sys
from html import escape
from pathlib import Path

from hupan.app.account_rows import Row
from hupan.app.limit_rows import limit_rows
from hupan.config import Settings

BEGINS, ENDS = "<!-- table -->\n", "<!-- end of the table -->\n"
_HEAD = """
| 设置 Setting | 默认 Default | 时间 How long | 限制谁 Who | 内容 What | 计数于 Counted |
|---|---|---|---|---|---|
"""


def limits_page(page: str) -> str:
    """A page with the table of limits between the marks, as the program's table of them has it.

    Raises:
        ValueError: the page has not both marks.
    """
    before, begins, rest = page.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not (begins and ends):
        raise ValueError("no marks of a table")
    rows = "".join(map(_line, limit_rows(Settings())))
    return f"{before}{BEGINS}{_HEAD}{rows}\n{ENDS}{after}"


def _line(row: Row) -> str:
    cells = (f"`{row['setting']}`", *(row[f"{name}Text"] for name in ("most", "time", "who")))
    what = escape(str(row["whatText"]), quote=False).replace("\n", "<br>")
    return f"| {' | '.join(map(str, (*cells, what, row['keptText'])))} |\n"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(limits_page(path.read_text("utf-8")), "utf-8")
