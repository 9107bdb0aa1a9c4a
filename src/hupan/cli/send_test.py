"""`hupan config send-test`: one message by the senders of the settings, to see what they say."""

import asyncio
import secrets
import time
from typing import Annotated

import typer

from hupan.app.rules import targets
from hupan.app.senders import make_email_sender, make_sms_sender
from hupan.cli.settings_or_exit import ConfigOption, startable_settings_or_exit
from hupan.config import Settings
from hupan.delivery.console import ConsoleSender
from hupan.delivery.gateway import GatewaySender
from hupan.delivery.message import Message
from hupan.delivery.protocol import NotSent, OutcomeUnknown
from hupan.delivery.smtp import SmtpSender
from hupan.domain.masks import masked
from hupan.domain.refusals import InvalidField
from hupan.domain.targets import Target

CODE = "0" * 6
"""What stands for the code; none is kept, so nobody signs in with it."""
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
    wanted = [_target(settings, sms, "sms"), _target(settings, email, "email")]
    results = [_send(settings, target) for target in wanted if target is not None]
    if not all(results):
        raise typer.Exit(1)


def _target(settings: Settings, text: str | None, option: str) -> Target | None:
    if text is None:
        return None
    try:
        read = targets(settings)
        return read.phone(text, option) if option == "sms" else read.email(text, option)
    except InvalidField as error:
        message = f"--{option} 的值非法 / the value of --{option} is not valid"
        raise typer.BadParameter(message) from error


def _send(settings: Settings, target: Target) -> bool:
    """Sends one message and says how that went."""
    is_sms = target.channel == "sms"
    sender = make_sms_sender(settings) if is_sms else make_email_sender(settings)
    if isinstance(sender, ConsoleSender):
        name, value = ("sms_sender", "http") if is_sms else ("email_sender", "smtp")
        _tell(
            f"{name} 为 console，不会发送：请设为 {value}",
            f"{name} is console, so nothing is sent: set it to {value}",
        )
        return False
    message = Message(
        f"test-{secrets.token_hex(8)}",
        target.channel,
        target.address,
        "code",
        CODE,
        int(time.time()),
        settings.code_lifetime_seconds,
    )
    to = masked(target.address)
    try:
        words = asyncio.run(_deliver(sender, message))
    except NotSent as failure:
        _tell(f"未发送到 {to}：{failure}", f"not sent to {to}: {failure}")
        return False
    except OutcomeUnknown as failure:
        _tell(f"{to}：可能已发送，也可能没有：{failure}", f"{to}: perhaps sent: {failure}")
        return False
    typer.echo(f"OK 已交给对方发送到 {to}：{words}\nOK handed over for {to}: {words}")
    return True


async def _deliver(sender: GatewaySender | SmtpSender, message: Message) -> str:
    try:
        if isinstance(sender, GatewaySender):
            return await sender.deliver(message, wants_words=True)
        return await sender.deliver(message)
    finally:
        await sender.close()


def _tell(zh: str, en: str) -> None:
    typer.echo(f"{zh}\n{en}", err=True)
