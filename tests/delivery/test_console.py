import io

import pytest

from hupan.delivery.console import ConsoleSender
from hupan.delivery.sender import Message, NotSent
from tests.support.delivery_samples import mail, refusal, send, sms

pytestmark = pytest.mark.slow


def printed(message: Message) -> str:
    """Print one message and return the output."""
    stream = io.StringIO()
    send(ConsoleSender(stream), message)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            sms(),
            "✉ 短信  13800138000  验证码 493817  (5 分钟内有效)\n",
        ),
        (
            mail(to="lin@example.org", purpose="reset"),
            "✉ 邮件  lin@example.org  重设密码 493817  (5 分钟内有效)\n",
        ),
        (
            mail(purpose="notice-password-changed", code=""),
            "✉ 邮件  lin.yue@example.org  湖畔 密码已更改 Password changed\n",
        ),
        (
            sms(purpose="notice-account-cancelled", code=""),
            "✉ 短信  13800138000  【湖畔】您的账号已注销。如非本人操作，请尽快联系管理员。\n",
        ),
    ],
)
def test_message_is_one_readable_line(message: Message, line: str) -> None:
    """One line has channel, target and code."""
    assert printed(message) == line


def test_the_labels_are_english_where_the_terminal_is() -> None:
    """The line of a code is in one language."""
    stream = io.StringIO()
    send(ConsoleSender(stream, english=True), sms())
    assert stream.getvalue() == "✉ SMS  13800138000  code 493817  (valid 5 min)\n"


def test_target_cannot_move_the_cursor() -> None:
    """Control characters in a target are escaped (security L1)."""
    line = printed(mail(to="a\x1b[2J\r\nb@example.org"))
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert "\\x1b[2J\\r\\nb@example.org" in line


def test_terminal_without_chinese_still_shows_the_code() -> None:
    """A character that the stream cannot encode is escaped, and the code is complete."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    send(ConsoleSender(stream), sms())
    assert b"493817" in raw.getvalue()
    assert b"\\u9a8c" in raw.getvalue()


def test_default_is_the_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stream the line goes to standard output."""
    send(ConsoleSender(), sms())
    assert "13800138000" in capsys.readouterr().out


def test_closed_stream_is_not_sent() -> None:
    """A closed terminal is reported as not sent, without quoting the line."""
    stream = io.StringIO()
    stream.close()
    with pytest.raises(NotSent) as refused:
        send(ConsoleSender(stream), sms())
    assert refusal(refused) is True


def test_unknown_purpose_is_refused() -> None:
    """A purpose without a text is refused permanently."""
    with pytest.raises(NotSent) as refused:
        printed(sms(purpose="greeting"))
    assert refusal(refused) is False
