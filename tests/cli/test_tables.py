"""Tables on terminals of any width."""

import pytest

from hupan.cli.language import cell_width, wrap_cells
from hupan.cli.output import Column, print_table

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

COLUMNS = {
    "id": Column("编号"),
    "nickname": Column("昵称", wraps=True),
    "number": Column("序号"),
    "email": Column("邮箱", wraps=True),
    "hidden": Column("更多", wide_only=True),
}
ROW = {
    "id": "1000000001",
    "nickname": "东湖之畔的白鹭与芦苇" * 3,
    "number": 123_456_789,
    "email": "a.very.long.address.of.somebody@mail.example.org",
    "hidden": "x" * 12,
}


@pytest.mark.parametrize("width", [20, 40, 60, 80, 240])
@pytest.mark.parametrize("wide", [False, True])
def test_no_line_is_wider_than_the_terminal(
    width: int, wide: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ids and numbers stay whole; long texts are wrapped, and nothing is left out."""
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(COLUMNS, [ROW, ROW], wide=wide)
    shown = capsys.readouterr().out
    assert all(cell_width(line) <= width for line in shown.splitlines())
    assert shown.count("1000000001") == shown.count("123456789") == 2
    assert shown.count("鹭") == 6
    assert shown.count("x" * 12) == 2 * wide


def test_a_table_has_its_headings_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wide table has one heading row, and its columns align by terminal cells."""
    monkeypatch.setenv("COLUMNS", "80")
    print_table(COLUMNS, [ROW, ROW])
    head, rule, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["编号", "昵称", "序号", "邮箱"]
    assert set(rule) == {"─", " "}
    assert cell_width(first[: first.index("123456789")]) == cell_width(head[: head.index("序号")])


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, [""]),
        ("a lake of herons", 8, ["a lake", "of", "herons"]),
        ("东湖之畔", 4, ["东湖", "之畔"]),
        ("东湖，白鹭。", 6, ["东湖，", "白鹭。"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("一\n二", 10, ["一", "二"]),
        ("湖", 1, ["湖"]),
    ],
)
def test_text_is_wrapped_by_cells(text: str, width: int, lines: list[str]) -> None:
    """A Chinese character takes two cells; closing punctuation does not begin a line."""
    assert wrap_cells(text, width) == lines
