"""A client that only knows wire.md and the sandbox's routes, and imports nothing of the product."""

import itertools
import json
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import httpx

from tests.support import pb
from tests.support.answers import Account, Answer, Captcha, OutboxMessage, read_answer
from tests.support.connections import Connection, can_send
from tests.support.ports import LOOPBACK
from tests.support.servers import Server

MESSAGE_SECONDS = 10.0
ANY_TOKEN = "anything"
Body = Mapping[str, object] | bytes | Iterable[bytes]


class WireClient:
    """Send requests to one server, and check the common rules of every response.

    Args:
        server: it may be restarted meanwhile.
        is_kept: whether the requests of the thread that makes the client share a connection; by
            default unless the server has several processes, which a client then meets at random.
    """

    def __init__(self, server: Server, *, is_kept: bool | None = None) -> None:
        self.server = server
        self._is_kept = server.has_one_process if is_kept is None else is_kept
        self._connection = Connection(LOOPBACK, server.port)
        self._thread = threading.get_ident()
        self._mine = threading.local()
        self._serial = itertools.count(1)

    def __enter__(self) -> Self:
        """Return itself; connections open when they are needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections of this thread; others ended with their requests."""
        self.close()

    def close(self) -> None:
        """Close the connections of this thread."""
        client: httpx.Client | None = getattr(self._mine, "client", None)
        if client is not None:
            client.close()
        self._connection.close()

    @property
    def http(self) -> httpx.Client:
        """Return this thread's client of httpx: sharing one would close others' connections."""
        client: httpx.Client | None = getattr(self._mine, "client", None)
        if client is None:
            client = self._mine.client = httpx.Client(
                base_url=self.server.url,
                trust_env=False,
                verify=False,  # noqa: S501 - plain HTTP on loopback; reading the roots costs 20 ms
                timeout=120,
                # One connection each: the server may close a kept one just as it is used.
                limits=httpx.Limits(max_connections=100, max_keepalive_connections=0),
                # A test that wants compression requests it; httpx always would.
                headers={"accept-encoding": "identity"},
            )
        return client

    def fresh_phone(self) -> str:
        """Return a number that is new to this server."""
        return f"139{next(self._serial):08d}"

    def fresh_email(self) -> str:
        """Return an address that is new to this server."""
        return f"visitor{next(self._serial)}@example.com"

    def request(
        self,
        method: str,
        path: str,
        body: Body = b"",
        *,
        token: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send one request unchanged: no Content-Type unless it is among the headers."""
        named: dict[str, str | bytes] = {**(headers or {})}
        if token is not None:
            named["token"] = token
        content = json.dumps(body, ensure_ascii=False) if isinstance(body, Mapping) else body
        raw = [(k.encode(), v if isinstance(v, bytes) else v.encode()) for k, v in named.items()]
        if not isinstance(content, str | bytes) or not can_send(raw):
            return self.http.request(method, path, content=content, headers=raw)
        content = content.encode() if isinstance(content, str) else content
        if self._is_kept and threading.get_ident() == self._thread:
            return self._connection.request(method, path, content, raw)
        with closing(Connection(LOOPBACK, self.server.port)) as connection:
            return connection.request(method, path, content, raw)

    def post(
        self,
        path: str,
        body: Body = b"",
        *,
        token: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a POST to `/v1/<path>` and read the response."""
        reply = self.request("POST", f"/v1/{path}", body, token=token, headers=headers)
        return read_answer(reply.status_code, reply.headers, reply.content)

    def own_info(
        self, token: str | bytes | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send GET `/v1/user/info`."""
        reply = self.request("GET", "/v1/user/info", token=token, headers=headers)
        return read_answer(reply.status_code, reply.headers, reply.content)

    def get_user(self, user_id: str, token: str | None = ANY_TOKEN) -> Answer:
        """Send a protobuf POST to `/v1/user/get-user`."""
        return self.post("user/get-user", pb.text(2, user_id), token=token)

    def captcha(self) -> Captcha:
        """Fetch a captcha and look up its answer."""
        answer = self.post("user/captcha")
        captcha_id = answer.text("id")
        letters = self.list_outbox("captcha", captcha_id)
        assert len(letters) == 1, letters
        return Captcha(captcha_id, answer.text("b64s"), letters[0].code)

    def solved(self) -> dict[str, object]:
        """Return the two fields of a solved captcha."""
        captcha = self.captcha()
        return {"code": captcha.answer, "id": captcha.id}

    def ask_sms(self, mobile: str) -> Answer:
        """Request an SMS code with a solved captcha."""
        body = {"mobile": mobile, **self.solved()}
        return self.post("verification/get-verification-code", body)

    def ask_email(self, email: str, **extra: object) -> Answer:
        """Request an e-mail code with a solved captcha."""
        body = {"email": email, **self.solved(), **extra}
        return self.post("verification/get-email-verification-code", body)

    def sms_code(self, mobile: str, sent_to: str = "") -> str:
        """Request an SMS code and return the one that arrives at the number (or at `sent_to`)."""
        to = sent_to or mobile
        before = {letter.id for letter in self.list_outbox("sms", to)}
        assert self.ask_sms(mobile).code == 1
        return self.next_message("sms", to, before).code

    def wrong_code(self, right: str) -> str:
        """Return a wrong code of the right form."""
        return f"{(int(right) + 1) % 1_000_000:06d}"

    def sign_in(self, mobile: str, code: str, **extra: object) -> Answer:
        """Sign in with an SMS code."""
        return self.post("user/verification-login", {"mobile": mobile, "captcha": code, **extra})

    def signed_in(self, mobile: str, **extra: object) -> str:
        """Request a code, sign in with it and return the token."""
        return self.sign_in(mobile, self.sms_code(mobile), **extra).text("token")

    def email_login(self, email: str, password: str, **extra: object) -> Answer:
        """Sign in with an address and a password."""
        return self.post("user/email-login", {"email": email, "password": password, **extra})

    def account(self, **fields: object) -> Account:
        """Create an account by the sandbox's route."""
        reply = self.request("POST", "/sandbox/accounts", fields)
        assert reply.is_success, reply.text
        made = reply.json()
        assert isinstance(made["id"], str)
        assert isinstance(made["token"], str)
        return Account(made["id"], made["token"])

    def list_outbox(self, channel: str, to: str) -> list[OutboxMessage]:
        """Return the messages to one target, newest first."""
        reply = self.request("GET", f"/sandbox/outbox?{urlencode({'channel': channel, 'to': to})}")
        assert reply.status_code == 200, reply.text
        return [
            OutboxMessage(str(m["id"]), m["channel"], m["to"], m["code"], m["text"])
            for m in reply.json()
        ]

    def next_message(self, channel: str, to: str, before: set[str]) -> OutboxMessage:
        """Return the first message to a target that is not a known one."""
        deadline = time.monotonic() + MESSAGE_SECONDS
        while time.monotonic() < deadline:
            new = [letter for letter in self.list_outbox(channel, to) if letter.id not in before]
            if new:
                return new[-1]
            time.sleep(0.02)
        msg = f"nothing was sent to {to} by {channel}"
        raise AssertionError(msg)

    def set_clock(self, **order: int) -> int:
        """Set the sandbox's clock (`set` or `advance`) and return its time in unix seconds."""
        reply = self.request("POST", "/sandbox/clock", order)
        assert reply.status_code == 200, reply.text
        now = reply.json()["now"]
        assert isinstance(now, int | float)
        return int(now)
