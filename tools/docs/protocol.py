"""Make docs/protocol.md from the errors, the `.proto` and the JSON messages."""

import inspect
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from msgspec import Struct

from hupan.api.presence import (
    INVALID_DATA_TEXT,
    MAX_FAILED_LOGINS,
    MAX_INVALID_MESSAGES,
    POLICY_VIOLATION,
    SESSION_ENDED,
    SOCKET_PATH,
    TRY_AGAIN_LATER,
)
from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import Endpoint
from hupan.domain.presence import MAX_SOCKETS_PER_ACCOUNT
from hupan.errors import APP_ERRORS, AppError
from tools.docs.forms import describe_message, with_nested_messages

PROTO = Path(__file__).parents[2] / "proto" / "hupan.proto"
"""Its comments are in no module, so this page is generated in a checkout."""

_HEAD = """\
# The protocol

The codes and messages between chat clients and Hupan. The endpoints are listed in
[compatibility.md](compatibility.md), citations such as `wire.md 4` in
[wire-rules.md](wire-rules.md).

Generated from the contract by `make docs`; do not edit.

- **Token**: in the header `token`, raw.
- **JSON**: a success is `{"code": 1, "data": {…}, "msg": "success"}`, without `data` where there
  is none; a failure is `{"code": n, "msg": "…"}`. A GET has its fields in the query.
- **Protobuf**: every response has a `status`; a failure is the endpoint's own response with only
  the status, except `-101` for a missing token, which is JSON.
- **Language**: clients show `msg` as it is: Chinese, or English with `Accept-Language: en`.
- **Response headers**: `x-request-id` identifies the request, like `status.number`;
  `x-result` is the class of the outcome: `ok`, `refused`, `unauthenticated`, `limited`, `error`.
- **Times** are unix seconds; times as text are `YYYY-MM-DD hh:mm:ss` in the server's time zone.
- Unknown keys and fields are ignored. The length of a string is counted in characters.

## Codes

`1` is success. A name in braces stands for a value.
"""

_SOCKET = f"""
## The socket

`GET {SOCKET_PATH}` with an upgrade to a WebSocket, on any host name. Clients send JSON in text
frames, the server sends protobuf (`SocketMessage`) in binary frames.

"""
_INVALID = f"the text `{INVALID_DATA_TEXT.decode()}`"
_SOCKET_ANSWERS = (
    ("From the client", "Answer"),
    ("---", "---"),
    (
        '`{"seq", "cmd": "login", "data": {"token"}}`',
        f"none; a token that is not valid: {_INVALID}",
    ),
    (
        '`{"seq", "cmd": "heartbeat", "data": {}}`',
        "`heartbeat_ack` with the same `seq`, even before the login",
    ),
    (
        '`{"seq", "cmd": "inputInfo", "data": {"chatId", "input"}}`',
        "none; `draft_input` to the account's other sockets in this process",
    ),
    ("anything but a JSON object", _INVALID),
)
_SOCKET_CLOSINGS: tuple[tuple[object, str], ...] = (
    ("Closed with", "When"),
    ("---", "---"),
    (
        SESSION_ENDED,
        "the session ended: signed out, replaced, banned, cancelled, new password or contact",
    ),
    (1001, "the server stops; connect again"),
    (
        POLICY_VIOLATION,
        (
            f"no login within 10 s, {MAX_FAILED_LOGINS} failed logins, "
            f"{MAX_INVALID_MESSAGES} invalid messages, 90 s of silence, "
            f"or {MAX_SOCKETS_PER_ACCOUNT} newer sockets of the account"
        ),
    ),
    (TRY_AGAIN_LATER, "the session could not be looked up; connect again"),
    ("1002, 1007, 1009", "a wrong frame, invalid UTF-8, a message above 16 KiB"),
)

_GROUP_TITLES: dict[int, str] = {
    0: "Below zero: the public service's own",
    10: "10xx: the server",
    11: "11xx: the request",
    12: "12xx: captchas, codes and limits",
    13: "13xx: login",
    14: "14xx: the account",
    15: "15xx: coins",
    16: "16xx: pictures",
    44: "44xx: other accounts",
    71: "71xx: bans",
}
"""The title of each hundred."""

_CODES_HEAD = "| code | when | zh | en | result |\n|---|---|---|---|---|\n"

_PROTOBUF = """
## Protobuf messages

Clients rely on the field numbers. In requests, an absent field is the same as an empty one; an
empty `id`, `name` or `url` is refused (1100).

```proto
"""

_JSON = """\
```

## JSON messages

Requests are the whole body or query, responses the content of `data`. The bounds only keep
oversized input out; further rules are given with the endpoint or the field.
"""


def protocol_page() -> str:
    """Return the page as Markdown."""
    codes = groupby(sorted(APP_ERRORS, key=lambda error: error.code), key=_group)
    return "".join(
        (
            _HEAD,
            *(_codes(group, errors) for group, errors in codes),
            _SOCKET,
            *(f"| {sent} | {answer} |\n" for sent, answer in _SOCKET_ANSWERS),
            "\n",
            *(f"| {code} | {when} |\n" for code, when in _SOCKET_CLOSINGS),
            _PROTOBUF,
            PROTO.read_text(encoding="utf-8"),
            _JSON,
            *(_message_section(form) for form in with_nested_messages(_message_types())),
        )
    )


def _group(error: type[AppError]) -> int:
    return max(error.code, 0) // 100


def _codes(group: int, errors: Iterable[type[AppError]]) -> str:
    rows = (
        f"| {error.code} | {when(error)} | {error.zh} | {error.en} | {error.result} |\n"
        for error in errors
    )
    return f"\n### {_GROUP_TITLES[group]}\n\n{_CODES_HEAD}{''.join(rows)}"


def when(error: type[AppError]) -> str:
    """Return the sentence that says when an error occurs: the docstring without its attributes."""
    prose, _, _ = inspect.cleandoc(error.__doc__ or "").partition("\n\nAttributes:\n")
    return " ".join(prose.split())


def _message_types() -> list[type[Struct]]:
    """Return the JSON messages that have fields, in the order of the endpoints."""
    forms = (form for line in ENDPOINTS for form in (line.request, line.response, line.json_data))
    return [form for form in forms if form and issubclass(form, Struct) and form.__struct_fields__]


def _message_section(form: type[Struct]) -> str:
    uses = [use for line in ENDPOINTS for use in _uses(form, line)]
    is_request = any(line.request is form for line in ENDPOINTS)
    used = f"{'; '.join(uses)}.\n\n" if uses else ""
    return f"\n### {form.__name__}\n\n{used}{describe_message(form, is_request=is_request)}"


def _uses(form: type[Struct], line: Endpoint[Any, Any, Any]) -> list[str]:
    name = f"{'web ' if line.surface == 'web' else ''}{line.method} `{line.path}`"
    return [
        *([f"Request of {name}"] if line.request is form else []),
        *([f"Response of {name}"] if line.response is form else []),
        *([f"Response of {name} to JSON"] if line.json_data is form else []),
    ]
