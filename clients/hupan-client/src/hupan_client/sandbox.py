"""What `hupan sandbox` offers besides the contract: requests and answers, without network."""

from collections.abc import Mapping
from typing import Literal, TypeAlias, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec
from msgspec import UNSET, Struct

from hupan_client.core import HTTP_OK, JSON_TYPE, ServerUrl, WireAnswer, WireRequest
from hupan_client.errors import HupanError, UnreadableAnswer

Channel: TypeAlias = Literal["sms", "email", "captcha", "push"]
Result = TypeVar("Result")
MAX_SANDBOX_BYTES = 256 * 1024 * 1024
"""Of a whole journal, decoded, or of the file of a snapshot."""


class SandboxRefusal(HupanError):
    """The sandbox did not do it; the text says why.

    Attributes:
        http_status: 400 for a wrong request, 404 for what is not there, 408 for a wait that ended.
    """

    def __init__(self, message: str, http_status: int = 400) -> None:
        super().__init__(message)
        self.http_status = http_status


class Account(Struct, frozen=True):
    """An account and the token of a session; `repr` hides the token."""

    id: str
    token: str

    def __repr__(self) -> str:
        return f"Account(id={self.id!r}, token=<hidden>)"


class SeededAccount(Struct, frozen=True):
    """An account of a seed pack; "" for what it has not. `repr` hides password and token."""

    id: str
    phone: str = ""
    email: str = ""
    password: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return f"SeededAccount(id={self.id!r}, phone={self.phone!r}, email={self.email!r}, …)"


class SentMessage(Struct, frozen=True, rename="camel"):
    """What the sandbox would have sent; a captcha's `to` is its id, its `code` the answer."""

    id: int
    channel: Channel
    to: str
    purpose: str
    code: str
    text: str
    created_at: int


class PendingItem(Struct, frozen=True):
    """What happens when the clock shows `at`."""

    at: int
    what: str


class ClockState(Struct, frozen=True):
    """The sandbox's time in unix seconds, and what is pending."""

    now: int
    frozen: bool = False
    pending: tuple[PendingItem, ...] = ()


class Fault(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What goes wrong, and for which requests.

    Attributes:
        path: such as `/v1/user/info`; one that ends in `*` matches what begins so.
        account: the id of the account whose token the request bears.
        nth: only the nth request that matches.
        probability: the chance that it fires for a matching request, from 0 to 1.
        code: the answer is this error, and nothing is done.
        http_status: the answer has this HTTP status.
        delay_ms: milliseconds before anything is done.
        reset: the connection breaks `before` anything is done, or `after` it is kept.
        truncate: bytes of the answer before the connection ends.
        garble: the bytes of the answer are changed.
        trickle: bytes of the answer that are sent in a second.
        hits: how often it has happened.
    """

    path: str | None = None
    account: str | None = None
    nth: int | None = None
    probability: float | None = None
    code: int | None = None
    http_status: int | None = None
    delay_ms: int | None = None
    reset: Literal["before", "after"] | None = None
    truncate: int | None = None
    garble: bool = False
    trickle: int | None = None
    hits: int = 0


class Rule(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is answered where Hupan has no endpoint: JSON, bytes, or what another program says.

    Attributes:
        path: such as `/v1/msg/list-message`; one that ends in `*` matches what begins so.
        method: None for any.
        status: the HTTP status, 200 if it is None.
        json: the answer as JSON.
        bytes_base64: the answer as bytes.
        content_type: the content type of the answer.
        forward: a program on the sandbox's machine, such as `http://127.0.0.1:9000`.
        hits: how often it has answered.
    """

    path: str
    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] | None = None
    status: int | None = None
    json: object = UNSET
    bytes_base64: str | None = None
    content_type: str | None = None
    forward: str | None = None
    hits: int = 0


class UnservedPath(Struct, frozen=True, rename="camel"):
    """A path that clients ask for and that Hupan does not serve.

    Attributes:
        rule: which rule answers it, counted from 1; 0 for none.
    """

    method: str
    path: str
    count: int
    last_at: int
    rule: int


class UnservedPaths(Struct, frozen=True):
    """All of them, the most frequent first, and how many requests that were."""

    count: int
    paths: tuple[UnservedPath, ...]


class Snapshot(Struct, frozen=True, rename="camel"):
    """A saved state of the sandbox.

    Attributes:
        now: the time that the sandbox returns to.
        size: bytes of its file.
    """

    name: str
    saved_at: int
    now: int
    accounts: int
    size: int


class JournalField(Struct, frozen=True, rename="camel"):
    """One field of a body, and what is wrong with it.

    Attributes:
        path: such as `data.list[0].name`.
        mark: `ok`, or `unknown`, `wrongType`, `outOfRange`, `missing`, `repeated`, `refused`,
            `broken`.
        note: the same as a sentence.
    """

    path: str
    mark: str = "ok"
    note: str = ""


class JournalBody(Struct, frozen=True, rename="camel"):
    """The body of one direction.

    Attributes:
        form: `json`, `protobuf`, `query`, `text`, `binary`, or `none`.
        decoded: as JSON, None if it could not be read.
        fields: all its fields.
        problem: why it could not be read.
    """

    form: str
    size: int
    decoded: object = None
    fields: tuple[JournalField, ...] = ()
    problem: str = ""


class JournalRefusal(Struct, frozen=True):
    """The error that ended a request, and when it occurs."""

    name: str
    code: int
    message: str
    when: str


class JournalEntry(Struct, frozen=True, rename="camel"):
    """One request and its answer, or one message of a socket.

    Attributes:
        kind: `request`, `rejected`, `message` or `closed`.
        status: the HTTP status, 0 if there was no answer.
        result: `ok`, `refused`, `unauthenticated`, `limited` or `error`.
        curl: a command that sends the same bytes again.
    """

    id: int
    kind: str
    created_at: int
    duration_ms: float
    method: str
    path: str
    account: str
    status: int
    code: int | None
    result: str
    refusal: JournalRefusal | None
    note: str
    request: JournalBody
    response: JournalBody
    curl: str


class _Problem(Struct):
    error: str


def snapshot_path(name: str) -> str:
    """Return the path of a snapshot; the sandbox says what a name may be."""
    if name.strip(".") == "":
        raise ValueError("a snapshot needs a name")
    return f"snapshots/{quote(name, safe='')}"


class SandboxCore:
    """Builds the requests of a sandbox and reads its answers."""

    def __init__(self, url: ServerUrl) -> None:
        self.url = url

    def build(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, object] | None = None,
    ) -> WireRequest:
        """Return a request; parameters that are None or "" are left out."""
        given = {key: str(value) for key, value in (query or {}).items() if value not in (None, "")}
        tail = f"?{urlencode(given)}" if given else ""
        headers = {"accept-language": "en"}
        content = b""
        if body is not None:
            is_file = isinstance(body, bytes)
            headers["content-type"] = "application/octet-stream" if is_file else JSON_TYPE
            content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        url = f"{self.url.text}/sandbox/{path}{tail}"
        return WireRequest(method, url, headers, content)

    def read(self, answer: WireAnswer, result_type: type[Result]) -> Result:
        """Return the result.

        Raises:
            SandboxRefusal: the sandbox says why not.
            UnreadableAnswer: the answer is not that of a sandbox.
        """
        try:
            if answer.http_status != HTTP_OK:
                problem = msgspec.json.decode(answer.body, type=_Problem)
                raise SandboxRefusal(problem.error, answer.http_status)
            if result_type is bytes:
                return cast("Result", answer.body)
            return msgspec.json.decode(answer.body, type=result_type)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            msg = f"HTTP status {answer.http_status}: is {self.url.text} a sandbox? ({error})"
            raise UnreadableAnswer(msg, answer.http_status) from None
