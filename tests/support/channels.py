"""The two channels to an account, phone and e-mail, so that one test covers both."""

import re
from dataclasses import dataclass

from tests.support.answers import Answer, OutboxMessage
from tests.support.client import WireClient

SIX_DIGITS = re.compile("[0-9]{6}")
FORGET = "user/forget-password"
CANCEL = "user/cancel-user"


@dataclass(frozen=True)
class ContactChannel:
    """A channel: its endpoints and its field in own info (wire.md 3, 4).

    Attributes:
        field: the key of requests, of the sandbox's routes and of the outbox's targets.
        place: the field number in own info.
    """

    field: str
    channel: str
    bind_path: str
    change_path: str
    place: int

    def fresh(self, wire: WireClient) -> str:
        """Return a target that is new to this server."""
        return wire.fresh_email() if self.channel == "email" else wire.fresh_phone()

    def request_code(self, wire: WireClient, target: str, **extra: object) -> Answer:
        """Request a code for a target."""
        if self.channel == "email":
            return wire.ask_email(target, **extra)
        return wire.ask_sms(target)

    def code(self, wire: WireClient, target: str, **extra: object) -> str:
        """Request a code for a target and return the six digits that arrive."""
        before = {letter.id for letter in wire.list_outbox(self.channel, target)}
        asked = self.request_code(wire, target, **extra)
        assert asked.code == 1, (asked.code, asked.msg)
        return _first(wire, self, target, before, has_code=True).code

    def bind(self, wire: WireClient, token: str, target: str, code: str) -> Answer:
        """Bind a first target."""
        return wire.post(self.bind_path, {self.field: target, "captcha": code}, token=token)

    def change(self, wire: WireClient, token: str, target: str, code: str) -> Answer:
        """Change to a target, or confirm the bound one."""
        return wire.post(self.change_path, {self.field: target, "captcha": code}, token=token)

    def cancel(self, wire: WireClient, token: str, target: str, code: str) -> Answer:
        """Delete the account."""
        return wire.post(CANCEL, {self.field: target, "captcha": code}, token=token)

    def bound(self, wire: WireClient, token: str) -> str:
        """Return the bound contact of own info."""
        return wire.own_info(token).pb_data.text(self.place)


PHONE = ContactChannel("phone", "sms", "user/bing-phone", "user/change-phone-check", 6)
EMAIL = ContactChannel("email", "email", "user/bing-email", "user/change-email-check", 7)
CONTACT_CHANNELS = (PHONE, EMAIL)


def other(way: ContactChannel) -> ContactChannel:
    """Return the other channel."""
    return EMAIL if way is PHONE else PHONE


def is_code(letter: OutboxMessage) -> bool:
    """Return whether a message has a code, and is not a notice."""
    return bool(SIX_DIGITS.fullmatch(letter.code or ""))


def notice_to(wire: WireClient, way: ContactChannel, target: str) -> OutboxMessage:
    """Return the first message to a target without a code."""
    return _first(wire, way, target, set(), has_code=False)


def forget(wire: WireClient, email: str, code: str, password: str) -> Answer:
    """Set a password with an e-mail code."""
    return wire.post(FORGET, {"email": email, "captcha": code, "password": password})


def _first(
    wire: WireClient, way: ContactChannel, target: str, before: set[str], *, has_code: bool
) -> OutboxMessage:
    """Return the first new message of a kind, skipping the other kind."""
    letter = wire.next_message(way.channel, target, before)
    while is_code(letter) is not has_code:
        before.add(letter.id)
        letter = wire.next_message(way.channel, target, before)
    return letter
