"""`hupan group`, `hupan bot` and `hupan category` (docs/decisions/0007)."""

import json
import os
import pty
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.store.migrate import migrate_file
from tests.support.commands import exit_status

pytestmark = pytest.mark.slow

HEAD = "chatId,nickname,headcount,category\n"
GOOD = HEAD + "100000001,西湖,5,地区\n100000002,东湖,7,\n"

runner = CliRunner()


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in os.environ:
        if variable.startswith("HUPAN_"):
            monkeypatch.delenv(variable)


@pytest.fixture
def _store() -> None:
    """Create a store of the current version at the default location."""
    Path("data").mkdir()
    migrate_file(Path("data/hupan.db"))


def run(*arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    """Return exit status, standard output and standard error."""
    result = runner.invoke(app, arguments, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def written(name: str, text: str | bytes) -> str:
    """Write a file into the current folder; return its path."""
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def listed(*more: str) -> list[dict[str, object]]:
    """Return the groups, from the JSON output."""
    status, told, _ = run("group", "list", "--json", *more)
    assert status == 0
    rows: list[dict[str, object]] = json.loads(told)
    return rows


@pytest.mark.usefixtures("_store")
def test_groups_go_in_and_are_listed() -> None:
    """Imported groups are listed; the JSON output has every column of an import."""
    status, told, _ = run("group", "import", written("g.csv", GOOD))
    assert (status, told) == (0, "已导入 2 个，现共 2 个\n")
    assert [row["chatId"] for row in listed()] == ["100000002", "100000001"]
    assert listed("--keyword", "西湖") == [
        {
            "chatId": "100000001",
            "banId": 0,
            "nickname": "西湖",
            "introduction": "",
            "avatarUrl": "",
            "headcount": 5,
            "createTime": 0,
            "category": "地区",
            "featured": 0,
        }
    ]
    assert listed("--category", "精选") == []
    assert [row["nickname"] for row in listed("--size", "1", "--page", "2")] == ["西湖"]


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_people_get_a_table() -> None:
    """The table has a row for each group, with the main columns; control characters are removed."""
    written("g.csv", 'chatId,nickname,introduction\n100000001,西湖,"一\n二"\n')
    run("group", "import", "g.csv")
    status, told, _ = run("group", "list", "--wide")
    assert status == 0
    row = next(line for line in told.splitlines() if "100000001" in line)
    assert "西湖" in row
    assert "一 二" in row


@pytest.mark.usefixtures("_store")
def test_a_list_can_be_read_again() -> None:
    """Each object of `--json` is a valid line of an import; importing it again changes nothing."""
    run("group", "import", written("g.csv", GOOD))
    first = listed()
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in first)
    status, told, _ = run("group", "import", written("g.jsonl", lines))
    assert (status, told) == (0, "已导入 2 个，现共 2 个\n")
    assert listed() == first


@pytest.mark.usefixtures("_store")
def test_an_import_replaces_and_keeps() -> None:
    """A group with a known id is replaced as a whole; all others stay."""
    run("group", "import", written("g.csv", GOOD))
    status, told, _ = run("group", "import", written("h.csv", HEAD + "100000001,太湖,9,\n"))
    assert (status, told) == (0, "已导入 1 个，现共 2 个\n")
    assert [(row["nickname"], row["category"]) for row in listed()] == [("太湖", ""), ("东湖", "")]
    assert listed("--keyword", "西湖") == []


BAD_LINES = HEAD + (
    "100000001,西湖,5,地区\n"
    "12345,短号,5,\n"
    '100000003,"两\n行",1,\n'
    "100000004,人数,-1,\n"
    "100000005,分区,1,没有这个\n"
    "100000006,精选,1,精选\n"
    "100000007,少一列\n"
    "\n"
    "100000001,重复,5,\n"
    "100000008,\u202e,5,\n"
)


@pytest.mark.usefixtures("_store")
def test_every_bad_line_is_named_and_nothing_kept() -> None:
    """Each fault is named by line and column; the good lines are not stored either."""
    run("group", "import", written("g.csv", HEAD + "100000009,先来的,1,\n"))
    status, told, problems = run("group", "import", written("bad.csv", BAD_LINES))
    assert (status, told) == (1, "")
    lines = problems.splitlines()
    assert [line.split("：")[0] for line in lines[:-1]] == [
        *("第 3 行 chatId", "第 4、12 行 nickname", "第 6 行 headcount"),
        *("第 7、8 行 category", "第 9 行", "第 11 行 chatId"),
    ]
    assert lines[0] == "第 3 行 chatId：须为九位数字，首位不为 0"
    assert lines[-1] == "有 8 处错误，未导入任何内容"
    assert [row["nickname"] for row in listed()] == ["先来的"]


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_problems_for_programs() -> None:
    """With --json the problems are an object on standard output; the status is 1."""
    status, told, _ = run("group", "import", written("g.jsonl", '\n{"chatId": 1.5}\n'), "--json")
    assert status == 1
    report = json.loads(told)
    assert (report["rows"], len(report["problems"])) == (0, 1)
    assert report["problems"][0] == {
        "line": 2,
        "column": "chatId",
        "zh": "须为九位数字，首位不为 0",
        "en": "must be nine digits, the first not 0",
        "lines": [2],
        "count": 1,
    }


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("nonsense", "1"),
        ("[1]", "1"),
        ("null", "1"),
        ("[" * 20_000, "1"),
        (b'{"chatId": "\xff"}', "1"),
        ('{"chatId": 100000001}', "1 nickname"),
        ('{"chatId": true, "nickname": "a"}', "1 chatId"),
        ('{"chatId": null, "nickname": "a"}', "1 chatId"),
        ('{"chatId": 1' + "0" * 30 + ', "nickname": "a"}', "1 chatId"),
        ('{"chatId": 100000001, "nickname": "a", "headCount": 1}', "1 headCount"),
        ('{"chatId": 100000001, "nickname": "a", "avatarUrl": "javascript:x"}', "1 avatarUrl"),
        ('{"chatId": 100000001, "nickname": "a", "featured": 2}', "1 featured"),
        ('{"chatId": 100000001, "nickname": "a", "introduction": "\\u0000"}', "1 introduction"),
        ('{"chatId": 100000001, "nickname": "%s"}' % ("x" * 65), "1 nickname"),
        ('{"chatId": 100000001, "nickname": ["a"]}', "1 nickname"),
        ('{"chatId": 100000001, "nickname": "a", "nickname": "b"}', "1 nickname"),
        ('{"chatId": 100000001, "nickname": "a", "headcount": NaN}', "1"),
        ('{"chatId": 100000001, "nickname": "\\ud800"}', "1 nickname"),
        ('{"chatId": 100000001, "nickname": "a", "avatarUrl": "http://a/\\ud800"}', "1 avatarUrl"),
        ('{"chatId": 100000001, "nickname": "a", "category": "\\ud800"}', "1 category"),
        ('{"chatId": 1' + "0" * 5000 + "}", "1"),
        (b'{"chatId": 100000001, "nickname": "a"}'.decode().encode("utf-16"), "1"),
    ],
)  # fmt: skip
def test_bad_objects_are_named(line: str | bytes, place: str) -> None:
    """Every bad line of JSON is named, and never causes an internal error."""
    status, _, problems = run("group", "import", written("g.jsonl", line))
    assert status == 1
    assert problems.splitlines()[0].startswith(f"第 1 行{place[1:]}：")
    assert listed() == []


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("chatId,name\n100000001,a\n", "1 name"),
        ("chatId,chatId,nickname\n1,1,a\n", "1 chatId"),
        (b"chatId,nickname\n100000001,\xce\xf7\xba\xfe\n", "2"),
        ('chatId,nickname\n100000001,"open\n', "2"),
        ('chatId,nickname\n100000001,"a"b\n', "2"),
        (HEAD + "100000001," + "x" * 200_000 + ",1,\n", "2"),
    ],
)
def test_bad_csv_is_named(text: str | bytes, place: str) -> None:
    """A wrong header row, an encoding other than UTF-8 and unclosed quotes are named."""
    status, _, problems = run("group", "import", written("g.csv", text))
    assert status == 1
    assert problems.splitlines()[0].startswith(f"第 {place[0]} 行{place[1:]}：")
    assert listed() == []


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_spreadsheets_and_pipes() -> None:
    """A byte order mark and CRLF are accepted; - reads standard input."""
    spreadsheet = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    status, told, _ = run("group", "import", "-", "--format", "csv", stdin=spreadsheet)
    assert (status, told.split("，")[0]) == (0, "已导入 2 个")
    status, _, problems = run("group", "import", "-")
    assert status == 2
    assert "--format" in problems


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_json_lines_with_a_mark() -> None:
    """A byte order mark before the first line is accepted; a second one is refused."""
    line = b'{"chatId": 100000001, "nickname": "a"}\n'
    mark = b"\xef\xbb\xbf"
    assert run("group", "import", written("g.jsonl", mark + line))[0] == 0
    status, _, problems = run("group", "import", written("g.jsonl", mark + line + mark + line))
    assert (status, problems.split("：")[0]) == (1, "第 2 行")


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(
    ("name", "text"),
    [("g.csv", ""), ("g.csv", HEAD), ("g.csv", HEAD + "\n\n"), ("g.jsonl", ""), ("g.jsonl", "\n")],
)
@pytest.mark.parametrize("command", ["group", "bot"])
def test_no_rows_are_no_import(command: str, name: str, text: str) -> None:
    """A file without rows is probably a mistake: it is reported, with status 1."""
    if command == "bot":
        text = text.replace(",category", "")
    status, told, problems = run(command, "import", written(name, text))
    assert (status, told) == (1, "")
    assert "没有可导入的行" in problems
    assert "未导入任何内容" in problems


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
def test_a_file_that_cannot_be_read_on() -> None:
    """A folder, or a file that fails while it is read, is reported, and nothing is stored."""
    Path("folder.csv").mkdir()
    for name in ("folder.csv", "/proc/self/mem"):
        for form in ("csv", "jsonl"):
            status, told, problems = run("group", "import", name, "--format", form)
            assert (status, told) == (1, "")
            assert "无法读取" in problems
    assert listed() == []


GBK = HEAD + "".join(f"{100_000_000 + n},西湖{n},5,地区\n" for n in range(300))


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(
    ("encoding", "name"), [("gbk", "GBK"), ("utf-16", "UTF-16"), ("utf-16-be", "UTF-16")]
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_another_encoding_is_named_once(encoding: str, name: str, form: str) -> None:
    """One message names the encoding and the remedy, instead of one for each row."""
    text = GBK if form == "csv" else '{"chatId": 100000001, "nickname": "西湖"}\n' * 300
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    status, told, problems = run(
        "group", "import", written(f"g.{form}", (mark + text).encode(encoding))
    )
    assert (status, told) == (1, "")
    first, summary = problems.splitlines()
    assert f"文件编码是 {name}" in first
    assert f"--encoding {encoding[:6].lower().removesuffix('-')}" in first
    assert summary.startswith("有 1 处错误")
    assert listed() == []


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize("encoding", ["gbk", "utf-16"])
def test_another_encoding_is_read_with_the_option(encoding: str) -> None:
    """A spreadsheet's encoding is read with --encoding; a wrong one is named."""
    name = written("g.csv", GBK.encode(encoding))
    assert run("group", "import", name, "--encoding", encoding)[0] == 0
    assert len(listed("--size", "100")) == 100
    assert listed("--keyword", "西湖299")[0]["nickname"] == "西湖299"
    bad = written("bad.csv", b"chatId,nickname\n100000001,\xff\xff\xff\n")
    status, _, problems = run("group", "import", bad, "--encoding", encoding)
    assert status == 1
    assert problems.splitlines()[-1].startswith("有 1 处错误") or "没有此列" in problems


@pytest.mark.usefixtures("_store")
def test_null_is_like_an_absent_key() -> None:
    """Exports write null for unset values; required values are still required (wire.md 4)."""
    line = '{"chatId": 100000001, "nickname": "a", "category": null, "introduction": null}\n'
    assert run("group", "import", written("g.jsonl", line))[0] == 0
    status, _, problems = run("group", "import", written("g.jsonl", '{"chatId": null}\n'))
    assert (status, "chatId" in problems) == (1, True)


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_gbk_has_the_characters_of_its_successor() -> None:
    """A file declared as GBK is read as GB 18030, which has more characters."""
    name = written("g.csv", (HEAD + "100000001,𠮷野,5,地区\n").encode("gb18030"))
    assert "--encoding gbk" in run("group", "import", name)[2]
    assert run("group", "import", name, "--encoding", "gbk")[0] == 0
    assert listed()[0]["nickname"] == "𠮷野"


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32-be"])
def test_text_without_a_mark_is_one_problem(encoding: str) -> None:
    """UTF-16 without a mark is refused as a whole, and none of it reaches the terminal."""
    problems = run("group", "import", written("g.csv", GBK.encode(encoding)))[2]
    assert "第 1 行：不是 UTF-8 文本" in problems
    assert (len(problems.splitlines()), "\0" in problems) == (2, False)


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_a_file_steers_no_terminal() -> None:
    """A column is named without terminal control characters."""
    problems = run("group", "import", written("g.csv", "chatId,\x1b[2Jname\n1,a\n"))[2]
    assert "[2Jname：没有此列" in problems
    assert "\x1b" not in problems


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_empty_rows_are_passed_over() -> None:
    """Spreadsheets leave such rows: commas or blanks, before the header and after the last row."""
    rows = "\n,,,\n" + HEAD + " \n,,,\n100000001,西湖,5,\n , ,,\n,,,\n"
    status, told, _ = run("group", "import", written("g.csv", rows))
    assert (status, told.split("，")[0]) == (0, "已导入 1 个")


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_a_problem_of_many_rows_is_reported_once() -> None:
    """The report has the first lines and the count; kinds that differ in each row are bounded."""
    rows = HEAD + "".join(f"{n},西湖,5,\n" for n in range(1000, 3000))
    status, _, problems = run("group", "import", written("g.csv", rows))
    assert status == 1
    first, summary = problems.splitlines()
    assert first.startswith("第 2、3、4、5、6 等 2000 行 chatId：")
    assert summary.startswith("有 2000 处错误")
    lines = "".join(
        json.dumps({"chatId": 100_000_000 + n, "nickname": "a", f"x{n}": 1}) + "\n"
        for n in range(500)
    )
    problems = run("group", "import", written("g.jsonl", lines))[2]
    assert len(problems.splitlines()) == 102


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_line_without_end_is_refused(form: str) -> None:
    """It is not read into memory: one problem names it (security X5)."""
    text = "chatId,nickname\n" if form == "csv" else ""
    status, _, problems = run(
        "group", "import", written(f"g.{form}", text + "x" * (5 * 1024 * 1024))
    )
    assert status == 1
    assert "此行过长" in problems
    assert len(problems) < 500


@pytest.mark.usefixtures("_store")
def test_bots_go_in_and_are_listed() -> None:
    """Bots have eight digits; a bot in wire format is accepted; invalid ones are named."""
    of_the_wire = (
        '{"chatId": "12345678", "chatType": "3", "headcount": "123", "nickname": "天气", '
        '"introduction": "", "introductions": "", "avatarUrl": "", "isAdd": 1, "isApply": 0, '
        '"alwaysAgree": 0}\n'
    )
    wrong = of_the_wire + of_the_wire + '{"chatId": 123456789, "nickname": "九位"}\n'
    status, _, problems = run("bot", "import", written("wrong.jsonl", wrong))
    assert status == 1
    assert [line.split("：")[0] for line in problems.splitlines()[:2]] == [
        "第 2 行 chatId",
        "第 3 行 chatId",
    ]
    assert json.loads(run("bot", "list", "--json")[1]) == []
    for _ in range(2):
        status, told, _ = run("bot", "import", written("b.jsonl", of_the_wire))
        assert (status, told) == (0, "已导入 1 个，现共 1 个\n")
    (bot,) = json.loads(run("bot", "list", "--json")[1])
    assert (bot["chatId"], bot["headcount"], bot["isAdd"]) == ("12345678", 123, 1)
    assert "天气" in run("bot", "list")[1]


@pytest.mark.usefixtures("_store")
def test_categories_are_set_in_their_order() -> None:
    """Groups get the configured categories; an empty list restores the initial ones."""
    assert run("category", "set", "同城", "精选") == (0, "同城\n精选\n", "")
    assert run("group", "import", written("g.csv", HEAD + "100000001,湖,1,同城\n"))[0] == 0
    assert run("group", "import", written("g.csv", HEAD + "100000001,湖,1,地区\n"))[0] == 1
    assert run("category", "set", "a", "a")[0] == 1
    status, told, _ = run("category", "set", "--json")
    assert (status, json.loads(told)[:3]) == (0, ["精选", "粉丝群", "地区"])


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "arguments",
    [["group", "list"], ["bot", "list"], ["category", "set"], ["group", "import", "g.csv"]],
)
def test_without_a_store_of_this_version(arguments: list[str]) -> None:
    """No store is created or migrated; a sentence says why, with status 1."""
    written("g.csv", GOOD)
    status, told, problems = run(*arguments)
    assert (status, told) == (1, "")
    assert "没有数据库" in problems
    assert not Path("data").exists()
    Path("data").mkdir()
    migrate_file(Path("data/hupan.db"), known=[])
    status, told, problems = run(*arguments)
    assert (status, told) == (1, "")
    assert "请先运行 hupan database migrate" in problems


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_a_file_that_is_not_there() -> None:
    """A missing file is reported."""
    status, _, problems = run("group", "import", "none.csv")
    assert (status, problems) == (
        1,
        "无法读取 none.csv：文件或目录不存在\n",
    )


@pytest.mark.one_engine
@pytest.mark.usefixtures("_store")
def test_a_terminal_shows_bars() -> None:
    """On a terminal both bars reach their end."""
    written("g.csv", GOOD)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "wb", buffering=0) as terminal, Path("out").open("wb") as out:
        streams = (None, out, terminal)
        variables = {"TERM": "xterm", "COLUMNS": "100"}
        command = ("group", "import", "g.csv")
        assert exit_status(*command, streams=streams, environment=variables) == 0
    seen = os.read(ours, 65_536).decode()
    os.close(ours)
    assert Path("out").read_text("utf-8").startswith("已导入 2")
    assert "索引" in seen
    assert seen.count("100%") >= 2
