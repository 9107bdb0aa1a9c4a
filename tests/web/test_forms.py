"""Forms act once, within bounds, and only for pages of this server (web.md W-9, W-13)."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hupan.web.forms import (
    MAX_FORM_BYTES,
    MAX_REMEMBERED_FORMS,
    TOKEN_FIELD,
    FormRefused,
    Submissions,
    read_form,
)

pytestmark = pytest.mark.one_engine
FORM = b"application/x-www-form-urlencoded"


def form_request(body: bytes, content_type: bytes = FORM) -> Request:
    """A request with this body, in pieces."""
    pieces = [body[index : index + 1000] for index in range(0, len(body), 1000)] or [b""]

    async def receive() -> dict[str, object]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type)]}
    return Request(scope, receive)


async def test_fields_are_read() -> None:
    """Chinese, blanks at the ends and empty values (W-7)."""
    fields = await read_form(form_request(b"name=+%E6%B9%96+&empty=&name2=a%2Bb"))
    assert fields == {"name": "湖", "empty": "", "name2": "a+b"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"a=" + b"x" * MAX_FORM_BYTES, FORM, 413),
        (b"&".join(b"a%d=1" % number for number in range(65)), FORM, 400),
        (b"a=%FF", FORM, 400),
        (b"a=\xe6\xb9\x96", FORM, 400),
        (b"a=1", b"text/plain", 400),
    ],
)
async def test_a_form_that_cannot_be_taken(body: bytes, content_type: bytes, status: int) -> None:
    """Too large, too many fields, not UTF-8, not a form (W-9)."""
    with pytest.raises(FormRefused) as refusal:
        await read_form(form_request(body, content_type))
    assert refusal.value.http_status == status


async def test_only_tokens_of_this_process_are_taken() -> None:
    """A token of another process, a made-up one and none are refused (W-13)."""
    ours, other = Submissions(), Submissions()
    token = ours.issue()
    assert ours.check({TOKEN_FIELD: token}) == token
    for wrong in ("", "a", ".", f"{token}0", other.issue(), token.partition(".")[0], "é.é"):
        with pytest.raises(FormRefused):
            ours.check({TOKEN_FIELD: wrong})


async def test_a_double_submit_acts_once() -> None:
    """The second waits for the first and goes where it led (W-9)."""
    submissions, acted = Submissions(), asyncio.Event()
    count = 0

    async def act() -> Response:
        nonlocal count
        count += 1
        await acted.wait()
        return RedirectResponse("/done", 303)

    token = submissions.issue()
    twice = [asyncio.create_task(submissions.submit(token, act)) for _ in range(2)]
    await asyncio.sleep(0)
    acted.set()
    first, second = await asyncio.gather(*twice)
    assert isinstance(first, Response)
    assert second == "/done"
    assert await submissions.submit(token, act) == "/done"
    assert count == 1


async def test_a_refused_form_may_be_sent_again() -> None:
    """What led nowhere, and what failed, is not remembered (W-9)."""
    submissions = Submissions()
    token = submissions.issue()

    async def refuse() -> Response:
        return Response("no", 400)

    async def fail() -> Response:
        raise FormRefused(400, "form_unreadable")

    async def succeed() -> Response:
        return RedirectResponse("/done", 303)

    assert isinstance(await submissions.submit(token, refuse), Response)
    with pytest.raises(FormRefused):
        await submissions.submit(token, fail)
    assert isinstance(await submissions.submit(token, succeed), Response)


async def test_what_is_remembered_is_bounded() -> None:
    """Of a thousand and more forms the oldest is forgotten (W-9)."""
    submissions = Submissions()

    async def succeed() -> Response:
        return RedirectResponse("/done", 303)

    tokens = [submissions.issue() for _ in range(MAX_REMEMBERED_FORMS + 1)]
    for token in tokens:
        await submissions.submit(token, succeed)
    assert isinstance(await submissions.submit(tokens[0], succeed), Response)
    assert await submissions.submit(tokens[-1], succeed) == "/done"
