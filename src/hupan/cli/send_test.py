"""`hupan config send-test`: one message by the senders of the settings, to see what they say."""

import asyncio
from typing import Annotated

import typer

from hupan.app.trial_message import BadAddress, Channel, read_address, send_one
from hupan.cli.settings_or_exit import ConfigOption, startable_settings_or_exit
from hupan.config import Settings

HELP = """用当前设置发送一条测试短信或邮件，并显示网关或邮件服务器的答复；无需运行服务器。

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
    settings = startable_settings_or_exit(config).settings
    wanted: list[tuple[Channel, str]] = []
    if sms is not None:
        wanted.append(("sms", _address(settings, "sms", sms)))
    if email is not None:
        wanted.append(("email", _address(settings, "email", email)))
    results = [_send(settings, channel, address) for channel, address in wanted]
    if not all(results):
        raise typer.Exit(1)


def _address(settings: Settings, channel: Channel, text: str) -> str:
    try:
        return read_address(settings, channel, text)
    except BadAddress as error:
        message = f"--{channel} 的值非法 / the value of --{channel} is not valid"
        raise typer.BadParameter(message) from error


def _send(settings: Settings, channel: Channel, address: str) -> bool:
    """Sends one message and says how that went."""
    sent = asyncio.run(send_one(settings, channel, address))
    to, words = sent.to, sent.words
    if sent.is_console:
        name, value = ("sms_sender", "http") if channel == "sms" else ("email_sender", "smtp")
        _tell(
            f"{name} 为 console，不会发送：请设为 {value}",
            f"{name} is console, so nothing is sent: set it to {value}",
        )
    elif sent.is_sent is None:
        _tell(f"{to}：可能已发送，也可能没有", f"{to}: perhaps sent, perhaps not", words)
    elif not sent.is_sent:
        _tell(f"未发送到 {to}", f"not sent to {to}", words)
    else:
        typer.echo(f"OK 已交给对方发送到 {to}\nOK handed over for {to}\n{words}")
    return bool(sent.is_sent)


def _tell(zh: str, en: str, words: str = "") -> None:
    """Says it in both languages; the other end's words, in whatever language, on their own line."""
    typer.echo("\n".join(filter(None, (zh, en, words))), err=True)
