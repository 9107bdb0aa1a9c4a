"""The tables of docs/limits.md."""

from html import escape

from hupan.admin.limits import limit_rows
from hupan.admin.views import AdminRow
from hupan.config import Settings
from hupan.localized import LocalizedText
from tools.docs.table_bounds import buffer_rows, table_rows

LIMITS_BEGIN, LIMITS_END = "<!-- table -->\n", "<!-- end of the table -->\n"
TABLES_BEGIN, TABLES_END = "<!-- tables of the store -->\n", "<!-- end of the tables -->\n"
BUFFERS_BEGIN, BUFFERS_END = "<!-- buffers -->\n", "<!-- end of the buffers -->\n"
_LIMITS_HEAD = """
| Setting | Default | Window | Limits each | What it limits | Counted in |
|---|---|---|---|---|---|
"""
_TABLES_HEAD = """
| Table | Rows of each | Maximum | Bounded by |
|---|---|---|---|
"""
_BUFFERS_HEAD = """
| Queue or buffer of a process | Maximum | Beyond |
|---|---|---|
"""


def limits_page(page: str) -> str:
    """Return a page with the program's tables between the marks.

    Raises:
        ValueError: a mark is missing.
    """
    limits = _LIMITS_HEAD + "".join(map(_limit_line, limit_rows(Settings())))
    page = _replace_between(page, LIMITS_BEGIN, LIMITS_END, limits)
    page = _replace_between(page, TABLES_BEGIN, TABLES_END, _TABLES_HEAD + table_rows())
    return _replace_between(page, BUFFERS_BEGIN, BUFFERS_END, _BUFFERS_HEAD + buffer_rows())


def _replace_between(page: str, begin: str, end: str, text: str) -> str:
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not (begins and ends):
        raise ValueError("the marks of a table are missing")
    return f"{before}{begin}{text}\n{end}{after}"


def _limit_line(row: AdminRow) -> str:
    cells = [_english(row[f"{name}Text"]) for name in ("most", "time", "who", "what", "kept")]
    return f"| `{row['setting']}` | {' | '.join(cells)} |\n"


def _english(value: object) -> str:
    text = value.en if isinstance(value, LocalizedText) else str(value)
    return escape(text, quote=False)
