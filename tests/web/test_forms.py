"""Forms act once, within bounds, and only for pages of this server (web.md W-9, W-13)."""

import asyncio
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hupan.web.forms import (
    MAX_FORM_BYTES,
    MAX_REMEMBERED_FORMS,
    MAX_UPLOADING,
    TOKEN_FIELD,
    FieldRefused,
    FormRefused,
    Submissions,
    Upload,
    Uploads,
    read_form,
)
from hupan.web.sandbox.snapshots import name_from_file

pytestmark = pytest.mark.one_engine
FORM = b"application/x-www-form-urlencoded"


def form_request(body: bytes, content_type: bytes = FORM, piece_bytes: int = 1000) -> Request:
    """Return a request with this body, in pieces."""
    starts = range(0, len(body), piece_bytes)
    pieces = [body[start : start + piece_bytes] for start in starts] or [b""]

    async def receive() -> dict[str, object]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type)]}
    return Request(scope, receive)


async def test_fields_are_read() -> None:
    """Chinese, blanks at the ends and empty values are read (W-7)."""
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
    """It is too large, has too many fields, is not UTF-8, or is no form (W-9)."""
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
    """The second waits for the first and gets the same redirect (W-9)."""
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
    """A form without a redirect, or one that failed, is not remembered (W-9)."""
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
    """Of more than a thousand forms the oldest is forgotten (W-9)."""
    submissions = Submissions()

    async def succeed() -> Response:
        return RedirectResponse("/done", 303)

    tokens = [submissions.issue() for _ in range(MAX_REMEMBERED_FORMS + 1)]
    for token in tokens:
        await submissions.submit(token, succeed)
    assert isinstance(await submissions.submit(tokens[0], succeed), Response)
    assert await submissions.submit(tokens[-1], succeed) == "/done"


MULTIPART = b"multipart/form-data; boundary=b"


def part(options: str, content: bytes) -> bytes:
    """Return one part of a form with files."""
    return b"--b\r\ncontent-disposition: form-data; %b\r\n\r\n%b\r\n" % (
        options.encode(),
        content,
    )


def file_request(*parts: bytes, end: bytes = b"--b--\r\n", piece_bytes: int = 1000) -> Request:
    """Return a request with a form that has files."""
    return form_request(b"".join(parts) + end, MULTIPART, piece_bytes)


async def test_a_file_is_read() -> None:
    """The bytes are exact, with fields before or after; the name is the browser's (K-7)."""
    content = bytes(range(256)) + b"\r\n--"
    parts = (part('name="a"', " 湖 ".encode()), part('name="file"; filename="湖.x"', content))
    for order in (parts, parts[::-1]):
        read = await Uploads().read_form(file_request(*order, piece_bytes=1), 1000)
        assert read == ({"a": "湖"}, Upload("湖.x", content))
    assert await Uploads().read_form(file_request(parts[0]), 10) == ({"a": "湖"}, Upload("", b""))


async def test_a_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file at the limit is accepted; one byte more, or an endless one, is refused (K-7)."""
    monkeypatch.setattr("hupan.web.forms.MAX_DISCARDED_BYTES", 100_000)
    bound = 1_000_000
    for size, is_taken in ((bound, True), (bound + 1, False), (bound + 10_000_000, False)):
        request = file_request(part('name="file"; filename="a"', bytes(size)), piece_bytes=1 << 16)
        if is_taken:
            assert len((await Uploads().read_form(request, bound))[1].content) == size
            continue
        with pytest.raises(FieldRefused) as refusal:
            await Uploads().read_form(request, bound)
        assert (refusal.value.problem.field, refusal.value.http_status) == ("file", 413)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: form_request(b"a=1"),
        lambda: form_request(b"--b--", b"multipart/form-data"),
        lambda: form_request(b"--b--", b"multipart/form-data; boundary="),
        lambda: file_request(b"nonsense"),
        lambda: file_request(part('name="file"; filename="a"', b"1"), end=b""),
        lambda: file_request(part('nome="a"', b"1")),
        lambda: file_request(part('name="a"', b"1" * (MAX_FORM_BYTES + 1))),
        lambda: file_request(*(part(f'name="{number}"', b"1") for number in range(65))),
        lambda: file_request(*(part('name="file"; filename="a"', b"1") for _ in "12")),
        lambda: file_request(b"--b\r\n" + b"x: y\r\n" * 100_000),
    ],
)
async def test_a_form_with_a_file_that_cannot_be_taken(
    request_of: Callable[[], Request],
) -> None:
    """It has no form, no boundary, no end, no name, or too much of anything (K-7, W-9)."""
    with pytest.raises(FormRefused) as refusal:
        await Uploads().read_form(request_of(), 1_000_000)
    assert refusal.value.http_status == 400


async def test_few_files_are_received_at_a_time() -> None:
    """Each needs memory; when one finishes or its client is gone, another may start (K-7)."""
    uploads = Uploads()

    async def never() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", MULTIPART)]}
    stuck = [
        asyncio.create_task(uploads.read_form(Request(scope, never), 10))
        for _ in range(MAX_UPLOADING)
    ]
    await asyncio.sleep(0)
    small = part('name="file"; filename="a"', b"1")
    with pytest.raises(FormRefused) as refusal:
        await uploads.read_form(file_request(small), 10)
    assert refusal.value.http_status == 503
    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)
    assert (await uploads.read_form(file_request(small), 10))[1].content == b"1"


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("start.snapshot", "start"),
        ("C:\\my files\\start (1).snapshot", "start-1"),
        ("../../etc/passwd", "passwd"),
        ("湖边.snapshot", ""),
        ("湖 v2.snapshot", "v2"),
        ("w" * 80, "w" * 64),
        ("..", ""),
    ],
)
def test_the_name_of_a_snapshot_comes_from_its_file(file_name: str, name: str) -> None:
    """Forbidden characters become a dash, so no path leads elsewhere (K-7)."""
    assert name_from_file(file_name) == name
