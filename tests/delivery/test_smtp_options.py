from pathlib import Path

import pytest

from hupan.delivery.smtp import SmtpOptions, SmtpSender
from tests.delivery.samples import PASSWORD
from tests.delivery.smtp_servers import FROM, HOST, options


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
    """A setting that cannot work, or would send secrets in the clear, is refused by name."""
    fields: dict[str, object] = {"host": HOST, "port": 25, "sender": FROM, "security": "none"}
    with pytest.raises(ValueError, match=f"^{field}:") as refused:
        SmtpOptions(**(fields | changes))  # type: ignore[arg-type]  # wrong on purpose
    assert PASSWORD not in str(refused.value)


def test_plaintext_beyond_loopback_needs_consent() -> None:
    """A relay without login in the operator's own network can be allowed by name."""
    wanted = SmtpOptions("relay", 25, FROM, security="none", allow_plaintext=True)
    assert wanted.security == "none"


def test_unreadable_authority_is_refused(tmp_path: Path) -> None:
    """A ca_file that is missing or no PEM is told at start, not at the first mail."""
    (tmp_path / "junk.pem").write_text("junk")
    for name in ("missing.pem", "junk.pem"):
        with pytest.raises(ValueError, match=r"^ca_file: "):
            SmtpSender(options(465, security="tls", ca_file=str(tmp_path / name)))


def test_repr_keeps_the_password() -> None:
    """Options can be logged."""
    assert PASSWORD not in repr(options(465, security="tls", user="mailer", password=PASSWORD))
