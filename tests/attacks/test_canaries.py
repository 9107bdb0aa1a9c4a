"""No code, token, password or whole number is in any log, answer or metric (security L1, C13)."""

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import apsw
import httpx
import pytest

from tests.support.channels import EMAIL, PHONE, forget
from tests.support.client import Body, WireClient
from tests.support.endpoint_calls import CALLS, Call
from tests.support.ports import LOOPBACK, ports_in_a_row
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

LOGS = [
    *itertools.product(("debug", "info"), ("text", "json")),
    ("warning", "text"),
    ("error", "json"),
]
PHONES = ("13977770001", "13977770002", "13977770003")
EMAILS = ("canary.one@example.com", "canary.two@example.com", "canary.three@example.com")
FIRST, SECOND, WRONG = "canary-柳浪-a1", "canary-闻莺-b2", "canary-雷峰-c3"
DEVICE, CAPTCHA = "canary-device-d4", "CNRY"
TOKEN = "ca11a2b3-0c4d-4e5f-8a6b-ca11a2b3c4d5"
BEARER = "canary-bearer-e5"
FIELDS: Mapping[str, object] = {
    "mobile": PHONES[2],
    "phone": PHONES[2],
    "email": EMAILS[2],
    "password": WRONG,
    "captcha": "907351",
    "code": CAPTCHA,
    "id": "canary-captcha-id",
    "deviceId": DEVICE,
    "platform": "canary-platform",
    "name": "canary-name",
    "registrationId": "canary-push",
}


class RecordingClient(WireClient):
    """A client that records each response, but those of the sandbox's own routes."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.answers: list[str] = []

    def request(
        self,
        method: str,
        path: str,
        body: Body = b"",
        *,
        token: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send one request and record the response."""
        response = super().request(method, path, body, token=token, headers=headers)
        if not path.startswith("/sandbox/"):
            lines = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
            self.answers.append(lines + "\n" + response.content.decode("latin-1"))
        return response

    def live(self) -> tuple[list[str], list[str]]:
        """Perform every operation with right and wrong values; return the codes and the tokens."""
        phone, email = PHONES[0], EMAILS[0]
        self.account(phone=phone, email=email, password=FIRST, vipDays=3)
        codes = [self.sms_code(phone)]
        tokens = [self.sign_in(phone, codes[0], deviceId=DEVICE).text("token")]
        self.sign_in(phone, self.wrong_code(codes[0]))
        tokens.append(self.email_login(email, FIRST, deviceId=f"{DEVICE}2").text("token"))
        self.email_login(email, WRONG)
        for way, target in ((PHONE, PHONES[1]), (EMAIL, EMAILS[1])):
            codes.append(way.code(self, target))
            way.change(self, tokens[1], target, self.wrong_code(codes[-1]))
            assert way.change(self, tokens[1], target, codes[-1]).code == 1
        codes.append(EMAIL.code(self, EMAILS[1], typ="forget_password"))
        assert forget(self, EMAILS[1], codes[-1], SECOND).code == 1
        tokens.append(self.email_login(EMAILS[1], SECOND).text("token"))
        return codes, tokens

    def request_all_routes(self) -> None:
        """Request every route with canaries in everything it reads, with tokens and without."""
        for call in CALLS:
            body = {**call.body, **FIELDS} if isinstance(call.body, Mapping) else call.body
            path = f"{call.path}{'&' if '?' in call.path else '?'}token={TOKEN}"
            for token in (None, TOKEN):
                headers = {"authorization": f"Bearer {BEARER}", "device-id": DEVICE}
                Call(call.method, path, body).reply(self, token, **headers)
                self.request(call.method, path, b'{"password": "' + WRONG.encode(), token=token)


@pytest.fixture(params=LOGS, ids="-".join)
def ports(request: pytest.FixtureRequest) -> Iterator[tuple[Server, int]]:
    """Yield a sandbox with a log level and format, and its metrics port."""
    (level, form), port = request.param, ports_in_a_row()
    environment = {
        "HUPAN_LOG_LEVEL": level,
        "HUPAN_LOG_FORMAT": form,
        "HUPAN_METRICS_PORT": str(port),
    }
    with Server("sandbox", "--quiet", environment=environment) as server:
        yield server, port


def test_no_secret_is_shown(ports: tuple[Server, int]) -> None:
    """On every route and log level no secret is in the log, a metric or a response (L1)."""
    server, port = ports
    with RecordingClient(server) as watched:
        codes, tokens = watched.live()
        watched.request_all_routes()
    metrics = httpx.get(f"http://{LOOPBACK}:{port}/metrics", trust_env=False).text
    server.stop()
    log = server.output()
    assert "event=sign-in-by-password" in log
    known = [FIRST, SECOND, WRONG, CAPTCHA, TOKEN, BEARER, DEVICE, "canary", *PHONES, *tokens]
    assert [text for text in known if text in log] == []
    names = "\n".join(line.rpartition(" ")[0] for line in metrics.splitlines())
    assert [text for text in [*known, *EMAILS, *codes] if text in names] == []
    assert not set(codes) & set(_words_of_digits(log))
    assert len(watched.answers) > 4 * len(CALLS)
    answers = "\n".join(watched.answers)
    assert [
        text for text in (FIRST, SECOND, WRONG, TOKEN, BEARER, CAPTCHA) if text in answers
    ] == []
    assert not set(codes) & set(_words_of_digits(answers))


def _words_of_digits(text: str) -> list[str]:
    """Return the words of exactly six digits, which could be codes; parts of hex ids are not."""
    return re.findall(r"(?<![0-9A-Za-z])[0-9]{6}(?![0-9A-Za-z])", text)


def test_a_store_that_fails_shows_no_secret(tmp_path: Path) -> None:
    """Exceptions in every route, caused by missing tables, show no secret either (L1, L4)."""
    with (
        Server("sandbox", "--quiet", "--data-dir", str(tmp_path)) as server,
        RecordingClient(server) as watched,
    ):
        codes, tokens = watched.live()
        _break(tmp_path / "hupan.db")
        watched.request_all_routes()
        for call in CALLS:
            call.reply(watched, tokens[-1])
        server.stop()
        log = server.output()
    assert " ERROR " in log
    known = [FIRST, SECOND, WRONG, CAPTCHA, TOKEN, BEARER, DEVICE, "canary", *PHONES, *tokens]
    assert [text for text in known if text in log] == []
    assert not set(codes) & set(_words_of_digits(log))


def _break(path: Path) -> None:
    """Drop the tables of a running server."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA foreign_keys = OFF").fetchall()
    for table in ("sessions", "codes", "identities"):
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_gone").fetchall()
    connection.close()
