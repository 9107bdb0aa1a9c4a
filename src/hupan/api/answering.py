"""Sends answers: the last step of the API, of health, and of a server that stops."""

from typing import get_args

from hupan.api.body import Send
from hupan.api.call import Headers
from hupan.api.codec import JSON_TYPE, json_failure
from hupan.contract.failures import STOPPING, Result

NO_STORE = (b"cache-control", b"no-store")
RESULT_HEADERS: dict[Result, tuple[bytes, bytes]] = {
    result: (b"x-result", result.encode()) for result in get_args(Result)
}
"""The class of the outcome, for proxies that see HTTP 200 alone (security D3)."""


_LINES: dict[Result, bytes] = {
    result: b"%b: %b\r\n%b: %b\r\n" % (*header, *NO_STORE)
    for result, header in RESULT_HEADERS.items()
}


def answer_at_once(
    send: Send, http_status: int, content_type: bytes, body: bytes, result: Result, number: int
) -> bool:
    """Sends the answer of a request in one step, where the listener can (decision 0019).

    Nothing that a client sent is among these headers, so nothing is left to be checked in them.
    """
    answer = getattr(send, "answer", None)
    if answer is None:
        return False
    headers = b"content-type: %b\r\ncontent-length: %d\r\nx-request-id: %d\r\n%b" % (
        content_type,
        len(body),
        number,
        _LINES[result],
    )
    return bool(answer(http_status, headers, body))


async def respond(http_status: int, headers: Headers, body: bytes, send: Send) -> None:
    """Sends an answer whole."""
    await send({"type": "http.response.start", "status": http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_json(http_status: int, body: bytes, result: Result, send: Send) -> None:
    """Sends JSON that belongs to no endpoint."""
    headers = [
        (b"content-type", JSON_TYPE),
        (b"content-length", b"%d" % len(body)),
        NO_STORE,
        RESULT_HEADERS[result],
    ]
    await respond(http_status, headers, body, send)


async def respond_stopping(send: Send) -> None:
    """Says that the server shuts down (wire.md 1.5)."""
    body = json_failure(STOPPING.code, STOPPING.message(english=False))
    await respond_json(503, body, STOPPING.result, send)
