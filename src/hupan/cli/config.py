"""`hupan config`: show, check, send-test."""

import asyncio
import json
import time
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from hupan.admin.config_check import (
    InvalidAddress,
    find_warnings,
    parse_address,
    send_trial_message,
)
from hupan.admin.limits import exemption_lines
from hupan.cli.help import make_group
from hupan.cli.language import say, say_text
from hupan.cli.output import Column, exit_on_error, print_json, print_table
from hupan.cli.run import (
    ConfigOption,
    JsonOption,
    load_settings_or_exit,
    load_startable_settings_or_exit,
)
from hupan.config import LoadedSettings, Settings
from hupan.config.load import escape_unprintable
from hupan.config.settings import SETTINGS
from hupan.config.types import Setting
from hupan.model import Channel
from hupan.opening import check_store_and_key

_SETTING_COLUMNS = {
    "name": Column(say("设置", "Setting")),
    "value": Column(say("值", "Value"), wraps=True),
    "source": Column(say("来源", "Source"), wraps=True),
    "help": Column(say("说明", "Meaning"), wraps=True),
}
app = make_group(
    say(
        "查看或检查设置。\n\n"
        "取值依次来自默认值、配置文件、环境变量 HUPAN_* 与命令行参数，后者优先。",
        "Show or check the settings.\n\n"
        "Values come from the defaults, the file, environment variables HUPAN_* and the options; "
        "a later source wins.",
    ),
    say("查看或检查设置", "Show or check the settings"),
)


@app.command(
    "show",
    help=say(
        "显示各项设置的值、来源与说明，机密以 •••• 代替。\n\n"
        "例如 hupan config show smtp 只显示名称中含 smtp 的设置，"
        "hupan config show --changed 只显示已修改的设置。",
        "Show the settings with their values, sources and meanings. Secrets are shown as ••••.\n\n"
        "For example, hupan config show smtp shows the settings with smtp in their names, and "
        "hupan config show --changed those that were changed.",
    ),
    short_help=say("显示设置", "Show the settings"),
)
def show(
    *,
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="[PATTERN]",
            help=say(
                "名称的一部分，或含 * 的模式，如 *_ca_file。",
                "Part of the names, or a pattern with *, such as *_ca_file.",
            ),
            show_default=False,
        ),
    ] = "",
    changed: Annotated[
        bool,
        typer.Option(
            "--changed",
            help=say(
                "只显示与默认值不同的设置。", "Show only settings that differ from the default."
            ),
        ),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the chosen settings as a table, or as a JSON object."""
    loaded = load_settings_or_exit(config)
    chosen = [
        setting
        for name, setting in SETTINGS.items()
        if _is_match(name, pattern)
        and not (changed and getattr(loaded.settings, name) == setting.default)
    ]
    if as_json:
        print_json({setting.name: _setting_row(loaded, setting) for setting in chosen})
    elif chosen:
        print_table(_SETTING_COLUMNS, [_setting_texts(loaded, setting) for setting in chosen])
    else:
        typer.echo(say("没有符合条件的设置", "no setting matches"), err=True)
    if pattern and not any(_is_match(name, pattern) for name in SETTINGS):
        raise typer.Exit(1)


def _is_match(name: str, pattern: str) -> bool:
    """Return whether a name contains the pattern, or matches it if it has wildcards."""
    pattern = pattern.lower()
    return fnmatchcase(name, pattern if set(pattern) & set("*?[") else f"*{pattern}*")


@app.command(
    "check",
    help=say(
        "检查设置，列出全部问题与警告；服务器无法启动时，退出状态为 1。",
        "Check the settings and list all problems and warnings. The exit status is 1 if the server "
        "cannot start.",
    ),
    short_help=say("检查设置", "Check the settings"),
)
def check(*, config: ConfigOption = None) -> None:
    """Print OK, or exit with 1."""
    loaded = load_startable_settings_or_exit(config)
    with exit_on_error():
        check_store_and_key(loaded.settings)
    for warning in find_warnings(loaded.settings):
        typer.echo(say(f"⚠ 警告：{warning.zh}", f"⚠ warning: {warning.en}"), err=True)
    for line in exemption_lines(loaded.settings, time.time()):
        typer.echo(say_text(line), err=True)
    path = escape_unprintable(str(loaded.path))
    zh, en = (f"设置正确：{path}", f"the settings are valid: {path}")
    if loaded.path is None:
        zh, en = "设置正确（没有配置文件）", "the settings are valid (there is no file)"
    typer.echo(f"OK {say(zh, en)}")


@app.command(
    "send-test",
    help=say(
        "用当前设置发送一条测试短信或邮件，并显示网关或邮件服务器的响应；无需运行服务器。\n\n"
        "测试验证码为 000000，不能用于登录；短信可能产生费用。",
        "Send a test SMS or e-mail with the current settings, and show the reply of the gateway or "
        "mail server. No server needs to run.\n\n"
        "The code is 000000 and cannot be used to sign in. Your gateway may charge for an SMS.",
    ),
    short_help=say("发送测试消息", "Send a test message"),
)
def send_test(
    *,
    sms: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help=say("发送到该手机号。", "Send to this number.")),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help=say("发送到该邮箱。", "Send to this address.")),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Send to each given target; exit with 1 when one was not sent."""
    if sms is None and email is None:
        raise typer.BadParameter(say("请指定 --sms 或 --email", "use --sms or --email"))
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
        message = say(f"--{channel} 的值非法", f"the value of --{channel} is not valid")
        raise typer.BadParameter(message) from error


def _send_and_report(settings: Settings, channel: Channel, address: str) -> bool:
    """Send one message and print the result."""
    sent = asyncio.run(send_trial_message(settings, channel, address))
    to, reply = sent.to, sent.reply
    if sent.is_console:
        name, value = ("sms_sender", "http") if channel == "sms" else ("email_sender", "smtp")
        _print_failure(
            f"{name} 为 console，不会发送：请设为 {value}",
            f"{name} is console, so nothing is sent: set it to {value}",
        )
    elif sent.is_sent is None:
        _print_failure(f"{to}：可能已发送，也可能没有", f"{to}: may have been sent, or not", reply)
    elif not sent.is_sent:
        _print_failure(f"未发送到 {to}", f"not sent to {to}", reply)
    else:
        typer.echo(say(f"OK 已提交发送：{to}", f"OK accepted for {to}") + f"\n{reply}")
    return bool(sent.is_sent)


def _print_failure(zh: str, en: str, reply: str = "") -> None:
    """Print the reason; the reply of the other end, in any language, has its own line."""
    typer.echo("\n".join(filter(None, (say(zh, en), reply))), err=True)


def _setting_row(loaded: LoadedSettings, setting: Setting) -> dict[str, object]:
    """Return a setting for programs; `place` is a path, a variable, or "" for a default."""
    source = loaded.sources[setting.name]
    return {
        "value": setting.masked_value(getattr(loaded.settings, setting.name)),
        "source": source.kind,
        "place": source.location,
        "secret": setting.secret,
        "help": asdict(setting.help),
    }


def _setting_texts(loaded: LoadedSettings, setting: Setting) -> dict[str, object]:
    value = setting.masked_value(getattr(loaded.settings, setting.name))
    return {
        "name": setting.name,
        "value": json.dumps(value, ensure_ascii=False),
        "source": say_text(loaded.sources[setting.name].description),
        "help": say_text(setting.help),
    }
