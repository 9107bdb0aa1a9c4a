"""Keeps the last requests and socket messages of the sandbox, with their bytes (K-3).

Nothing is decoded when an entry is recorded: a client under test must not become slower because its
traffic is recorded. `decoding.py` explains an entry when it is shown.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from types import TracebackType
from typing import Literal, Self, TypeAlias, get_args

import msgspec
from msgspec import Struct

from hupan.api.codecs import read_token
from hupan.errors import ResultClass
from hupan.model import Headers

MAX_ENTRIES = 1000
MAX_JOURNAL_BYTES = 16 * 1024 * 1024
MAX_KEPT_BODY_BYTES = 256 * 1024
"""The kept part of each body and message; an entry records where it was cut."""
MAX_SUBSCRIBERS = 32
MAX_UNSERVED_PATHS = 500
_ENTRY_OVERHEAD_BYTES = 1024
_MAX_ACCOUNT_ID = 10**8
"""Any text of the form of a token names an account, mostly one with a larger id than there are."""

_MAX_TOKEN_RESPONSE_BYTES = 512
_MAX_LENGTH_DIGITS = 20

EntryKind: TypeAlias = Literal["request", "rejected", "message", "closed"]
"""`rejected` never reached an endpoint; `message` and `closed` are of a socket."""
Direction: TypeAlias = Literal["in", "out"]
RESULT_CLASSES: tuple[ResultClass, ...] = get_args(ResultClass)
TokenAccount: TypeAlias = Callable[[str], int | None]


@dataclass(slots=True)
class Payload:
    """Headers and body of one direction.

    Attributes:
        headers: names in lower case.
        body: its first bytes.
        size: the size of the whole body.
    """

    headers: Headers = field(default_factory=list)
    body: bytes = b""
    size: int = 0

    @property
    def is_truncated(self) -> bool:
        return self.size > len(self.body)

    def header(self, name: bytes) -> bytes:
        """Return the value of a header, b"" without one."""
        return next((value for known, value in self.headers if known == name), b"")


def parse_headers(lines: bytes) -> Headers:
    """Return the headers of whole lines."""
    pairs = (line.partition(b":") for line in lines.split(b"\r\n") if line)
    return [(name.lower(), value.strip()) for name, _, value in pairs]


@dataclass(slots=True)
class Entry:
    """One request with its response, or one message of a socket.

    Attributes:
        id: ascending; 0 before it is recorded.
        created_at: the sandbox's time when the request began.
        seconds: from there to the end of the response.
        target: path and query as they were sent.
        path: decoded, without the query.
        status: 0 if no response was sent.
        server: the address on which the request came in.
        socket: the id of the request that opened the socket, 0 for none.
        direction: `in` for a message from the client.
        rule: the number of the rule of `/sandbox/rules` that answered, 0 for none.
        fault: the number of the fault that acted, 0 for none.
        is_incomplete: whether the client was gone, or the connection was cut, before the end.
    """

    kind: EntryKind
    created_at: float
    method: str = ""
    target: bytes = b""
    path: str = ""
    http_version: str = "1.1"
    peer: str = ""
    server: tuple[str, int] = ("127.0.0.1", 0)
    request: Payload = field(default_factory=Payload)
    response: Payload = field(default_factory=Payload)
    status: int = 0
    seconds: float = 0.0
    socket: int = 0
    direction: Direction = "in"
    rule: int = 0
    fault: int = 0
    is_incomplete: bool = False
    token: str = ""
    id: int = 0

    @property
    def result(self) -> str:
        """The class of the outcome: that of `x-result`, otherwise that of the HTTP status."""
        result = self.response.header(b"x-result").decode("latin-1")
        if result in RESULT_CLASSES:
            return result
        if self.kind == "message" or self.status in range(100, 400):
            return "ok"
        return "error" if self.status >= 500 or not self.status else "refused"  # noqa: PLR2004 - HTTP

    def kept_bytes(self) -> int:
        """Return about how much memory it takes."""
        bodies = len(self.request.body) + len(self.response.body)
        heads = count_bytes(self.request.headers) + count_bytes(self.response.headers)
        return _ENTRY_OVERHEAD_BYTES + bodies + heads + len(self.target)


def count_bytes(headers: Headers) -> int:
    """Return the length of all names and values."""
    return sum(map(len, chain.from_iterable(headers)))


PackedRequest: TypeAlias = tuple[
    float,
    str,
    bytes,
    str,
    str,
    str,
    tuple[str, int],
    int,
    float,
    int,
    int,
    bool,
    bytes,
    bytes,
    int,
    bytes,
    bool,
    bytes,
    int,
]
"""What is kept of a request with its response; `unpack_request` names the values.

A plain tuple of values that never change: the garbage collector stops tracking it. Thousands of
objects for entries that are rarely read made each request a fifth slower.
"""


def pack_headers(headers: Headers) -> bytes:
    """Return headers as one value; no header holds a NUL."""
    return b"\0".join(chain.from_iterable(headers))


def _unpack_headers(packed: bytes) -> Headers:
    parts = packed.split(b"\0")
    return list(zip(parts[::2], parts[1::2], strict=True)) if packed else []


def unpack_request(entry_id: int, packed: PackedRequest) -> Entry:
    """Return the entry of a request."""
    (
        created_at,
        method,
        target,
        path,
        http_version,
        peer,
        server,
        status,
        seconds,
        rule,
        fault,
        is_incomplete,
        request_head,
        request,
        request_size,
        response_head,
        is_lines,
        response,
        response_size,
    ) = packed
    headers = parse_headers(response_head) if is_lines else _unpack_headers(response_head)
    sent = Payload(_unpack_headers(request_head), request, request_size)
    sent.size = max(request_size, _declared_length(sent))
    return Entry(
        "request",
        created_at,
        method,
        target,
        path,
        http_version,
        peer,
        server,
        sent,
        Payload(headers, response, response_size),
        status,
        seconds,
        rule=rule,
        fault=fault,
        is_incomplete=is_incomplete,
        id=entry_id,
    )


def _declared_length(payload: Payload) -> int:
    """Return the declared length of a request's body."""
    return parse_length(payload.header(b"content-length"))


def parse_length(value: bytes) -> int:
    """Return a length, 0 for what is none; zeros may come first, and as many as a head holds."""
    digits = value.lstrip(b"0")
    return int(digits) if digits.isdigit() and len(digits) <= _MAX_LENGTH_DIGITS else 0


class EntryFilter(Struct, frozen=True):
    """Which entries are asked for; empty and 0 match all.

    Attributes:
        path: whole, or its beginning with `*` at the end.
        result: a class of outcomes.
        since: the earliest time.
    """

    path: str = ""
    account: str = ""
    result: str = ""
    since: float = 0


@dataclass(frozen=True, slots=True)
class UnservedPath:
    """A path that Hupan does not serve, and how often it was asked for."""

    method: str
    path: str
    count: int
    last_at: float


class _TokenData(Struct):
    token: str = ""


class _TokenResponse(Struct):
    data: _TokenData | None = None


_decode_token_response = msgspec.json.Decoder(_TokenResponse).decode


def _issued_token(body: bytes) -> str:
    """Return the token in the response to a login, "" in any other."""
    if b'"token"' not in body[:_MAX_TOKEN_RESPONSE_BYTES]:
        return ""
    try:
        data = _decode_token_response(body[:_MAX_TOKEN_RESPONSE_BYTES]).data
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return "" if data is None else data.token


News: TypeAlias = Literal["missed", "cleared"]
"""What a reader learns besides entries: some were deleted, or all."""


class Subscription:
    """Entries as they are recorded, for one reader; used as a context manager.

    It remembers where the reader is and holds no entry, so a slow one takes no memory.

    Args:
        last_id: the id of the last entry that the reader has; None for one that is new.
    """

    def __init__(self, journal: "Journal", last_id: int | None = None) -> None:
        self._journal = journal
        self._event = asyncio.Event()
        self._position = journal.end if last_id is None else journal.position_after(last_id)
        self._cleared_at = journal.cleared_at

    def __enter__(self) -> Self:
        self._journal.subscribers.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._journal.subscribers.discard(self)

    def notify(self) -> None:
        """Wake the reader: there is something to take."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until there may be something to take."""
        await self._event.wait()

    def take(self) -> "Entry | News | None":
        """Return what is next; None if the reader has everything."""
        journal = self._journal
        if self._cleared_at != journal.cleared_at:
            self._cleared_at = journal.cleared_at
            self._position = max(self._position, journal.cleared_at)
            return "cleared"
        if self._position < journal.start:
            self._position = journal.start
            return "missed"
        if self._position >= journal.end:
            self._event.clear()
            return None
        self._position += 1
        return journal.entry_at(self._position - 1)


def _to_entry(entry_id: int, kept: Entry | PackedRequest) -> Entry:
    return kept if isinstance(kept, Entry) else unpack_request(entry_id, kept)


class Journal:
    """The last entries, and how often each path was asked for that Hupan does not serve.

    Attributes:
        token_account: returns the account that a token would belong to; set once the store is open.
        version: grows with each change, for pages that show what is new.
        start: the position of the first entry that is kept; each has the position after the one
            before it, even if others were deleted.
        cleared_at: the position of the first entry after the journal was emptied.
    """

    def __init__(self) -> None:
        self.token_account: TokenAccount = lambda _token: None
        self._records: deque[tuple[int, int, Entry | PackedRequest]] = deque()
        self._last_id = 0
        self._unserved: dict[tuple[str, str], UnservedPath] = {}
        self.size_bytes = 0
        self.start = self.cleared_at = 0
        self.version = 0
        self.unserved_count = 0
        self.subscribers: set[Subscription] = set()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def end(self) -> int:
        """The position of the next entry."""
        return self.start + len(self._records)

    def entry_at(self, position: int) -> Entry:
        """Return the entry at a position that is kept."""
        entry_id, _, kept = self._records[position - self.start]
        return _to_entry(entry_id, kept)

    def position_after(self, last_id: int) -> int:
        """Return the position after an entry; if it was deleted, that of the first newer one."""
        newer = self.end
        for index, (entry_id, _, _) in enumerate(self._records):
            if entry_id == last_id:
                return self.start + index + 1
            if entry_id > last_id:
                newer = min(newer, self.start + index)
        return newer

    def next_id(self) -> int:
        """Return an id that no other entry has."""
        self._last_id += 1
        return self._last_id

    def record(self, entry: Entry) -> None:
        """Keep an entry."""
        entry.id = entry.id or self.next_id()
        self._keep(entry.id, entry.kept_bytes(), entry)

    def record_request(self, packed: PackedRequest) -> None:
        """Keep a request with its response."""
        *_, request_head, request, _, response_head, _, response, _ = packed
        heads = len(request_head) + len(response_head) + len(packed[2])
        size = _ENTRY_OVERHEAD_BYTES + heads + len(request) + len(response)
        self._last_id += 1
        self._keep(self._last_id, size, packed)

    def _keep(self, entry_id: int, size: int, kept: Entry | PackedRequest) -> None:
        """Keep something; drop the oldest when there are too many, or they are too large."""
        records = self._records
        records.append((entry_id, size, kept))
        self.size_bytes += size
        while len(records) > MAX_ENTRIES or self.size_bytes > MAX_JOURNAL_BYTES:
            self.size_bytes -= records.popleft()[1]
            self.start += 1
        self.version += 1
        for subscriber in self.subscribers:
            subscriber.notify()

    def count_unserved(self, method: str, path: str, now: float) -> None:
        """Count a request for a path that Hupan does not serve; drop the oldest if too many."""
        self.unserved_count += 1
        before = self._unserved.pop((method, path), None)
        if before is None and len(self._unserved) >= MAX_UNSERVED_PATHS:
            self._unserved.pop(next(iter(self._unserved)))
        count = 1 if before is None else before.count + 1
        self._unserved[method, path] = UnservedPath(method, path, count, now)

    def list_unserved(self) -> list[UnservedPath]:
        """Return these paths, the most frequent first."""
        return sorted(self._unserved.values(), key=lambda one: (-one.count, one.path, one.method))

    def list_matching(
        self, entry_filter: EntryFilter, *, limit: int = MAX_ENTRIES, below_id: int = 0
    ) -> list[Entry]:
        """Return matching entries, newest first.

        Args:
            entry_filter: the entries to return.
            limit: the maximum number.
            below_id: only those with a smaller id; 0 for all.
        """
        found: list[Entry] = []
        for entry_id, _, kept in reversed(self._records):
            if below_id and entry_id >= below_id:
                continue
            if len(found) >= limit:
                break
            entry = _to_entry(entry_id, kept)
            if self.matches(entry, entry_filter):
                found.append(entry)
        return found

    def find(self, entry_id: int) -> Entry | None:
        """Return an entry that is still kept."""
        found = (_to_entry(one, kept) for one, _, kept in self._records if one == entry_id)
        return next(found, None)

    def matches(self, entry: Entry, entry_filter: EntryFilter) -> bool:
        """Return whether an entry is asked for."""
        path = entry_filter.path
        if path and not (
            entry.path == path or (path[-1] == "*" and entry.path.startswith(path[:-1]))
        ):
            return False
        return (
            entry_filter.result in ("", entry.result)
            and entry.created_at >= entry_filter.since
            and entry_filter.account in ("", self.account_of(entry))
        )

    def account_of(self, entry: Entry) -> str:
        """Return the id of the account that a request was made for, "" if that is not known."""
        if entry.result == "unauthenticated":
            return ""
        headers = entry.request.headers
        token = entry.token or read_token(headers, dict(headers))
        if not token:  # a login
            token = _issued_token(entry.response.body)
        return self.account_of_token(token)

    def account_of_token(self, token: str) -> str:
        """Return the id of the account of a token, "" for anything else."""
        account = self.token_account(token) if token else None
        return str(account) if account is not None and 0 < account < _MAX_ACCOUNT_ID else ""

    def clear(self) -> None:
        """Forget everything; ids continue."""
        self.start = self.cleared_at = self.end
        self._records.clear()
        self._unserved.clear()
        self.size_bytes = self.unserved_count = 0
        self.version += 1
        for subscriber in self.subscribers:
            subscriber.notify()
