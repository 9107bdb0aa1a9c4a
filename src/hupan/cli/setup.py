"""`hupan setup`: the first configuration, asked interactively or set by options."""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from hupan.admin.config_check import InvalidAddress, parse_address, send_trial_message
from hupan.admin.setup import (
    FRONTS,
    QUESTIONS,
    SYSTEM_CONFIG,
    SYSTEM_DATA_DIR,
    Question,
    ServiceAccount,
    check_is_unused,
    drop_incomplete_senders,
    find_service_account,
    format_config,
    make_data_folder,
    make_front,
    make_unit,
    network_answers,
    parse_answer,
    publish_draft,
    write_draft,
)
from hupan.cli.language import say, say_text
from hupan.cli.output import exit_on_error
from hupan.cli.run import load_startable_settings_or_exit
from hupan.config import Settings
from hupan.config.load import ENVIRONMENT_PREFIX
from hupan.config.settings import SETTINGS
from hupan.model import Channel

_ROOT_USER_ID: Final = 0
_CONTAINER_VARIABLE: Final = "container"
"""Set in containers, by systemd's convention; the image sets it, too."""
_SENDER_NAMES: Final[Mapping[Channel, str]] = {"email": "email_sender", "sms": "sms_sender"}

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    "setup",
    help=say(
        "首次配置：逐项提问（直接回车即用默认值），写入配置文件，并显示适用的 systemd 单元与"
        "前置代理配置。\n\n已有设置的配置文件不会被覆盖。密码与密钥从环境变量 HUPAN_*、"
        "由 --set NAME_file=文件 指定的文件或不回显的输入读取，不能写在命令行中。",
        "Write the first configuration: ask for each value (an empty answer takes the default), "
        "write the file, and show a matching systemd unit and proxy configuration.\n\n"
        "A file that has settings is never overwritten. Passwords and keys come from environment "
        "variables HUPAN_*, from a file named by --set NAME_file=FILE, or from hidden input, "
        "never from the command line.",
    ),
    short_help=say("首次配置", "Write the first configuration"),
)
def setup(
    *,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=say("要写入的配置文件。", "The file to write.")),
    ] = None,
    host_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=say("客户端访问的主机名。", "Host name at which clients reach the server."),
        ),
    ] = None,
    front: Annotated[
        Literal["none", "nginx", "caddy"] | None,
        typer.Option(help=say("前置代理。", "The proxy in front.")),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help=say("一项设置的值，可多次使用。", "Value of a setting; repeatable."),
        ),
    ] = None,
    test_sms: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help=say("发送一条测试短信。", "Number for a test SMS.")),
    ] = None,
    test_email: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help=say("发送一封测试邮件。", "Address for a test e-mail.")
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help=say("不提问，一律采用默认值。", "Use the defaults without asking.")
        ),
    ] = False,
) -> None:
    """Ask, write, check and show."""
    account = find_service_account()
    path = (config or _default_config()).absolute()
    answers = _parse_values(values or [])
    with exit_on_error():
        check_is_unused(path)
        data_dir = _ask_data_dir(answers, is_asking=not yes)
        host, proxy = _ask_network(answers, host_name, front, is_asking=not yes)
        _ask_all(answers, is_asking=not yes)
        _report_incomplete(drop_incomplete_senders(answers))
        settings = _write(path, answers, data_dir, account)
    _report_file(path, data_dir)
    _warn_of_container(settings, proxy)
    asked: dict[Channel, str | None] = {"email": test_email, "sms": test_sms}
    tests = [_send_test(settings, channel, asked[channel], is_asking=not yes) for channel in asked]
    _show_files(path, data_dir, account, proxy, host)
    if not all(tests):
        raise typer.Exit(1)


def _default_config() -> Path:
    return SYSTEM_CONFIG if os.geteuid() == _ROOT_USER_ID else Path("hupan.toml")


def _parse_values(values: list[str]) -> dict[str, object]:
    """Return the settings of `--set`."""
    answers: dict[str, object] = {}
    files = {setting.secret_file_name for setting in SETTINGS.values()} - {None}
    for text in values:
        name, equals, raw = text.partition("=")
        if name in files and equals:
            answers[name] = str(Path(raw).absolute())
            continue
        if name not in SETTINGS or not equals:
            message = say(
                "应为 NAME=VALUE，NAME 为已有的设置名",
                "expected NAME=VALUE, where NAME is a setting",
            )
            raise typer.BadParameter(message, param_hint="--set")
        if SETTINGS[name].secret:
            message = say(
                f"{name} 是机密，命令行会被其他用户看到：请用 {name}_file=文件 或环境变量",
                f"{name} is a secret, and other users can see the command line: use "
                f"{name}_file=FILE or the environment",
            )
            raise typer.BadParameter(message, param_hint="--set")
        try:
            answers[name] = parse_answer(name, raw)
        except ValueError as error:
            raise typer.BadParameter(_expected(name), param_hint=f"--set {name}") from error
    return answers


def _expected(name: str) -> str:
    expected = say_text(SETTINGS[name].expected)
    return say(f"应为{expected}", f"expected {expected}")


def _prompt(text: str, default: str, *, is_hidden: bool = False) -> str:
    shows_default = bool(default) and not is_hidden
    answer: str = typer.prompt(
        text, default=default, show_default=shows_default, hide_input=is_hidden
    )
    return answer.strip()


def _ask_valid(question: Question, default: str) -> object:
    """Ask until the answer is valid."""
    while True:
        raw = _prompt(say_text(question.text), default, is_hidden=question.is_secret)
        if not raw and not default:
            return SETTINGS[question.name].default
        try:
            return parse_answer(question.name, raw)
        except ValueError:
            typer.echo(_expected(question.name), err=True)


def _ask_data_dir(answers: dict[str, object], *, is_asking: bool) -> Path:
    is_root = os.geteuid() == _ROOT_USER_ID
    default = str(SYSTEM_DATA_DIR if is_root else Path("data").absolute())
    if "data_dir" not in answers:
        # The server would take it from there, regardless of the file.
        given = os.environ.get(f"{ENVIRONMENT_PREFIX}DATA_DIR", "")
        is_open = is_asking and not given
        raw = _prompt(say("数据目录", "Data directory"), default) if is_open else given or default
        answers["data_dir"] = raw
    folder = Path(str(answers.pop("data_dir"))).absolute()
    others = dict(answers)
    answers.clear()
    answers.update({"data_dir": str(folder), **others})
    return folder


def _ask_network(
    answers: dict[str, object], host_name: str | None, front: str | None, *, is_asking: bool
) -> tuple[str, str]:
    """Return host name and front, and add their settings."""
    while True:
        host = host_name
        if host is None:
            text = say(
                "客户端访问的主机名，留空则仅限本机",
                "Host name at which clients reach the server, empty for this machine only",
            )
            host = _prompt(text, "") if is_asking else ""
        try:
            network_answers(host, "none")
            break
        except ValueError as error:
            message = say("应为主机名，如 chat.example.com", "expected a name: chat.example.com")
            if host_name is not None:
                raise typer.BadParameter(message, param_hint="--host-name") from error
            typer.echo(message, err=True)
    default = "nginx" if host else "none"
    proxy = front or ""
    while proxy not in FRONTS:
        text = say("前置代理（none、nginx、caddy）", "Proxy in front (none, nginx, caddy)")
        proxy = _prompt(text, default) if is_asking else default
    for name, value in network_answers(host, proxy).items():
        answers.setdefault(name, value)
    return host, proxy


def _ask_all(answers: dict[str, object], *, is_asking: bool) -> None:
    for question in QUESTIONS:
        name = question.name
        if name in answers or f"{name}_file" in answers or not question.applies_to(answers):
            continue
        given = os.environ.get(f"{ENVIRONMENT_PREFIX}{name.upper()}", "")
        if given:
            try:
                answers[name] = parse_answer(name, given)
                continue
            except ValueError as error:
                variable = f"{ENVIRONMENT_PREFIX}{name.upper()}"
                raise typer.BadParameter(_expected(name), param_hint=variable) from error
        default = question.default
        if default is None:
            default = str(SETTINGS[name].default)
        if name == "smtp_from":
            default = str(answers.get("smtp_user", ""))
            default = default if "@" in default else ""
        answers[name] = (
            _ask_valid(question, default)
            if is_asking
            else (parse_answer(name, default) if default else SETTINGS[name].default)
        )


def _report_incomplete(channels: list[str]) -> None:
    for channel in channels:
        typer.echo(
            say(
                f"⚠ {channel}_sender 仍为 console：缺少必需的值，可稍后写入配置文件",
                f"⚠ {channel}_sender stays console: a needed value is missing; add it to the file "
                "later",
            ),
            err=True,
        )


def _write(
    path: Path, answers: Mapping[str, object], data_dir: Path, account: ServiceAccount
) -> Settings:
    """Write the file once a server could start with it."""
    text = format_config(answers, english=say("zh", "en") == "en")
    draft = write_draft(path, text, account)
    try:
        settings = load_startable_settings_or_exit(draft).settings
        make_data_folder(data_dir, account)
        publish_draft(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return settings


def _report_file(path: Path, data_dir: Path) -> None:
    typer.echo(
        say(f"OK 已写入 {path}，数据目录为 {data_dir}", f"OK {path} written; data: {data_dir}")
    )


def _send_test(settings: Settings, channel: Channel, asked: str | None, *, is_asking: bool) -> bool:
    """Send a test message if the sender is real and a target is given."""
    if getattr(settings, _SENDER_NAMES[channel]) == "console":
        return True
    if asked is None and is_asking:
        text = (
            say("测试短信发送到（留空则不发送）", "Send a test SMS to (empty: do not send)")
            if channel == "sms"
            else say("测试邮件发送到（留空则不发送）", "Send a test e-mail to (empty: do not send)")
        )
        asked = _prompt(text, "")
    if not asked:
        return True
    try:
        address = parse_address(settings, channel, asked)
    except InvalidAddress:
        typer.echo(say("号码或邮箱无效，未发送", "not a valid target, nothing was sent"), err=True)
        return False
    sent = asyncio.run(send_trial_message(settings, channel, address))
    if sent.is_sent:
        typer.echo(say(f"OK 已提交发送：{sent.to}", f"OK accepted for {sent.to}"))
    else:
        typer.echo(say(f"无法确认是否已发送到 {sent.to}", f"not confirmed for {sent.to}"), err=True)
    typer.echo(sent.reply, err=not sent.is_sent)
    return bool(sent.is_sent)


def _is_in_container() -> bool:
    return bool(os.environ.get(_CONTAINER_VARIABLE))


def _warn_of_container(settings: Settings, front: str) -> None:
    """Warn if the proxy is not trusted: requests reach a container from its network's gateway."""
    is_local = all(network.is_loopback for network in settings.trusted_proxies)
    if front != "none" and is_local and _is_in_container():
        typer.echo(
            say(
                "⚠ 在容器外的代理并非来自 127.0.0.1：请用 --set trusted_proxies=网段 指定容器网络的"
                "网关，否则所有客户端会被视为同一地址",
                "⚠ in a container, a proxy outside does not connect from 127.0.0.1: set "
                "the gateway of the container's network with --set trusted_proxies=NETWORK, or all "
                "clients count as one address",
            ),
            err=True,
        )


def _show_files(
    path: Path, data_dir: Path, account: ServiceAccount, front: str, host_name: str
) -> None:
    """Show the unit and the configuration of the front; a container has no unit."""
    is_in_container = _is_in_container()
    if account.uid == _ROOT_USER_ID:
        typer.echo(
            say(
                "⚠ 没有用户 hupan，服务器将以 root 身份运行：请先执行 useradd --system --home-dir "
                "/var/lib/hupan --shell /usr/sbin/nologin hupan，再重新执行 hupan setup",
                "⚠ there is no user hupan, so the server would run as root: useradd --system "
                "--home-dir /var/lib/hupan --shell /usr/sbin/nologin hupan, then repeat "
                "hupan setup",
            ),
            err=True,
        )
    program = Path(shutil.which(sys.argv[0]) or sys.argv[0]).absolute()
    with exit_on_error():
        if not is_in_container:
            unit = make_unit(program, path, data_dir, account)
            typer.echo(f"\n# /etc/systemd/system/hupan.service\n{unit}")
        if front != "none":
            place = {
                "nginx": "/etc/nginx/conf.d/hupan.conf",
                "caddy": "/etc/caddy/Caddyfile",
            }[front]
            typer.echo(f"# {place}\n{make_front(front, host_name)}")
    if is_in_container:
        typer.echo(say("接下来：启动容器", "Next: start the container"))
        return
    typer.echo(
        say(
            f"接下来：hupan config check --config {path}，然后 systemctl enable --now hupan",
            f"Next: hupan config check --config {path}, then systemctl enable --now hupan",
        )
    )
