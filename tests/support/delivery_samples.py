"""Messages to send, and the result that a sender returns for them."""

import asyncio
import traceback

import pytest

from hupan.delivery.sender import Channel, Message, NotSent, OutcomeUnknown, Sender

CODE = "493817"
PHONE = "13800138000"
ADDRESS = "lin.yue@example.org"
CREATED_AT = 1_760_000_000
PASSWORD = "canary-Zhe-Jiang-7"


def sms(*, to: str = PHONE, purpose: str = "code", code: str = CODE, key: str = "m-1") -> Message:
    """Make an SMS."""
    return _message("sms", to, purpose, code, key)


def mail(
    *, to: str = ADDRESS, purpose: str = "code", code: str = CODE, key: str = "m-1"
) -> Message:
    """Make an e-mail."""
    return _message("email", to, purpose, code, key)


def send(sender: Sender, message: Message) -> None:
    """Send one message in a new event loop."""
    asyncio.run(_send_and_close(sender, message))


def assert_discreet(error: NotSent | OutcomeUnknown) -> None:
    """Check that neither the error nor its chain shows a secret (security L1)."""
    assert error.__cause__ is None
    assert error.__context__ is None
    told = "".join(traceback.format_exception(error)) + error.reason
    for secret in (CODE, PHONE, ADDRESS, PASSWORD):
        assert secret not in told


def refusal(error: pytest.ExceptionInfo[NotSent]) -> bool:
    """Check that a refusal has no secret, and return whether a retry may work."""
    assert_discreet(error.value)
    return error.value.is_retryable


async def _send_and_close(sender: Sender, message: Message) -> None:
    try:
        await sender.send(message)
    finally:
        await sender.close()


def _message(channel: Channel, to: str, purpose: str, code: str, key: str) -> Message:
    return Message(key, channel, to, purpose, code, CREATED_AT)
