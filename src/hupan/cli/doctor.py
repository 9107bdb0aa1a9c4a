"""`hupan doctor`: reports why clients do not work with a server, and what to do."""

import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hupan import __version__
from hupan.cli.conformance import CaFileOption
from hupan.cli.language import say, say_text
from hupan.cli.output import print_json
from hupan.cli.run import ConfigOption, JsonOption
from hupan.conformance.target import BadTarget, OutOfTime, Unreachable, Wire, parse_target, reach
from hupan.doctor.checks import Finding, examine_server
from hupan.doctor.local import examine_settings

_MAX_SECONDS = 60.0
_MARKS = {"ok": "✓", "failed": "✗", "skipped": "–"}
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help=say(
        "检查设置与正在运行的服务器（含前置代理），并说明每个问题的原因与解决办法。拒绝访问公共服务。"
        "有问题时退出状态为 1。",
        "Check the settings, and a running server with the proxy in front of it; print the cause "
        "of each problem and how to fix it. The public service is refused. The exit status is 1 "
        "if there is a problem.",
    ),
    short_help=say("诊断服务器", "Diagnose a server"),
)
def doctor(
    url: Annotated[
        str,
        typer.Argument(
            metavar="[URL]",
            help=say(
                "服务器的地址；省略则只检查设置。",
                "Address of the server; without it, only the settings are checked.",
            ),
            show_default=False,
        ),
    ] = "",
    *,
    as_json: JsonOption = False,
    report: Annotated[
        bool,
        typer.Option(
            "--report",
            help=say(
                "输出可附在问题反馈中的报告，不含机密。",
                "Print a report for a bug report; it contains no secrets.",
            ),
        ),
    ] = False,
    ca_file: CaFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Run all checks; exit with 1 when one fails."""
    wire = _reach_or_exit(url, ca_file) if url else None
    findings = examine_settings(config)
    if wire is not None:
        findings += examine_server(wire)
    if as_json:
        print_json([_to_json(finding) for finding in findings])
    elif report:
        _print_report(findings)
    else:
        for finding in findings:
            _print_finding(finding)
    raise typer.Exit(any(finding.status == "failed" for finding in findings))


def _reach_or_exit(url: str, ca_file: Path | None) -> Wire:
    """Return the way to a server; the checks find out whether it answers."""
    try:
        wire = Wire(parse_target(url), str(ca_file or ""), time.monotonic() + _MAX_SECONDS)
        with suppress(Unreachable):
            reach(wire)
    except BadTarget as error:
        typer.echo(say_text(error.localized), err=True)
        raise typer.Exit(2) from error
    return wire


def _to_json(finding: Finding) -> dict[str, str]:
    advice = finding.advice
    return {
        "id": finding.id,
        "status": finding.status,
        "title": say_text(advice.title),
        "detail": finding.detail,
        "cause": say_text(advice.cause),
        "fix": say_text(advice.fix),
        "link": advice.page,
    }


def _print_finding(finding: Finding) -> None:
    advice = finding.advice
    detail = f"  {finding.detail}" if finding.detail and finding.status == "ok" else ""
    if finding.detail and finding.status == "skipped":
        detail = f"  {say_text(OutOfTime().localized)}"
    typer.echo(f"{_MARKS[finding.status]} {finding.id}  {say_text(advice.title)}{detail}")
    if finding.status == "failed":
        if finding.detail:  # often the words of a library, in English
            typer.echo(f"    {finding.detail}")
        cause, fix = say_text(advice.cause), say_text(advice.fix)
        typer.echo(say(f"    可能的原因：{cause}", f"    likely cause: {cause}"))
        typer.echo(say(f"    解决办法：{fix}", f"    what helps: {fix}"))
        chinese_page = advice.page.removesuffix(".md") + ".zh-CN.md"
        typer.echo(say(f"    详见 {chinese_page}", f"    see {advice.page}"))


def _print_report(findings: Sequence[Finding]) -> None:
    """Print only versions and results: details may name hosts and files."""
    system = f"{platform.system()} {platform.machine()}"
    typer.echo(f"hupan {__version__} (Python {platform.python_version()}, {system})")
    for finding in findings:
        typer.echo(f"{finding.status:8}{finding.id}")
