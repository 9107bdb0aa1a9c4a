"""`hupan config send-test`: the response of the gateway or the mail server, without a server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from typer.testing import CliRunner

from hupan.cli.main import app
from tests.support.delivery_samples import ADDRESS, PASSWORD, PHONE
from tests.support.http_servers import HOST, Gateway, serving
from tests.support.ports import free_port
from tests.support.smtp_servers import FROM, Sink


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """Return the exit status and both outputs."""
    told = CliRunner().invoke(app, ["config", "send-test", *arguments], env=environment)
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return told.exit_code, told.stdout + told.stderr


def gateway_settings(port: int, **more: str) -> dict[str, str]:
    """Return the settings of a test gateway."""
    return {
        "HUPAN_SMS_SENDER": "http",
        "HUPAN_SMS_URL": f"http://{HOST}:{port}/send?key={PASSWORD}",
        **more,
    }


@contextmanager
def mail_server(sink: Sink) -> Iterator[dict[str, str]]:
    """Yield a mail server in a thread, and the settings for it."""
    port = free_port()
    controller = Controller(sink, hostname=HOST, port=port)
    controller.start()
    try:
        yield {
            "HUPAN_EMAIL_SENDER": "smtp",
            "HUPAN_SMTP_HOST": HOST,
            "HUPAN_SMTP_PORT": str(port),
            "HUPAN_SMTP_SECURITY": "none",
            "HUPAN_SMTP_FROM": f"东湖 <{FROM}>",
        }
    finally:
        controller.stop()


def test_an_sms_goes_out_and_the_answer_is_shown() -> None:
    """R07: one request with a code that is not valid; the gateway's response follows."""
    gateway = Gateway(
        headers={"Content-Type": "text/plain; charset=gbk"}, body="提交成功,88".encode("gbk")
    )
    with serving(gateway) as port:
        status, told = run("--sms", PHONE, **gateway_settings(port))
    assert status == 0, told
    assert told.endswith("OK accepted for 138****8000\n200 提交成功,88\n")
    (seen,) = gateway.seen
    assert json.loads(seen.body)["code"] == "000000"
    assert PHONE not in told
    assert PASSWORD not in told


def test_a_refusal_is_shown_with_its_words() -> None:
    """R07: `30` is a wrong password at some gateways, not a success that contains 0."""
    gateway = Gateway(body=f"30 {PHONE} {PASSWORD}".encode())
    with serving(gateway) as port:
        settings = gateway_settings(port, HUPAN_SMS_SUCCESS_TEXT="0")
        status, told = run("--sms", PHONE, **settings)
    assert status == 1
    assert "without what counts as a success: 30 *** ***" in told
    assert PHONE not in told
    assert PASSWORD not in told


def test_a_gateway_out_of_reach_is_reported() -> None:
    """R07: a gateway without a listener is reported as unreachable."""
    status, told = run("--sms", PHONE, **gateway_settings(free_port()))
    assert (status, "cannot be reached" in told) == (1, True)


def test_a_mail_goes_out_from_the_name_that_was_set() -> None:
    """R07, X12: `Name <address>` works as documented; the server's response is shown."""
    sink = Sink(data="250 2.0.0 Ok: queued as 4XyZ")
    with mail_server(sink) as settings:
        status, told = run("--email", ADDRESS, **settings)
    assert status == 0, told
    assert "250 2.0.0 Ok: queued as 4XyZ" in told
    assert sink.mail()["From"] == f"东湖 <{FROM}>"
    assert "000000" in sink.mail().get_content()
    assert ADDRESS not in told


def test_a_refused_mail_is_reported() -> None:
    """R07: the mail server's own text is shown, with the address masked."""
    with mail_server(Sink(rcpt=f"550 5.1.1 <{ADDRESS}> no such mailbox")) as settings:
        status, told = run("--email", ADDRESS, **settings)
    assert status == 1
    assert "answered 550: 5.1.1 <***> no such mailbox" in told


def test_both_channels_at_once() -> None:
    """The status is 1 when either of them failed."""
    sink, gateway = Sink(), Gateway(500)
    with mail_server(sink) as settings, serving(gateway) as port:
        both = {**settings, **gateway_settings(port)}
        status, told = run("--email", ADDRESS, "--sms", PHONE, **both)
    assert status == 1
    assert ("OK accepted for" in told, "the gateway answered 500" in told) == (True, True)


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "word"),
    [
        ((), {}, 2, "use --sms or --email"),
        (("--sms", "x"), {}, 2, "--sms is not valid"),
        (("--email", "x"), {}, 2, "--email is not valid"),
        (("--sms", PHONE), {}, 1, "sms_sender is console"),
        (("--email", ADDRESS), {}, 1, "email_sender is console"),
        (
            ("--sms", PHONE),
            {"HUPAN_SMS_SENDER": "http", "HUPAN_SMS_URL": "http://sms.example/"},
            1,
            "sms_url: expected another value (http is for loopback hosts only",
        ),
    ],
)
def test_what_cannot_be_sent(
    arguments: tuple[str, ...], environment: dict[str, str], status: int, word: str
) -> None:
    """X12: settings are refused with the messages of `hupan config check`."""
    told = run(*arguments, **environment)
    assert (told[0], word in " ".join(told[1].split())) == (status, True), told
