"""One test message by the senders of the settings, to see what the other end says."""

import secrets
import time
from dataclasses import dataclass

from hupan.app.rules import targets
from hupan.app.senders import make_email_sender, make_sms_sender
from hupan.config import Settings
from hupan.delivery.console import ConsoleSender
from hupan.delivery.gateway import GatewaySender
from hupan.delivery.message import Message
from hupan.delivery.protocol import NotSent, OutcomeUnknown
from hupan.domain.masks import masked
from hupan.domain.refusals import InvalidField
from hupan.model import Channel as Channel  # noqa: PLC0414 - for the command line

CODE = "0" * 6
"""What stands for the code; none is kept, so nobody signs in with it."""


class BadAddress(Exception):  # noqa: N818 - says that a value does not fit
    """The number or address is none."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How it went.

    Attributes:
        to: The target, masked.
        words: What the other end said, or why nothing left; nothing private is in it.
        is_sent: Whether the message was handed over; None where nobody knows.
        is_console: Whether the settings send nothing at all.
    """

    to: str
    words: str = ""
    is_sent: bool | None = False
    is_console: bool = False


def read_address(settings: Settings, channel: Channel, text: str) -> str:
    """Return a number or an address as messages go there.

    Raises:
        BadAddress: It is none.
    """
    read = targets(settings)
    try:
        found = read.phone(text, channel) if channel == "sms" else read.email(text, channel)
    except InvalidField as error:
        raise BadAddress from error
    return found.address


async def send_one(settings: Settings, channel: Channel, address: str) -> Sent:
    """Send one message by the sender of the settings and tell how that went."""
    sender = make_sms_sender(settings) if channel == "sms" else make_email_sender(settings)
    to = masked(address)
    if isinstance(sender, ConsoleSender):
        return Sent(to, is_console=True)
    number = f"test-{secrets.token_hex(8)}"
    seconds = settings.code_lifetime_seconds
    message = Message(number, channel, address, "code", CODE, int(time.time()), seconds)
    try:
        if isinstance(sender, GatewaySender):
            return Sent(to, await sender.deliver(message, wants_words=True), is_sent=True)
        return Sent(to, await sender.deliver(message), is_sent=True)
    except NotSent as failure:
        return Sent(to, str(failure))
    except OutcomeUnknown as failure:
        return Sent(to, str(failure), is_sent=None)
    finally:
        await sender.close()
