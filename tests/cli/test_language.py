"""Every line of the terminal is in one language, and how it is chosen."""

import ast
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer._click.core import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from hupan.cli.language import cell_width, choose_english
from hupan.cli.main import app
from tests.support.commands import run_all, run_hupan

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

SOURCE = Path(__file__).parents[2] / "src" / "hupan"
HUPAN = Path(sys.executable).with_name("hupan")
CJK = re.compile("[\u4e00-\u9fff]")
ENGLISH_WORDS = re.compile(r"\b[a-z]{2,}(?: [a-z]{2,}){2,}")
"""Three consecutive words, which no name, option or command has."""
PROPER_NAMES = re.compile(r"精选|hupan(?: [a-z-]+)+")
"""A category with the same name in every language, and commands."""
BILINGUAL = re.compile("[\u4e00-\u9fff）”。]\\s+/\\s+[A-Za-z{'\"]")
WIDTH = 80


def words_of(command: TyperCommand | TyperGroup) -> Iterator[tuple[str, ...]]:
    """Yield the words that call a command, and those of the commands below it."""
    yield ()
    if isinstance(command, TyperGroup):
        for name in command.list_commands(Context(command)):
            below = command.get_command(Context(command), name)
            assert isinstance(below, TyperCommand | TyperGroup)
            yield from ((name, *words) for words in words_of(below))


def help_of_all(language: str) -> dict[str, str]:
    """Return the output of `--help` for each command."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    found = [*words_of(root)]
    cases = [((*words, "--help"), dict[str, str]()) for words in found]
    shown = run_all(cases, {"HUPAN_LANG": language, "COLUMNS": str(WIDTH)})
    assert {status for status, _, _ in shown} == {0}
    return {" ".join(words): out for words, (_, out, _) in zip(found, shown, strict=True)}


@pytest.fixture(scope="module", params=["zh", "en"])
def shown(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """Return a language with the help of every command."""
    return request.param, help_of_all(request.param)


def test_the_help_of_every_command_is_in_one_language(shown: tuple[str, dict[str, str]]) -> None:
    """Chinese help has no English sentence, and English help no Chinese word but proper names."""
    language, texts = shown
    assert len(texts) > 40
    for command, text in texts.items():
        assert text.startswith({"zh": "用法：", "en": "Usage: "}[language]), command
        assert all(cell_width(line) <= WIDTH for line in text.splitlines()), (command, text)
        for line in PROPER_NAMES.sub("", text).splitlines():
            if language == "en":
                assert not CJK.search(line), (command, line)
            elif CJK.search(line):
                assert not ENGLISH_WORDS.search(line), (command, line)
        if language == "zh":
            assert CJK.search(text.split("\n\n")[1]), (command, text)


def test_no_text_of_the_program_holds_both_languages() -> None:
    """A message has one text for each language; no text joins two with a slash."""
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}: {node.value}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if BILINGUAL.search(node.value) or re.search("[\u4e00-\u9fff] / $", node.value)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("arguments", "environment", "encoding", "english"),
    [
        ([], {}, "utf-8", False),
        ([], {}, "gb18030", False),
        ([], {}, "ascii", True),
        ([], {"LANG": "C.UTF-8"}, "utf-8", False),
        ([], {"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, "utf-8", True),
        ([], {"LANG": "de_DE.UTF-8"}, "utf-8", True),
        ([], {"LANG": "zh_TW.UTF-8"}, "utf-8", False),
        ([], {"LC_MESSAGES": "en_GB", "LANG": "zh_CN"}, "utf-8", True),
        ([], {"LC_ALL": "zh_CN.GB18030", "LC_MESSAGES": "en"}, "gb18030", False),
        # Big5 and ASCII lack the characters of the texts.
        ([], {"LANG": "zh_TW.Big5"}, "big5", True),
        ([], {"LANG": "zh_CN.UTF-8"}, "ascii", True),
        (["--lang", "zh"], {}, "ascii", False),
        ([], {"HUPAN_LANG": "zh", "LC_ALL": "en_US.UTF-8"}, "ascii", False),
        (["--lang", "en"], {"HUPAN_LANG": "zh"}, "utf-8", True),
        (["--lang=zh", "config"], {"HUPAN_LANG": "en"}, "ascii", False),
        (["config", "--lang", "en"], {}, "utf-8", True),
        (["config", "show", "--lang=en", "--json"], {}, "utf-8", True),
        (["--lang", "en", "config", "--lang", "zh"], {}, "utf-8", False),
        (["sandbox", "run", "--", "bot", "--lang", "en"], {}, "utf-8", False),
        (["--lang"], {}, "utf-8", False),
    ],
)
def test_how_the_language_is_chosen(
    arguments: list[str], environment: dict[str, str], encoding: str, english: bool
) -> None:
    """The option, then HUPAN_LANG, then the locale; Chinese where the terminal can show it."""
    assert choose_english(arguments, environment, encoding) == english


@pytest.mark.parametrize(
    ("language", "said"), [("zh", "没有数据库"), ("en", "there is no store: ")]
)
def test_refusals_are_in_one_language(language: str, said: str, tmp_path: Path) -> None:
    """This includes errors of the lower layers."""
    done = subprocess.run(  # noqa: S603 # our own program, our own arguments
        [HUPAN, "--lang", language, "account", "list", "--data-dir", tmp_path / "none"],
        env={name: value for name, value in os.environ.items() if name != "HUPAN_DATABASE"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
    assert bool(CJK.search(done.stderr)) == (language == "zh")


@pytest.mark.parametrize("arguments", [["--lang", "fr", "version"], ["version", "--lang"]])
def test_a_language_that_is_not_spoken_is_refused(arguments: list[str]) -> None:
    """Only two languages are accepted."""
    done = subprocess.run(  # noqa: S603 # our own program, our own arguments
        [HUPAN, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "--lang" in done.stderr


def test_the_language_may_stand_after_the_command() -> None:
    """The option may follow the command; a program that it starts keeps its own option."""
    done = subprocess.run(  # noqa: S603 # our own program, our own arguments
        [HUPAN, "account", "--lang", "en", "list", "--help"],
        env={**os.environ, "HUPAN_LANG": "zh"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("Usage: hupan account list")


COMPLETED = {
    "hupan dat": "hupan database",
    "hupan account sessio": "hupan account sessions",
    "hupan account list --cance": "hupan account list --cancelled",
}


@pytest.mark.parametrize("typed", COMPLETED)
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_given_what_completes(shell: str, typed: str) -> None:
    """The output matches what the scripts of `--show-completion` ask for, without the shells."""
    asked = {
        "_HUPAN_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": typed,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = run_hupan(environment=asked)
    assert done.returncode == 0
    word = COMPLETED[typed].split()[-1]
    assert re.findall(r"[a-z-]{4,}", done.stdout.replace("_arguments", ""))[0] == word


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="needs bash")
@pytest.mark.parametrize("typed", COMPLETED)
def test_bash_completes_commands_and_options(typed: str, tmp_path: Path) -> None:
    """A real bash completes with the tab key and the output of `--show-completion bash`."""
    script = tmp_path / "completion.sh"
    environment = {**os.environ, "PATH": f"{HUPAN.parent}:{os.environ['PATH']}"}
    without_detection = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    shown = run_hupan("--show-completion", "bash", environment=without_detection)
    script.write_text(shown.stdout, "utf-8")
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # bash, our own arguments
        ["/bin/bash", "--noprofile", "--norc", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "PS1": "$ ", "TERM": "dumb"},
        start_new_session=True,
    ) as shell:
        os.close(theirs)
        os.write(ours, f"bind 'set bell-style none'; source '{script}'\n".encode())
        os.write(ours, f"{typed}\t".encode())
        seen = ""
        while COMPLETED[typed] not in seen:
            chunk = os.read(ours, 4096).decode(errors="replace")
            assert chunk, seen
            seen += chunk
        shell.kill()
    os.close(ours)
