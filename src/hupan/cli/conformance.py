"""`hupan conformance`: checks a server against the wire rules from outside."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn, TypeAlias

import typer

from hupan.cli.language import ENGLISH, say, say_text
from hupan.cli.output import print_json
from hupan.cli.run import JsonOption
from hupan.conformance.checks import RULES_PAGE, Level, Outcome, run_checks
from hupan.conformance.report import BadBaseline, new_failures, read_baseline, to_json, to_junit
from hupan.conformance.suite import ALL_CHECKS
from hupan.conformance.target import BadTarget, Unreachable, Wire, parse_target, reach
from hupan.conformance.world import Supplies, World

_MAX_SECONDS = 60.0
_CANNOT_RUN = 2
app = typer.Typer(add_completion=False, rich_markup_mode=None)
UrlArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help=say("自己的服务器或沙盒的地址。", "Address of your own server or sandbox."),
        show_default=False,
    ),
]
CaFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=say("另外信任的证书（PEM）。", "Certificates to trust as well (PEM)."),
        show_default=False,
    ),
]

JunitOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=say("同时写出 JUnit XML。", "Also write JUnit XML."),
        show_default=False,
    ),
]
BaselineOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=say(
            "以前 --json 的输出；只有新出现的不符才算失败。",
            "Output of an earlier --json; only new failures count.",
        ),
        show_default=False,
    ),
]
CodeCommandOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="COMMAND",
        help=say(
            "输出验证码的命令；参数为 sms、email 或 captcha，以及号码、邮箱或编号；"
            "图形验证码的图片由标准输入传入。",
            "Command that prints a code. Its arguments are sms, email or captcha and the "
            "number, address or id; a captcha's picture is on standard input.",
        ),
        show_default=False,
    ),
]
PhoneOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NUMBER",
        help=say("自己的手机号，可多次使用。", "Phone number that you own; repeatable."),
        show_default=False,
    ),
]
EmailOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS",
        help=say("自己的邮箱，可多次使用。", "E-mail address that you own; repeatable."),
        show_default=False,
    ),
]


@app.command(
    help=say(
        "从外部检查服务器是否遵守协议。沙盒无需其他选项；其他服务器需要 --code-command、--phone 与 "
        "--email。拒绝访问公共服务。退出状态：0 必须项全部通过，1 有不符，2 有未能检查的。",
        "Check a server against the protocol, from outside. A sandbox needs no options; another "
        "server needs --code-command, --phone and --email. The public service is refused. Exit "
        "status: 0 if every requirement is met, 1 if one is not, 2 if one could not be checked.",
    ),
    short_help=say("检查服务器是否遵守协议", "Check a server against the protocol"),
)
def conformance(
    url: UrlArgument = "http://127.0.0.1:8480",
    *,
    as_json: JsonOption = False,
    junit: JunitOption = None,
    baseline: BaselineOption = None,
    code_command: CodeCommandOption = "",
    phone: PhoneOption = None,
    email: EmailOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Run all checks; exit with 1 when a must fails."""
    try:
        known = read_baseline(baseline.read_bytes()) if baseline else None
        target = parse_target(url)
        wire = Wire(target, str(ca_file or ""), time.monotonic() + _MAX_SECONDS)
        reach(wire)
    except (BadBaseline, BadTarget, Unreachable) as error:
        _cannot_run(say_text(error.localized))
    supplies = Supplies(code_command, [*(phone or [])], [*(email or [])])
    outcomes = run_checks(World(wire, supplies), ALL_CHECKS)
    if junit:
        junit.write_bytes(to_junit(target.url, outcomes, english=ENGLISH))
    if as_json:
        print_json(to_json(target.url, outcomes))
    else:
        _print_outcomes(outcomes)
    fresh = None if known is None else new_failures(outcomes, known)
    if fresh is not None and not as_json:
        _print_fresh(fresh)
    raise typer.Exit(_exit_status(outcomes, fresh))


def _cannot_run(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(_CANNOT_RUN)


def _exit_status(outcomes: Sequence[Outcome], fresh: Sequence[Outcome] | None) -> int:
    musts = [outcome for outcome in outcomes if outcome.check.level == "must"]
    failed = [one for one in musts if one.status == "failed"] if fresh is None else fresh
    if failed:
        return 1
    return _CANNOT_RUN if any(one.status == "skipped" for one in musts) else 0


_MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}
_HEADINGS: dict[Level, str] = {
    "must": say("必须", "must"),
    "should": say("应当", "should"),
    "known": say("已知差异", "known difference"),
}


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print the groups: what passed as one line, everything else with its rule."""
    for level, heading in _HEADINGS.items():
        group = [outcome for outcome in outcomes if outcome.check.level == level]
        passed = sum(outcome.status == "passed" for outcome in group)
        counts = say(f"{passed}/{len(group)} 项相符", f"{passed} of {len(group)} met")
        typer.echo(f"{heading}  {counts}")
        for outcome in group:
            if outcome.status != "passed":
                _print_outcome(outcome)


def _print_outcome(outcome: Outcome) -> None:
    title = say_text(outcome.check.title)
    typer.echo(f"  {_MARKS[outcome.status]} {outcome.check.id}  {title}  [{outcome.check.rule}]")
    if outcome.status == "skipped":
        reason = say_text(outcome.reason)
        typer.echo(say(f"      未检查：{reason}", f"      not checked: {reason}"))
    for problem in outcome.problems:
        typer.echo(
            say(
                f"      {problem.key}：应为 {problem.expected}，实为 {problem.got}",
                f"      {problem.key}: expected {problem.expected}, got {problem.got}",
            )
        )
    if outcome.problems:
        typer.echo(say(f"      规则：{RULES_PAGE}", f"      the rule: {RULES_PAGE}"))


def _print_fresh(fresh: Sequence[Outcome]) -> None:
    names = say("、", ", ").join(outcome.check.id for outcome in fresh)
    if fresh:
        typer.echo(say(f"与基线相比新的不符：{names}", f"new compared with the baseline: {names}"))
    else:
        typer.echo(say("与基线相比没有新的不符", "nothing new compared with the baseline"))
