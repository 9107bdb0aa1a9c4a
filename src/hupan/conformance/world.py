"""Helpers for checks: parsed answers, accounts and codes."""

import base64
import json
import secrets
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from hupan.conformance import protobuf as pb
from hupan.conformance.target import Reply, Unreachable, Wire
from hupan.localized import LocalizedError

JSON_TYPE = "application/json; charset=utf-8"
PROTOBUF_TYPE = "application/x-protobuf"
_COMMAND_SECONDS = 30.0
_OUTBOX_LOOKS, _OUTBOX_SECONDS = 50, 0.1
LIMITED_CODES = range(1203, 1206)


class CannotCheck(LocalizedError):
    """A check needs something that this server or this run does not have."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its code, in either form."""

    reply: Reply
    values: Mapping[str, Any]
    message: pb.Message
    is_json: bool

    @property
    def code(self) -> int:
        """Return the code; 0 if there is none."""
        if self.is_json:
            code = self.values.get("code", self._json_status().get("code"))
            return code if type(code) is int else 0
        return self.message.message(1).number(2)

    @property
    def msg(self) -> str:
        """Return the text for the user."""
        if self.is_json:
            return str(self.values.get("msg", self._json_status().get("msg", "")))
        return self.message.message(1).text(3)

    @property
    def data(self) -> Mapping[str, Any]:
        """Return `data` of JSON; {} if it is not an object."""
        data = self.values.get("data")
        return data if isinstance(data, dict) else {}

    @property
    def pb_data(self) -> pb.Message:
        """Return field 2 of protobuf."""
        return self.message.message(2)

    def _json_status(self) -> Mapping[str, Any]:
        status = self.values.get("status")
        return status if isinstance(status, dict) else {}


def read_answer(reply: Reply) -> Answer:
    """Read an answer by its content type.

    Raises:
        Malformed: it is neither JSON nor protobuf.
    """
    if reply.header("content-type").startswith("application/json"):
        try:
            values = json.loads(reply.body)
        except ValueError as error:
            raise pb.Malformed(f"no JSON: {reply.body[:60]!r}") from error
        if not isinstance(values, dict):
            raise pb.Malformed(f"no JSON object: {reply.body[:60]!r}")
        return Answer(reply, values, pb.Message(), is_json=True)
    if reply.header("content-type").startswith(PROTOBUF_TYPE):
        return Answer(reply, {}, pb.decode(reply.body), is_json=False)
    kind = reply.header("content-type")
    raise pb.Malformed(f"HTTP {reply.status} with content type {kind!r}")


@dataclass(frozen=True, slots=True)
class Account:
    """An account with a session."""

    id: str
    token: str
    phone: str


@dataclass(slots=True)
class Supplies:
    """Where codes come from when there is no sandbox.

    Attributes:
        command: prints a code; it is given the channel and the number, address or captcha's id.
        phones: numbers of the tester's own.
        emails: addresses of the tester's own.
    """

    command: str = ""
    phones: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)


@dataclass
class World:
    """One server under test, with what was created on it so far."""

    wire: Wire
    supplies: Supplies = field(default_factory=Supplies)
    _used_entries: set[object] = field(default_factory=set)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | Mapping[str, object] | None = None,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """Call a path below `/v1`; `_` in the name of a header is a dash."""
        content = body if body is None or isinstance(body, bytes) else _to_json(body)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["token"] = token
        return read_answer(self.wire.send(method, f"/v1/{path}", content, given))

    def post(
        self,
        path: str,
        body: bytes | Mapping[str, object] | None = None,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """POST to a path below `/v1`."""
        return self.call("POST", path, body, token, **headers)

    def own_info(self, token: str) -> Answer:
        """GET the caller's own account."""
        return self.call("GET", "user/info", token=token)

    def get_user(self, user_id: str, token: str = "any") -> Answer:  # noqa: S107 - any will do
        """Fetch the profile of an account."""
        return self.post("user/get-user", pb.text(2, user_id), token)

    @cached_property
    def has_sandbox(self) -> bool:
        """Whether the server has the routes of a sandbox."""
        try:
            reply = self.wire.send_raw("GET", "/sandbox/outbox?channel=push", None, {})
            return reply.status == 200 and isinstance(json.loads(reply.body), list)  # noqa: PLR2004
        except (ValueError, Unreachable):
            return False

    def sandbox_account(self, **fields: object) -> Account:
        """Create an account with VIP, coins, medals or a ban.

        Raises:
            CannotCheck: there is no sandbox.
        """
        if not self.has_sandbox:
            raise CannotCheck(
                "只能在沙盒中检查：需要带会员、金币、勋章或封禁的账号",
                "only a sandbox has accounts with VIP, coins, medals or bans on request",
            )
        given = {"phone": self.new_phone(), **fields}
        reply = self.wire.send_raw("POST", "/sandbox/accounts", _to_json(given), {})
        made = read_answer(reply).values
        return Account(str(made.get("id")), str(made.get("token")), str(given["phone"]))

    @cached_property
    def alice(self) -> Account:
        """An account that is kept for the whole run."""
        return self.sign_up()

    def sign_up(self) -> Account:
        """Sign in with a number that has no account yet, or one of the tester's own.

        Raises:
            CannotCheck: there is no number, or the server sends no code.
        """
        phone = self.new_phone()
        token = self.sign_in(phone)
        info = self.own_info(token)
        if info.code != 1:
            raise CannotCheck(
                f"登录后无法读取本人信息：{info.code}", f"own info refuses a new token: {info.code}"
            )
        return Account(info.pb_data.text(1), token, phone)

    def sign_in(self, phone: str, **more: object) -> str:
        """Sign in with a code and return the token.

        Raises:
            CannotCheck: it does not work, so that later checks cannot run.
        """
        answer = self.login(phone, self.sms_code(phone), **more)
        token = answer.data.get("token")
        if answer.code != 1 or not isinstance(token, str) or not token:
            raise CannotCheck(
                f"无法登录：{answer.code} {answer.msg}",
                f"cannot sign in: {answer.code} {answer.msg}",
            )
        return token

    def login(self, phone: str, code: str, **more: object) -> Answer:
        """Send one sign-in."""
        return self.post("user/verification-login", {"mobile": phone, "captcha": code, **more})

    def new_phone(self) -> str:
        """Return a number that was not used in this run.

        Raises:
            CannotCheck: there is none.
        """
        if self.supplies.phones:
            return self.supplies.phones.pop(0)
        if not self.has_sandbox:
            raise CannotCheck(
                "需要更多自己的手机号：请用 --phone 指定",
                "more numbers of your own are needed: specify them with --phone",
            )
        return f"139{secrets.randbelow(10**8):08d}"

    def new_email(self) -> str:
        """Return an address that was not used in this run.

        Raises:
            CannotCheck: there is none.
        """
        if self.supplies.emails:
            return self.supplies.emails.pop(0)
        if not self.has_sandbox:
            raise CannotCheck(
                "需要更多自己的邮箱：请用 --email 指定",
                "more addresses of your own are needed: specify them with --email",
            )
        return f"check{secrets.randbelow(10**9)}@example.com"

    def solved_captcha(self) -> dict[str, object]:
        """Fetch a captcha and return `id` and `code` of its answer."""
        answer = self.post("user/captcha")
        captcha_id, picture = str(answer.data.get("id")), str(answer.data.get("b64s"))
        return {"id": captcha_id, "code": self.code("captcha", captcha_id, picture)}

    def request_sms(self, phone: str) -> Answer:
        """Ask for a code by SMS."""
        body = {"mobile": phone, **self.solved_captcha()}
        return self.post("verification/get-verification-code", body)

    def request_email(self, email: str, **more: object) -> Answer:
        """Ask for a code by e-mail."""
        body = {"email": email, **self.solved_captcha(), **more}
        return self.post("verification/get-email-verification-code", body)

    def sms_code(self, phone: str) -> str:
        """Ask for a code by SMS and return it.

        Raises:
            CannotCheck: none is sent.
        """
        return self.code_of(self.request_sms(phone), "sms", phone)

    def email_code(self, email: str, **more: object) -> str:
        """Ask for a code by e-mail and return it."""
        return self.code_of(self.request_email(email, **more), "email", email)

    def code_of(self, answer: Answer, channel: str, to: str) -> str:
        """Return the code that was sent after a request for one.

        Raises:
            CannotCheck: none is sent.
        """
        if answer.code != 1:
            limited = "（被限流）" if answer.code in LIMITED_CODES else ""
            raise CannotCheck(
                f"服务器没有发送验证码{limited}：{answer.code} {answer.msg}",
                f"the server sends no code: {answer.code} {answer.msg}",
            )
        return self.code(channel, to)

    def code(self, channel: str, to: str, picture: str = "") -> str:
        """Return the answer to a captcha, or the code that was sent.

        Raises:
            CannotCheck: there is neither a sandbox nor a command.
        """
        if self.supplies.command:
            return self._run_command(channel, to, picture)
        if not self.has_sandbox:
            raise CannotCheck(
                "需要验证码：服务器不是沙盒，请使用 --code-command",
                "codes are needed, but the server is not a sandbox: use --code-command",
            )
        for _ in range(_OUTBOX_LOOKS):
            for entry in self.outbox(channel, to):
                number, code = entry.get("id"), entry.get("code")
                if code and isinstance(code, str) and number not in self._used_entries:
                    self._used_entries.add(number)
                    return code
            time.sleep(_OUTBOX_SECONDS)
        raise CannotCheck("沙盒没有收到验证码", "no code arrived in the sandbox's outbox")

    def outbox(self, channel: str, to: str) -> list[dict[str, object]]:
        """Return what the sandbox sent to an address, newest first."""
        path = f"/sandbox/outbox?channel={channel}&to={quote(to, safe='')}"
        reply = self.wire.send_raw("GET", path, None, {})
        try:
            found = json.loads(reply.body)
        except ValueError as error:
            raise pb.Malformed(f"no JSON: {reply.body[:60]!r}") from error
        return [entry for entry in found if isinstance(entry, dict)]

    def _run_command(self, channel: str, to: str, picture: str) -> str:
        content = base64.b64decode(picture.partition(",")[2]) if picture else b""
        seconds = min(_COMMAND_SECONDS, max(self.wire.deadline - time.monotonic(), 0.1))
        try:
            done = subprocess.run(  # noqa: S603 - the tester's own command
                [*shlex.split(self.supplies.command), channel, to],
                input=content,
                stdout=subprocess.PIPE,
                timeout=seconds,
                check=True,
            )
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            name = type(error).__name__
            raise CannotCheck(
                f"--code-command 没有输出验证码：{name}", f"--code-command printed no code: {name}"
            ) from error
        return done.stdout.decode("utf-8", "replace").strip()


def _to_json(values: Mapping[str, object]) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()
