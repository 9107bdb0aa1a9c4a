"""Reading and answering at the sandbox's doors: plain JSON, plain HTTP statuses."""

from codecs import BOM_UTF8
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

MOST_BODY_BYTES = 1024 * 1024
_LONGEST_SHOWN = 40
_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
Body = TypeVar("Body", bound=msgspec.Struct)


class BadRequest(Exception):  # noqa: N818 - the caller's mistake, not our error
    """What was asked for cannot be; it is said why in Chinese and in English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


async def read(request: Request, form: type[Body]) -> Body:
    """The JSON body of a request; an empty one counts as `{}`, `null` as a key's absence.

    Raises:
        BadRequest: it is too large, no JSON, not of this form, or has a key that the form lacks.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY_BYTES:
            raise BadRequest("请求体过大", "the body is too large")
    try:
        given = msgspec.json.decode(body.removeprefix(BOM_UTF8) or b"{}", type=dict[str, Any])
        refuse_others("key", given, [one.encode_name for one in msgspec.structs.fields(form)])
        return msgspec.convert({k: v for k, v in given.items() if v is not None}, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(
            f"请求体不符合要求：{error}", f"the body cannot be taken: {error}"
        ) from error


def refuse_others(what: str, given: Collection[str], known: Collection[str]) -> None:
    """Goes on only if nothing is given that is not known, such as a misspelt key.

    Args:
        what: `key`, `parameter` or `value`.
        given: what was written.
        known: what there is.

    Raises:
        BadRequest: it names the first stranger and the nearest that is known.
    """
    for name in given:
        if name not in known:
            shown = ascii(name[:_LONGEST_SHOWN])[1:-1] if not name.isprintable() else name
            raise _unknown(what, shown[:_LONGEST_SHOWN], sorted(known))


def _unknown(what: str, name: str, known: list[str]) -> BadRequest:
    kind = {"key": "键", "parameter": "参数", "value": "取值"}[what]
    near = get_close_matches(name.lower().replace("_", ""), [one.lower() for one in known], 1)
    nearest = next((one for one in known if near and one.lower() == near[0]), "")
    listed = ", ".join(known)
    zh, en = f"没有这个{kind}：{name}", f"there is no such {what}: {name}"
    if nearest:
        zh, en = f"{zh}；是否指 {nearest}？", f"{en}; did you mean {nearest}?"
    elif known:
        zh, en = f"{zh}；可用：{listed}", f"{en}; there are {listed}"
    return BadRequest(zh, en)


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
        raise BadRequest(
            f"{name} 须为 0 到 {most:g} 之间的数", f"{name} must be a number from 0 to {most:g}"
        )
    return value


def answer(body: object) -> Response:
    """A success."""
    return Response(msgspec.json.encode(body), media_type="application/json", headers=_HEADERS)


def answer_problem(request: Request, http_status: int, zh: str, en: str) -> Response:
    """A refusal, in words of the language that is asked for."""
    is_english = request.headers.get("accept-language", "")[:2].lower() == "en"
    return Response(
        msgspec.json.encode({"error": en if is_english else zh}),
        http_status,
        media_type="application/json",
        headers=_HEADERS,
    )
