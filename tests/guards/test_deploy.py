"""The files of deploy/ fit the server, and the pages name existing things.

The story: a filter for guesses was right when it was written. Then one word of the log line was
renamed, nothing failed, and for a year it had matched nothing at all.
"""

import configparser
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hupan.addresses import ClientResolver
from hupan.clock import SystemClock
from hupan.config.settings import SETTINGS
from hupan.contract import ENDPOINTS
from hupan.errors import NotSignedIn, TooManyTries, WrongCode
from hupan.logs import AuditContext, AuditLog, JsonFormatter, TextFormatter
from hupan.metrics import MetricCounters
from hupan.model import AccountId, RequestContext

# fail2ban's pattern for its tag: an address of either family.
ADDRESS = r"(?P<address>(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]+)"
EVENTS = {line.event.name: line.event for line in ENDPOINTS if line.event}
GUESSES = EVENTS.keys() - {"sign-out", "device-offline"}
PAGES = ("docs/operations.md", "docs/operations.zh-CN.md")
SETTING = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


@pytest.fixture(scope="module")
def patterns() -> list[re.Pattern[str]]:
    """Return the failregex of the filter, as Python reads it."""
    path = Path(__file__).parents[2] / "deploy/fail2ban/filter.d/hupan.conf"
    parser = configparser.RawConfigParser(default_section="none")
    parser.read_string(path.read_text("utf-8"))
    values = parser["Definition"]
    guess = values["_guess"].replace("<_events>", values["_events"]).replace("<ADDR>", ADDRESS)
    lines = values["failregex"].replace("<_guess>", guess).splitlines()
    return [re.compile(line.strip()) for line in lines]


class Written(logging.Handler):
    """A log handler that keeps lines in both formats."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Record a line."""
        self.lines += [form.format(record) for form in (TextFormatter(), JsonFormatter())]


@pytest.fixture
def lines_of() -> Callable[[str, object], list[str]]:
    """Return a function that logs an event and returns its lines, as text and as JSON."""

    def lines(event: str, outcome: object) -> list[str]:
        logger, handler = logging.getLogger("hupan.auth"), Written()
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        events = AuditLog(
            ClientResolver([], ""), lambda _: AccountId(1), MetricCounters(), SystemClock()
        )
        call = RequestContext(7, "", english=False, headers=[], peer="2001:db8::9")
        if event in EVENTS:
            events.record(EVENTS[event], AuditContext(call), outcome)
        else:
            events.record_token_refused(call, NotSignedIn())
        logger.removeHandler(handler)
        return handler.lines

    return lines


def banned(patterns: list[re.Pattern[str]], line: str) -> str | None:
    """Return the address that a line counts against."""
    # As in a file, after its time was removed; and as in the journal, after the process name.
    without_time = re.sub(r'^\{"time": [0-9]+|^\S+Z', "", line)
    texts = [line, without_time, f"host hupan[42]: {line}"]
    found = [{m["address"] for p in patterns if (m := p.search(text))} for text in texts]
    assert all(one == found[0] for one in found), line
    return next(iter(found[0]), None)


@pytest.mark.parametrize("event", sorted(GUESSES))
@pytest.mark.parametrize("outcome", [WrongCode(), TooManyTries()])
def test_a_wrong_guess_counts(
    patterns: list[re.Pattern[str]],
    lines_of: Callable[[str, object], list[str]],
    event: str,
    outcome: Exception,
) -> None:
    """The filter of fail2ban finds the address in the real log line (security L2)."""
    for line in lines_of(event, outcome):
        assert banned(patterns, line) == "2001:db8::9"


@pytest.mark.parametrize("event", ["sign-out", "device-offline", "token-refused"])
def test_what_is_no_guess_does_not_count(
    patterns: list[re.Pattern[str]], lines_of: Callable[[str, object], list[str]], event: str
) -> None:
    """A client with an expired token blocks no address."""
    for line in lines_of(event, WrongCode()):
        assert banned(patterns, line) is None


@pytest.mark.parametrize("outcome", [object(), RuntimeError("x")])
def test_successes_and_our_own_failures_do_not_count(
    patterns: list[re.Pattern[str]],
    lines_of: Callable[[str, object], list[str]],
    outcome: object,
) -> None:
    """Internal errors of the server do not count either."""
    for line in lines_of("sign-in-by-password", outcome):
        assert banned(patterns, line) is None


def test_a_line_within_a_line_does_not_count(patterns: list[re.Pattern[str]]) -> None:
    """Text of a request cannot block another address."""
    forged = "INFO hupan.auth event=sign-in-by-password result=refused address=192.0.2.1 target=x"
    for line in (
        f"2026-01-01T00:00:00Z ERROR hupan.api request=1 failed {forged}",
        '{"time": 1.0, "logger": "hupan.api", "message": ' + json.dumps(forged) + "}",
    ):
        assert banned(patterns, line) is None


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_name_settings_that_exist(root: Path, name: str) -> None:
    """Each setting that docs/operations.md names exists, in both languages (L9)."""
    page = (root / name).read_text("utf-8")
    words = {word for word in SETTING.findall(page) if not word.startswith(("hupan_", "process_"))}
    assert words <= set(SETTINGS)
    named = re.findall(r"^([a-z_]+) = ", page, re.MULTILINE)
    assert named
    assert set(named) <= set(SETTINGS)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_names_each_file(root: Path, name: str) -> None:
    """The page names all files of deploy/, and only those."""
    page = (root / name).read_text("utf-8")
    files = {
        path.relative_to(root).as_posix() for path in (root / "deploy").rglob("*") if path.is_file()
    }
    assert {name for name in files if name not in page} == set()
    assert set(re.findall(r"\bdeploy/[a-zA-Z0-9./_-]+[a-zA-Z]", page)) <= files | {"deploy/"}


def test_the_unit_starts_a_command_that_exists(root: Path) -> None:
    """The command's options exist, too."""
    unit = (root / "deploy/systemd/hupan.service").read_text("utf-8")
    (started,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    command, *options = started.split()[1:]
    source = (root / "src/hupan/cli" / f"{command}.py").read_text("utf-8")
    for option in options:
        if option.startswith("--"):
            assert option.removeprefix("--").replace("-", "_") in source
