"""A stranger cannot put text into a message to another person (security U8)."""

import re

import pytest

from tests.support import pb
from tests.support.channels import EMAIL, PHONE, forget, notice_to
from tests.support.client import WireClient

pytestmark = pytest.mark.slow

PAYLOADS = [
    *("https://evil.example/", "<img src=x>", "{{7*7}}%s{code}{brand}", "【中国银行】点击领取"),
    "Bcc evil; =CMD()",
]
FORGED = {
    "host": "evil.example",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "ftp",
    "forwarded": "host=evil.example",
    "x-original-url": "https://evil.example/",
    "origin": "https://evil.example",
    "referer": "https://evil.example/reset",
    "user-agent": "<evil>",
}


def without_code(text: str) -> str:
    """Return a message with its digits masked."""
    return re.sub("[0-9]", "#", text)


def test_headers_change_no_message(wire: WireClient) -> None:
    """With any Host and similar headers the message stays the same (security U8)."""
    told: dict[str, set[str]] = {"sms": set(), "email": set(), "reset": set()}
    for headers in ({}, FORGED, {**FORGED, "host": "chat-go.evil.example"}):
        phone, email = wire.fresh_phone(), wire.fresh_email()
        wire.account(email=email)
        for kind, path, body, to in (
            ("sms", "get-verification-code", {"mobile": phone}, phone),
            ("email", "get-email-verification-code", {"email": email}, email),
            (
                "reset",
                "get-email-verification-code",
                {"email": email, "typ": "forget_password"},
                email,
            ),
        ):
            before = {letter.id for letter in wire.list_outbox(kind.replace("reset", "email"), to)}
            sent = wire.post(f"verification/{path}", {**body, **wire.solved()}, headers=headers)
            assert sent.code == 1
            text = wire.next_message(kind.replace("reset", "email"), to, before).text
            told[kind].add(without_code(text))
    assert {kind: len(texts) for kind, texts in told.items()} == {"sms": 1, "email": 1, "reset": 1}
    assert not [
        text for texts in told.values() for text in texts if "evil" in text or "://" in text
    ]


def test_names_and_devices_change_no_message(wire: WireClient) -> None:
    """A hostile nickname does not change the member's codes and notifications (security U8)."""
    told = []
    for trick in ("plain", *PAYLOADS):
        phone, email, new = wire.fresh_phone(), wire.fresh_email(), wire.fresh_phone()
        account = wire.account(phone=phone, email=email, deviceId=trick, platform=trick)
        assert (
            wire.post("user/edit-nickname", pb.text(3, trick[:32]), token=account.token).code == 1
        )
        wire.post(
            "user/save-user-data", {"introduction": trick, "city": trick}, token=account.token
        )
        reset = (
            wire.next_message("email", email, set()).text if wire.ask_email(email).code == 1 else ""
        )
        assert PHONE.change(wire, account.token, new, PHONE.code(wire, new)).code == 1
        notices = [notice_to(wire, PHONE, phone).text, notice_to(wire, PHONE, new).text]
        assert forget(wire, email, EMAIL.code(wire, email), "the lake at seven").code == 1
        notices.append(notice_to(wire, EMAIL, email).text)
        told.append(tuple(without_code(text) for text in (reset, *notices)))
    assert len(set(told)) == 1, set(told)
