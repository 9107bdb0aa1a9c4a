"""`hupan config`: show, check, send-test."""

import asyncio
import json
import sys
import time
from typing import Annotated

import typer

from hupan.admin.config_check import (
    InvalidAddress,
    parse_address,
    send_trial_message,
    warning_lines,
)
from hupan.admin.limits import exemption_lines
from hupan.cli.output import exit_on_error
from hupan.cli.run import ConfigOption, load_settings_or_exit, load_startable_settings_or_exit
from hupan.config import LoadedSettings, Settings
from hupan.config.load import SETTINGS, escape_unprintable
from hupan.model import Channel
from hupan.opening import check_store_and_key

SEND_TEST_HELP = """用当前设置发送一条测试短信或邮件，并显示网关或邮件服务器的答复；无需运行服务器。

Send one test SMS or e-mail by the settings and show what the gateway or mail server says; no server
needs to run.

测试验证码为 000000，不能用于登录；短信可能产生费用。

Its code is 000000, with which nobody can sign in. An SMS may cost what your gateway asks for it.
"""


def send_test(
    *,
    sms: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="发送到该手机号 Send to this number"),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="发送到该邮箱 Send to this address"),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Sends to each target that was named; ends with status 1 when one was not sent."""
    if sms is None and email is None:
        raise typer.BadParameter("请指定 --sms 或 --email / name --sms or --email")
    settings = load_startable_settings_or_exit(config).settings
    wanted: list[tuple[Channel, str]] = []
    if sms is not None:
        wanted.append(("sms", _parse_address_option(settings, "sms", sms)))
    if email is not None:
        wanted.append(("email", _parse_address_option(settings, "email", email)))
    results = [_send_and_report(settings, channel, address) for channel, address in wanted]
    if not all(results):
        raise typer.Exit(1)


def _parse_address_option(settings: Settings, channel: Channel, text: str) -> str:
    try:
        return parse_address(settings, channel, text)
    except InvalidAddress as error:
        message = f"--{channel} 的值非法 / the value of --{channel} is not valid"
        raise typer.BadParameter(message) from error


def _send_and_report(settings: Settings, channel: Channel, address: str) -> bool:
    """Sends one message and says how that went."""
    sent = asyncio.run(send_trial_message(settings, channel, address))
    to, reply = sent.to, sent.reply
    if sent.is_console:
        name, value = ("sms_sender", "http") if channel == "sms" else ("email_sender", "smtp")
        _print_failure(
            f"{name} 为 console，不会发送：请设为 {value}",
            f"{name} is console, so nothing is sent: set it to {value}",
        )
    elif sent.is_sent is None:
        _print_failure(f"{to}：可能已发送，也可能没有", f"{to}: perhaps sent, perhaps not", reply)
    elif not sent.is_sent:
        _print_failure(f"未发送到 {to}", f"not sent to {to}", reply)
    else:
        typer.echo(f"OK 已交给对方发送到 {to}\nOK handed over for {to}\n{reply}")
    return bool(sent.is_sent)


def _print_failure(zh: str, en: str, reply: str = "") -> None:
    """Says it in both languages; the other end's words, in whatever language, on their own line."""
    typer.echo("\n".join(filter(None, (zh, en, reply))), err=True)


_SETTINGS_PIPE_WIDTH = 240
_CONFIG_HELP = """查看或检查设置。

Show or check the settings.

取值依次来自默认值、配置文件、环境变量 HUPAN_* 与命令行参数，后者优先。

Values come from defaults, the file, the variables HUPAN_* and the options; a later one wins.
"""
_SHOW_HELP = """显示每项设置的值、来源与说明，机密以 •••• 代替。

Show each setting: its value, where that came from and what it does. Secrets appear as ••••.
"""
_CHECK_HELP = """检查设置，列出全部问题与警告；服务器无法启动时以状态 1 结束。

Check the settings and tell each problem and warning; ends with status 1 if no server can start.
"""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    group.command("show", help=_SHOW_HELP, short_help="显示设置 Show the settings")(show)
    group.command("check", help=_CHECK_HELP, short_help="检查设置 Check the settings")(check)
    group.command("send-test", help=SEND_TEST_HELP, short_help="发送测试消息 Send a test message")(
        send_test
    )
    app.add_typer(
        group,
        name="config",
        help=_CONFIG_HELP,
        short_help="查看或检查设置 Show or check the settings",
    )


def show(
    *,
    config: ConfigOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="输出 JSON。 Write JSON, for programs.")
    ] = False,
) -> None:
    """Writes every setting as a table, or as a JSON object."""
    loaded = load_settings_or_exit(config)
    if as_json:
        typer.echo(json.dumps(_setting_rows(loaded), ensure_ascii=False, indent=2))
    else:
        _print_settings(loaded)


def check(*, config: ConfigOption = None) -> None:
    """Says that all is well, or ends with status 1."""
    loaded = load_startable_settings_or_exit(config)
    with exit_on_error():
        check_store_and_key(loaded.settings)
    for line in warning_lines(loaded.settings):
        typer.echo(line, err=True)
    for line in exemption_lines(loaded.settings, time.time()):
        typer.echo(line, err=True)
    path = escape_unprintable(str(loaded.path))
    zh, en = (f"设置正确：{path}", f"the settings are right: {path}")
    if loaded.path is None:
        zh, en = "设置正确（没有配置文件）", "the settings are right (there is no file)"
    typer.echo(f"OK {zh}\nOK {en}")


def _setting_rows(loaded: LoadedSettings) -> dict[str, dict[str, object]]:
    """One object per setting, by its name; `place` is a path, a variable, or "" for a default."""
    return {
        name: {
            "value": setting.masked_value(getattr(loaded.settings, name)),
            "source": loaded.sources[name].kind,
            "place": loaded.sources[name].location,
            "secret": setting.secret,
            "help": setting.help._asdict(),
        }
        for name, setting in SETTINGS.items()
    }


def _print_settings(loaded: LoadedSettings) -> None:
    # Here, because rich takes longer to import than every other command takes to run.
    from rich.console import Console  # noqa: PLC0415 # as said above
    from rich.table import Table  # noqa: PLC0415 # as said above

    table = Table("设置\nSetting", "值\nValue", "来源\nSource", "说明\nMeaning", show_lines=True)
    for name, setting in SETTINGS.items():
        value = json.dumps(setting.masked_value(getattr(loaded.settings, name)), ensure_ascii=False)
        table.add_row(
            name, value, "\n".join(loaded.sources[name].description), "\n".join(setting.help)
        )
    width = None if sys.stdout.isatty() else _SETTINGS_PIPE_WIDTH
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)
