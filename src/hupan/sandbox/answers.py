"""Reading and answering at the sandbox's doors: plain JSON, plain HTTP statuses."""

from codecs import BOM_UTF8
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

MOST_BODY_BYTES = 1024 * 1024
Body = TypeVar("Body")


class BadRequest(Exception):  # noqa: N818 - the caller's mistake, not our error
    """What was asked for cannot be; the text says why."""


async def read(request: Request, form: type[Body]) -> Body:
    """The JSON body of a request; an empty one counts as `{}`, `null` as a key's absence.

    Raises:
        BadRequest: it is too large, no JSON, or not of this form.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY_BYTES:
            raise BadRequest("请求体过大 / the body is too large")
    try:
        given = msgspec.json.decode(body.removeprefix(BOM_UTF8) or b"{}", type=dict[str, object])
        return msgspec.convert({k: v for k, v in given.items() if v is not None}, form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(str(error)) from error


def number_in(request: Request, name: str, default: float, most: float) -> float:
    """A number of the query, from 0 to `most`.

    Raises:
        BadRequest: it is none, or out of range.
    """
    try:
        value = float(request.query_params.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise BadRequest(f"{name}: 0 … {most:g}")
    return value


def answer(body: object) -> Response:
    """A success."""
    return Response(msgspec.json.encode(body), media_type="application/json")


def answer_problem(http_status: int, text: str) -> Response:
    """A refusal, in words."""
    return Response(
        msgspec.json.encode({"error": text}), http_status, media_type="application/json"
    )
