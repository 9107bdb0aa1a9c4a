"""Generate the tables of docs/limits.md in place: `python -m tools.docs.limits docs/limits.md`."""

import sys
from html import escape
from pathlib import Path

from hupan.admin.limits import limit_rows
from hupan.admin.views import AdminRow
from hupan.config import Settings
from tools.docs.table_bounds import buffer_rows, table_rows

LIMITS_BEGIN, LIMITS_END = "<!-- table -->\n", "<!-- end of the table -->\n"
TABLES_BEGIN, TABLES_END = "<!-- tables of the store -->\n", "<!-- end of the tables -->\n"
BUFFERS_BEGIN, BUFFERS_END = "<!-- buffers -->\n", "<!-- end of the buffers -->\n"
_LIMITS_HEAD = """
| 设置 Setting | 默认 Default | 时间 How long | 限制谁 Who | 内容 What | 计数于 Counted |
|---|---|---|---|---|---|
"""
_TABLES_HEAD = """
| Table | Rows of each | At most | Kept by |
|---|---|---|---|
"""
_BUFFERS_HEAD = """
| Queue or buffer of a process | At most | Beyond |
|---|---|---|
"""


def limits_page(page: str) -> str:
    """A page with its tables between the marks, as the program has them.

    Raises:
        ValueError: the page has not all marks.
    """
    limits = _LIMITS_HEAD + "".join(map(_limit_line, limit_rows(Settings())))
    page = _replace_between(page, LIMITS_BEGIN, LIMITS_END, limits)
    page = _replace_between(page, TABLES_BEGIN, TABLES_END, _TABLES_HEAD + table_rows())
    return _replace_between(page, BUFFERS_BEGIN, BUFFERS_END, _BUFFERS_HEAD + buffer_rows())


def _replace_between(page: str, begin: str, end: str, text: str) -> str:
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not (begins and ends):
        raise ValueError("no marks of a table")
    return f"{before}{begin}{text}\n{end}{after}"


def _limit_line(row: AdminRow) -> str:
    cells = (f"`{row['setting']}`", *(row[f"{name}Text"] for name in ("most", "time", "who")))
    what = escape(str(row["whatText"]), quote=False).replace("\n", "<br>")
    return f"| {' | '.join(map(str, (*cells, what, row['keptText'])))} |\n"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(limits_page(path.read_text("utf-8")), "utf-8")
