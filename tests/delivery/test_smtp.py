"""The SMTP sender against real servers on the loopback address."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult

from hupan.delivery.sender import NotSent, OutcomeUnknown, quote_recipient
from hupan.delivery.smtp import SmtpOptions, SmtpSecurity, SmtpSender
from tests.support.certificates import issue
from tests.support.delivery_samples import ADDRESS, CODE, PASSWORD, assert_discreet, mail, refusal
from tests.support.smtp_servers import (
    FROM,
    HOST,
    Accounts,
    Sink,
    deliver,
    deliver_to_script,
    options,
    smtpd,
)

pytestmark = pytest.mark.slow


def test_mail_arrives_as_composed() -> None:
    """One recipient gets one plain text with a stable Message-ID, marked as automatic."""
    sink = Sink()
    deliver(smtpd(sink), mail(key="outbox-42"))
    assert sink.envelopes[0].mail_from == FROM
    assert sink.envelopes[0].rcpt_tos == [ADDRESS]
    got = sink.mail()
    assert got["From"] == f"湖畔 <{FROM}>"
    assert got["To"] == ADDRESS
    assert got["Subject"] == "湖畔 验证码 Verification code"
    assert got["Message-ID"] == "<outbox-42@hupan.example>"
    assert got["Date"] == "Thu, 09 Oct 2025 08:53:20 +0000"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got.get_content_type() == "text/plain"
    assert "您的验证码是：493817" in got.get_content()


@pytest.mark.parametrize("local", ["u..v", ".u", "u.", "...", "u.v..w."])
def test_dots_anywhere_are_quoted(local: str) -> None:
    """Japanese carriers issued such addresses; the mail quotes the local part (RFC 5321 4.1.2)."""
    sink = Sink()
    deliver(smtpd(sink), mail(to=f"{local}@docomo.ne.jp"))
    assert sink.envelopes[0].rcpt_tos == [f"{local}@docomo.ne.jp"]  # as the server parses it
    content = sink.envelopes[0].content
    assert isinstance(content, bytes)
    assert f'To: "{local}"@docomo.ne.jp\r\n'.encode() in content
    assert quote_recipient(f"{local}@docomo.ne.jp") == f'"{local}"@docomo.ne.jp'


def test_retry_is_the_same_mail() -> None:
    """A retry of a message equals the first attempt byte for byte."""
    first, second = Sink(), Sink()
    deliver(smtpd(first), mail())
    deliver(smtpd(second), mail())
    assert first.envelopes[0].content == second.envelopes[0].content


def test_longest_id_stays_one_token() -> None:
    """An id of 128 characters survives header folding."""
    sink = Sink()
    deliver(smtpd(sink), mail(key="k" * 128))
    assert sink.mail()["Message-ID"].strip() == f"<{'k' * 128}@hupan.example>"


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_login_over_tls(tmp_path: Path, security: SmtpSecurity) -> None:
    """With either kind of TLS the login and the mail go through the encrypted connection."""
    issued, sink = issue(tmp_path, HOST), Sink()
    inner = issued.server_context() if security == "starttls" else None
    outer = issued.server_context() if security == "tls" else None
    # aiosmtpd counts only STARTTLS as TLS.
    smtp = smtpd(
        sink,
        tls_context=inner,
        require_starttls=inner is not None,
        authenticator=Accounts(),
        auth_required=security == "starttls",
        auth_require_tls=security == "starttls",
    )
    deliver(
        smtp,
        mail(),
        tls=outer,
        security=security,
        user="mailer",
        password=PASSWORD,
        ca_file=str(issued.authority),
    )
    assert len(sink.envelopes) == 1
    assert sink.sessions[0].authenticated is True


def test_wrong_password_is_final(tmp_path: Path) -> None:
    """A refused login is not retried, and the password is not in the error."""
    issued, sink = issue(tmp_path, HOST), Sink()
    smtp = smtpd(
        sink,
        tls_context=issued.server_context(),
        authenticator=lambda *_: AuthResult(success=False, handled=False),
    )
    with pytest.raises(NotSent, match="535") as refused:
        deliver(
            smtp,
            mail(),
            security="starttls",
            user="mailer",
            password=PASSWORD,
            ca_file=str(issued.authority),
        )
    assert refusal(refused) is False
    assert sink.envelopes == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("host", ["mail.elsewhere.example", "127.0.0.2"])
def test_certificate_of_another_name_is_refused(
    tmp_path: Path, security: SmtpSecurity, host: str
) -> None:
    """A certificate for another name ends the connection, even if trusted (security L9)."""
    issued, sink = issue(tmp_path, host), Sink()
    inner = issued.server_context() if security == "starttls" else None
    outer = issued.server_context() if security == "tls" else None
    with pytest.raises(NotSent) as refused:
        deliver(
            smtpd(sink, tls_context=inner),
            mail(),
            tls=outer,
            security=security,
            ca_file=str(issued.authority),
        )
    assert refusal(refused) is True
    assert sink.sessions == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_unknown_authority_is_refused(tmp_path: Path, security: SmtpSecurity) -> None:
    """A certificate of an untrusted authority ends the connection (security L9)."""
    issued, sink = issue(tmp_path, HOST), Sink()
    inner = issued.server_context() if security == "starttls" else None
    outer = issued.server_context() if security == "tls" else None
    with pytest.raises(NotSent) as refused:
        deliver(smtpd(sink, tls_context=inner), mail(), tls=outer, security=security)
    assert refusal(refused) is True
    assert sink.sessions == []


def test_starttls_not_offered_is_refused() -> None:
    """Without STARTTLS, nothing is sent unencrypted (security L9)."""
    said: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        while line := await reader.readline():
            said.append(line)
            writer.write(b"250-mail.test\r\n250 AUTH PLAIN\r\n")

    with pytest.raises(NotSent) as refused:
        deliver_to_script(script, mail(), security="starttls", user="mailer", password=PASSWORD)
    assert refusal(refused) is True
    assert said == [b"EHLO hupan.example\r\n"]


@pytest.mark.parametrize(
    ("sink", "again"),
    [
        (Sink(rcpt="450 mailbox busy"), True),
        (Sink(rcpt=f"550 no such user {ADDRESS}"), False),
        (Sink(data="451 try later"), True),
        (Sink(data=f"554 spam {CODE} for {ADDRESS}"), False),
    ],
)
def test_refusal_of_the_server_decides(sink: Sink, *, again: bool) -> None:
    """4xx may be retried, 5xx never, before the mail and after it."""
    with pytest.raises(NotSent) as refused:
        deliver(smtpd(sink), mail())
    assert refusal(refused) is again


async def test_no_listener() -> None:
    """A server that is down is retried."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, HOST, 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(NotSent) as refused:
        await SmtpSender(options(port)).send(mail())
    assert refusal(refused) is True


def test_tar_pit_ends_at_the_deadline() -> None:
    """A server that trickles its greeting is dropped at the deadline, with nothing sent (R07)."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(250):
            writer.write(b"2")
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.02)
            if reader.at_eof():
                return

    with pytest.raises(NotSent) as refused:
        deliver_to_script(script, mail(), timeout_seconds=0.3)
    assert refusal(refused) is True


async def take_mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Talk up to the end of the mail's body and return it, without a response."""
    writer.write(b"220 mail.test\r\n")
    while not (await reader.readline()).startswith(b"DATA"):
        writer.write(b"250 OK\r\n")
    writer.write(b"354 go on\r\n")
    return await reader.readuntil(b"\r\n.\r\n")


def test_hang_after_data_is_unknown() -> None:
    """A server that is silent after the mail may have accepted it: no retry (R07)."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take_mail(reader, writer)
        await reader.read()

    with pytest.raises(OutcomeUnknown) as unknown:
        deliver_to_script(script, mail(), timeout_seconds=0.5)
    assert_discreet(unknown.value)


def test_connection_lost_after_data_is_unknown() -> None:
    """A server that disconnects after the mail may have accepted it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take_mail(reader, writer)

    with pytest.raises(OutcomeUnknown) as unknown:
        deliver_to_script(script, mail())
    assert_discreet(unknown.value)


def test_garbled_answer_after_data_is_unknown() -> None:
    """A response without a code leaves the result unknown."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take_mail(reader, writer)
        writer.write(b"\xff\xfe what?\r\n")
        await reader.read()

    with pytest.raises(OutcomeUnknown) as unknown:
        deliver_to_script(script, mail())
    assert_discreet(unknown.value)


def test_accepted_mail_stays_accepted_without_goodbye() -> None:
    """A server that disconnects instead of answering QUIT still has the mail."""
    taken: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await take_mail(reader, writer))
        writer.write(b"250 queued\r\n")
        await reader.readline()

    deliver_to_script(script, mail())
    assert len(taken) == 1


async def test_anything_but_one_address_is_refused(subtests: pytest.Subtests) -> None:
    """Two addresses, control characters and blanks never reach a mail server (security U7)."""
    for to in [
        "",
        " ",
        "lin",
        "@example.org",
        "lin@",
        "a@b.c,evil@y.z",
        "a@b.c;evil@y.z",
        "a@b.c evil@y.z",
        " a@b.c",
        "a@b.c ",
        "a@b.c\n",
        "a@b.c\r\nBcc: evil@y.z",
        "a\0@b.c",
        "a@b\0.c",
        "a@b.c>",
        "<a@b.c>",
        "Lin <a@b.c>",
        '"a,b"@c.d',
        "a(b)@c.d",
        "a@@c.d",
        "a@[127.0.0.1]",
        "a@-c.d",
        "a@c..d",
        "林@example.org",
        "a@例子.cn",
        "a" * 65 + "@b.c",
        "a@" + "b" * 64 + ".c",
    ]:
        with subtests.test(to=to):
            with pytest.raises(NotSent) as refused:
                await SmtpSender(options(9)).send(mail(to=to))
            assert refusal(refused) is False


@pytest.mark.parametrize("key", ["", "a b", "a>b", "a\nb", "a@b", ".a", "k" * 129])
async def test_unfit_id_is_refused(key: str) -> None:
    """An id that does not fit into a Message-ID is refused."""
    with pytest.raises(NotSent) as refused:
        await SmtpSender(options(9)).send(mail(key=key))
    assert refusal(refused) is False


def test_log_has_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level no log of the client side has the code (security C13)."""
    with caplog.at_level(logging.DEBUG):
        deliver(smtpd(Sink()), mail())
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("mail.")]
    assert all(CODE not in line and ADDRESS not in line for line in ours)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"host": "mail.example"}, "security"),
        ({"host": ""}, "host"),
        ({"host": "a b"}, "host"),
        ({"host": "a\r\nb"}, "host"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"sender": "a@b.c,d@e.f"}, "sender"),
        ({"user": "mailer"}, "password"),
        ({"password": PASSWORD}, "user"),
        ({"security": "TLS"}, "security"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        (
            {
                "host": "mail.example",
                "allow_plaintext": True,
                "user": "mailer",
                "password": PASSWORD,
            },
            "password",
        ),
    ],
)
def test_bad_options_are_refused_when_built(changes: dict[str, object], field: str) -> None:
    """A setting that is invalid, or would send secrets unencrypted, is refused by name."""
    fields: dict[str, object] = {"host": HOST, "port": 25, "sender": FROM, "security": "none"}
    with pytest.raises(ValueError, match=f"^{field}:") as refused:
        SmtpOptions(**(fields | changes))  # type: ignore[arg-type]  # wrong on purpose
    assert PASSWORD not in str(refused.value)


def test_plaintext_beyond_loopback_needs_consent() -> None:
    """A setting allows a relay without login in the operator's own network."""
    wanted = SmtpOptions("relay", 25, FROM, security="none", allow_plaintext=True)
    assert wanted.security == "none"


def test_unreadable_authority_is_refused(tmp_path: Path) -> None:
    """A ca_file that is missing or not PEM is refused at start, not at the first mail."""
    (tmp_path / "junk.pem").write_text("junk")
    for name in ("missing.pem", "junk.pem"):
        with pytest.raises(ValueError, match=r"^ca_file: "):
            SmtpSender(options(465, security="tls", ca_file=str(tmp_path / name)))


def test_repr_keeps_the_password() -> None:
    """Options can be logged."""
    assert PASSWORD not in repr(options(465, security="tls", user="mailer", password=PASSWORD))
