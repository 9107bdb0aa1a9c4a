"""Clients of many addresses: a sandbox with one trusted proxy, and requests through it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support import pb
from tests.support.answers import Answer, read_answer
from tests.support.client import Body, WireClient
from tests.support.servers import Server

HOUR = 3600
TOO_MANY, TOO_MANY_FROM_HERE, SENDING_STOPPED = 1203, 1204, 1205
WRONG_CAPTCHA, WRONG_CODE, WRONG_PASSWORD = 1201, 1202, 1301
HEADER = "x-forwarded-for"
BEHIND_A_PROXY = {"HUPAN_TRUSTED_PROXIES": "127.0.0.1/32", "HUPAN_CLIENT_IP_HEADER": HEADER}


@dataclass(frozen=True)
class ProxiedClient:
    """A client at some address."""

    wire: WireClient
    address: str

    def post(self, path: str, body: Body = b"", token: str | None = None) -> Answer:
        """Send a POST to `/v1/<path>`."""
        return self.wire.post(path, body, token=token, headers={HEADER: self.address})

    def solved(self) -> dict[str, object]:
        """Return the two fields of a captcha that was fetched and solved here."""
        captcha_id = self.post("user/captcha").text("id")
        answer = self.wire.list_outbox("captcha", captcha_id)[0].code
        return {"id": captcha_id, "code": answer}

    def ask_sms(self, mobile: str) -> Answer:
        """Request a code by SMS."""
        body = {"mobile": mobile, **self.solved()}
        return self.post("verification/get-verification-code", body)

    def ask_email(self, email: str) -> Answer:
        """Request a code by e-mail."""
        body = {"email": email, **self.solved()}
        return self.post("verification/get-email-verification-code", body)

    def guess(self, mobile: str, code: str = "100000") -> Answer:
        """Try to sign in with a code."""
        return self.post("user/verification-login", {"mobile": mobile, "captcha": code})

    def get_user(self, user_id: str, token: str = "anything") -> Answer:  # noqa: S107 - no token
        """Request a user's profile."""
        return self.post("user/get-user", pb.text(2, user_id), token)

    def homepage(self, user_id: str) -> Answer:
        """Request a user's homepage on the web."""
        reply = self.wire.request(
            "GET", f"/web/v1/user/homepage?userId={user_id}", headers={HEADER: self.address}
        )
        return read_answer(reply.status_code, reply.headers, reply.content)


@contextmanager
def limited(settings: Mapping[str, str] | None = None) -> Iterator[WireClient]:
    """Yield a client of a sandbox with limits, its clock at the beginning of an hour."""
    given = {f"HUPAN_{name.upper()}": value for name, value in (settings or {}).items()}
    with (
        Server("sandbox", "--limits", environment={**BEHIND_A_PROXY, **given}) as server,
        WireClient(server) as wire,
    ):
        begin_an_hour(wire)
        yield wire


def begin_an_hour(wire: WireClient) -> None:
    """Set the clock to the next full hour."""
    now = wire.set_clock(advance=0)
    wire.set_clock(set=(now // HOUR + 1) * HOUR)


def apart(number: int) -> str:
    """Return a phone number that shares its first seven digits with no other one here."""
    return f"13{number:05d}0000"
