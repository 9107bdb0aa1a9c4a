"""`hupan connect`: points the host names built into clients to a sandbox on this machine."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from hupan.admin.views import sanitize_for_terminal
from hupan.cli.language import pad_cells, say, say_text
from hupan.cli.output import print_json
from hupan.cli.run import JsonOption
from hupan.connect.authority import Authority
from hupan.connect.files import ConnectRefused
from hupan.connect.installation import check_rights, install
from hupan.connect.names import KNOWN_NAMES, is_loopback_address
from hupan.connect.plan import Places, State, Step, find_places, survey
from hupan.connect.record import PARTS, Part
from hupan.connect.undo import undo
from hupan.connect.user import default_folder, find_user

_HTTPS = 443
_STATE_WIDTH, _PART_WIDTH = 10, 19
_PARTS: Final[Mapping[Part, str]] = {
    "hosts": say("hosts 文件", "hosts file"),
    "system": say("系统证书", "system certificates"),
    "browsers": say("浏览器", "browser"),
    "java": say("Java", "Java"),
}
_STATES: Final[Mapping[State, str]] = {
    "missing": say("将改动", "to change"),
    "present": say("已就绪", "ready"),
    "skipped": say("不改动", "unchanged"),
}
app = typer.Typer(add_completion=False, rich_markup_mode=None)
OnlyOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="|".join(PARTS),
        help=say("只改动这一类，可多次使用。", "Change only this kind; repeatable."),
        show_default=False,
    ),
]
AddressOption: TypeAlias = Annotated[
    str, typer.Option(help=say("沙盒的本机地址。", "Loopback address of the sandbox."))
]
HostsFileOption: TypeAlias = Annotated[
    Path, typer.Option(metavar="FILE", help=say("hosts 文件。", "The hosts file."))
]
AuthorityOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--authority",
        metavar="FOLDER",
        help=say("证书与备份的目录。", "Folder of the certificates and backups."),
        show_default=False,
    ),
]


@app.command(
    help=say(
        "将客户端内置的域名指向本机沙盒：写入 hosts 文件，"
        "并让系统、浏览器与 Java 信任本机的证书。"
        "不带选项时只显示将做什么。--undo 逐字节恢复原状。",
        "Point the host names built into clients at a sandbox on this machine: add lines to the "
        "hosts file, and make the system, browsers and Java trust a certificate of this machine. "
        "Without options, only show what would be done. --undo restores everything byte by byte.",
    ),
    short_help=say("让客户端连接沙盒", "Point clients at a sandbox"),
)
def connect(
    *,
    installs: Annotated[
        bool,
        typer.Option(
            "--install", help=say("先显示改动，再执行。", "Show the changes, then make them.")
        ),
    ] = False,
    undoes: Annotated[
        bool, typer.Option("--undo", help=say("恢复原状。", "Restore everything."))
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help=say("不提问。", "Do not ask."))] = False,
    only: OnlyOption = None,
    address: AddressOption = "127.0.0.1",
    hosts_file: HostsFileOption = Path("/etc/hosts"),
    folder: AuthorityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show, install or undo; exit with 1 when it is refused."""
    _check_options(address, installs=installs, undoes=undoes, yes=yes, as_json=as_json)
    user = find_user(os.environ)
    authority = Authority((folder or default_folder(user, os.environ)).absolute())
    places = find_places(user, authority, hosts_file.absolute(), os.environ)
    with _exit_when_refused():
        parts = _choose_parts(only or [])
        if undoes:
            _undo(places, parts, as_json=as_json)
            return
        steps = survey(places, address, parts)
        if not installs:
            _show(places, address, steps, "planned", as_json=as_json)
        elif all(step.state != "missing" for step in steps):
            _show(places, address, steps, "unchanged", as_json=as_json)
        else:
            check_rights(places, steps, _repeated_command(authority.folder))
            if not as_json:
                _print_steps(places, steps)
            if not yes:
                _confirm()
            done = install(places, address, parts)
            state = "installed" if done.is_changed else "unchanged"
            _show(places, address, done.steps, state, as_json=as_json)


def _check_options(address: str, *, installs: bool, undoes: bool, yes: bool, as_json: bool) -> None:
    if installs and undoes:
        raise typer.BadParameter(
            say("--install 与 --undo 只能选一个", "--install and --undo exclude each other")
        )
    if installs and as_json and not yes:
        raise typer.BadParameter(
            say("--json 不提问：请加 --yes", "--json does not ask: add --yes"),
            param_hint="--json",
        )
    if not is_loopback_address(address):
        raise typer.BadParameter(
            say(
                f"应为本机地址，如 127.0.0.1：{address!a}",
                f"expected a loopback address such as 127.0.0.1: {address!a}",
            ),
            param_hint="--address",
        )


def _choose_parts(only: Sequence[str]) -> list[Part]:
    if unknown := sorted({*only} - {*PARTS}):
        listed = ", ".join(PARTS)
        raise typer.BadParameter(
            say(f"{unknown[0]!a} 应为 {listed} 之一", f"{unknown[0]!a} is not one of {listed}"),
            param_hint="--only",
        )
    return [part for part in PARTS if not only or part in only]


@contextmanager
def _exit_when_refused() -> Iterator[None]:
    try:
        yield
    except ConnectRefused as error:
        typer.echo(say_text(error.localized), err=True)
        raise typer.Exit(1) from error


def _repeated_command(folder: Path) -> list[str]:
    """Return this command as sudo can find it, with the folder of this user."""
    program = Path(sys.argv[0]).absolute()
    options = [word for word in sys.argv[1:] if word != str(program)]
    if not any(word.partition("=")[0] == "--authority" for word in options):
        options += ["--authority", str(folder)]
    return [str(program), *options]


def _confirm() -> None:
    question = say("现在执行？", "Make these changes now?")
    try:
        is_wanted = typer.confirm(question)
    except typer.Abort:
        is_wanted = False
    if not is_wanted:
        typer.echo(
            say("未作任何改动；程序请用 --yes", "nothing was changed; scripts use --yes"), err=True
        )
        raise typer.Exit(1)


def _undo(places: Places, parts: Sequence[Part], *, as_json: bool) -> None:
    undone = undo(places, parts)
    if as_json:
        print_json(
            {
                "state": "unchanged" if undone is None else "undone",
                "restored": [str(path) for path in undone.restored] if undone else [],
                "notes": [say_text(text) for text in undone.notes] if undone else [],
                "failures": [say_text(text) for text in undone.failures] if undone else [],
            }
        )
    elif undone is None:
        typer.echo(say("没有需要恢复的内容", "there is nothing to undo"))
    else:
        for path in undone.restored:
            typer.echo(say(f"已恢复 {path}", f"restored {path}"))
        for text in undone.notes:
            typer.echo(f"⚠ {say_text(text)}")
        for text in undone.failures:
            typer.echo(say(f"未能恢复 {say_text(text)}", f"not undone: {say_text(text)}"), err=True)
    if undone is not None and undone.failures:
        raise typer.Exit(1)


def _variables(places: Places, steps: Sequence[Step]) -> dict[str, str]:
    """Return the settings of runtimes with separate roots."""
    has_bundle = any(step.part == "system" and step.state != "skipped" for step in steps)
    path = places.system.bundle if places.system and has_bundle else places.authority.certificate
    bundle = str(path)
    return {
        "NODE_EXTRA_CA_CERTS": str(places.authority.certificate),
        "REQUESTS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
    }


def _next_command(address: str) -> str:
    host = "" if address == "127.0.0.1" else f" --tls-host {address}"
    return f"hupan sandbox --tls{host} --tls-port {_HTTPS}"


def _show(
    places: Places, address: str, steps: Sequence[Step], state: str, *, as_json: bool
) -> None:
    if as_json:
        print_json(
            {
                "state": state,
                "address": address,
                "names": list(KNOWN_NAMES),
                "authority": str(places.authority.certificate),
                "steps": [_to_json(step) for step in steps],
                "variables": _variables(places, steps),
                "next": _next_command(address),
            }
        )
        return
    if state == "installed":
        for step in steps:
            _print_step(step)
    else:
        _print_steps(places, steps)
    if state == "planned":
        typer.echo(
            say(
                "未作任何改动；hupan connect --install 执行以上操作",
                "nothing was changed; hupan connect --install makes these changes",
            )
        )
    else:
        typer.echo(
            say(
                "OK 已就绪；hupan connect --undo 恢复原状",
                "OK done; hupan connect --undo restores everything",
            )
        )
    typer.echo(say(f"然后启动：{_next_command(address)}", f"then start: {_next_command(address)}"))


def _to_json(step: Step) -> dict[str, str]:
    reason = say_text(step.reason) if step.reason else ""
    return {"part": step.part, "path": str(step.path), "state": step.state, "reason": reason}


def _print_steps(places: Places, steps: Sequence[Step]) -> None:
    names = ", ".join(KNOWN_NAMES)
    typer.echo(say(f"域名：{names}", f"names: {names}"))
    certificate = places.authority.certificate
    typer.echo(say(f"证书：{certificate}", f"certificate: {certificate}"))
    for step in steps:
        _print_step(step)
    typer.echo(
        say(
            "以下运行环境自带根证书，需由您自行设置：",
            "these runtimes have roots of their own and need to be told by you:",
        )
    )
    for name, value in _variables(places, steps).items():
        typer.echo(f"    export {name}={value}")


def _print_step(step: Step) -> None:
    lines = say_text(step.reason).split("\n") if step.reason else []
    reason = "\n      ".join(map(sanitize_for_terminal, lines))
    state = pad_cells(_STATES[step.state], _STATE_WIDTH)
    path = sanitize_for_terminal(str(step.path))
    part = pad_cells(_PARTS[step.part], _PART_WIDTH)
    typer.echo(f"  {state}  {part}  {path}  {reason}".rstrip())
