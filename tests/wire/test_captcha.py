"""The picture captcha (wire.md 4 user/captcha, security C9)."""

import base64
import io
import re
import zlib

import pytest
from PIL import Image

from tests.support.answers import Captcha, assert_refused, refused_field
from tests.support.client import WireClient
from tests.support.servers import Server

SMS = "verification/get-verification-code"
EMAIL = "verification/get-email-verification-code"
NOW = 2_000_000_000


def picture(captcha: Captcha) -> bytes:
    """Return the picture's bytes."""
    found = re.fullmatch(r"data:image/png;base64,([A-Za-z0-9+/]+={0,2})", captcha.picture_url)
    assert found, captcha.picture_url[:60]
    return base64.b64decode(found[1], validate=True)


def use(wire: WireClient, captcha_id: str, answer: str) -> int:
    """Request an SMS code for a new number; return the result's code."""
    body = {"mobile": wire.fresh_phone(), "code": answer, "id": captcha_id}
    reply = wire.post(SMS, body)
    if reply.code != 1:
        assert_refused(reply)
    return reply.code


@pytest.mark.one_engine
def test_answer_is_a_picture(wire: WireClient) -> None:
    """The response has exactly a data URL of a PNG and an id (wire.md 4)."""
    answer = wire.post("user/captcha")
    assert answer.data is not None
    assert set(answer.data) == {"b64s", "id"}
    assert answer.text("id")
    with Image.open(io.BytesIO(picture(wire.captcha())), formats=["PNG"]) as image:
        image.load()
        assert image.width > image.height > 0


@pytest.mark.one_engine
def test_pictures_and_ids_differ(wire: WireClient) -> None:
    """No two captchas share an id or a picture (security C9)."""
    captchas = [wire.captcha() for _ in range(20)]
    assert len({captcha.id for captcha in captchas}) == 20
    assert len({captcha.picture_url for captcha in captchas}) == 20
    assert len({captcha.answer for captcha in captchas}) > 15


@pytest.mark.one_engine
def test_answer_has_four_digits(wire: WireClient) -> None:
    """One client's field accepts at most four characters (wire.md 4)."""
    assert all(re.fullmatch("[2-9]{4}", wire.captcha().answer) for _ in range(10))


@pytest.mark.slow
@pytest.mark.one_engine
def test_length_is_a_setting() -> None:
    """With `captcha_length` answers have five or six digits, and work in a sign-in (C9)."""
    with (
        Server("sandbox", environment={"HUPAN_CAPTCHA_LENGTH": "6"}) as server,
        WireClient(server) as wire,
    ):
        captcha = wire.captcha()
        assert re.fullmatch("[2-9]{6}", captcha.answer)
        assert use(wire, captcha.id, captcha.answer) == 1


def leaks(wire: WireClient) -> bool:
    """Return whether a captcha's answer is in its id, its headers or its picture's bytes."""
    reply = wire.post("user/captcha")
    captcha_id = reply.text("id")
    answer = wire.list_outbox("captcha", captcha_id)[0].code
    headers = [v for k, v in reply.headers.items() if k not in {"x-request-id", "content-length"}]
    data = picture(Captcha(captcha_id, reply.text("b64s"), answer))
    secrets = [answer, base64.b64encode(answer.encode()).decode(), answer.encode().hex()]
    letters = re.sub(r"[^A-Za-z0-9_-]", "", captcha_id)
    unpacked = base64.urlsafe_b64decode(letters[: len(letters) // 4 * 4])
    places = [captcha_id, *headers, unpacked.decode("latin-1"), data.decode("latin-1")]
    return any(secret.lower() in place.lower() for secret in secrets for place in places)


@pytest.mark.one_engine
def test_answer_is_nowhere_in_the_reply(wire: WireClient) -> None:
    """The answer is in no id, header or metadata (security C9, C13)."""
    # A short answer may occur once by chance; a leak has every one.
    assert not all(leaks(wire) for _ in range(5))


@pytest.mark.one_engine
def test_picture_has_no_text_chunks(wire: WireClient) -> None:
    """The PNG has pixels and no other data (security C9)."""
    data, at, names = picture(wire.captcha()), 8, set()
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunk = data[at + 4 : at + 8 + size]
        assert zlib.crc32(chunk) == int.from_bytes(data[at + 8 + size : at + 12 + size], "big")
        names.add(chunk[:4])
        at += 12 + size
    assert names <= {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def test_right_answer_serves_once(wire: WireClient) -> None:
    """The right answer uses a captcha up (wire.md 4)."""
    captcha = wire.captcha()
    assert use(wire, captcha.id, captcha.answer) == 1
    assert use(wire, captcha.id, captcha.answer) > 1


def test_wrong_answer_uses_it_up(wire: WireClient) -> None:
    """A wrong answer uses a captcha up too (wire.md 4)."""
    captcha = wire.captcha()
    assert use(wire, captcha.id, captcha.wrong) > 1
    assert use(wire, captcha.id, captcha.answer) > 1


def test_answer_belongs_to_its_id(wire: WireClient) -> None:
    """The answer of one captcha does not solve another (security C9)."""
    first, second = wire.captcha(), wire.captcha()
    if first.answer != second.answer:
        assert use(wire, first.id, second.answer) > 1
    for captcha_id in (
        "",
        "0",
        "x" * 300,
        "湖畔",
        second.id[:-1],
        second.id + "A",
        second.id[::-1],
    ):
        assert use(wire, captcha_id, second.answer) > 1
    assert use(wire, second.id, second.answer) == 1


def test_one_captcha_serves_one_channel_once(wire: WireClient) -> None:
    """A captcha used for an SMS does not work for an e-mail (wire.md 4)."""
    captcha = wire.captcha()
    assert use(wire, captcha.id, captcha.answer) == 1
    body = {"email": wire.fresh_email(), "code": captcha.answer, "id": captcha.id}
    assert_refused(wire.post(EMAIL, body))


@pytest.mark.one_engine
def test_empty_answer_is_wrong(wire: WireClient) -> None:
    """An empty answer is refused (security C9)."""
    assert use(wire, wire.captcha().id, "") > 1


def test_lifetime_ends_after_five_minutes(own_wire: WireClient) -> None:
    """A captcha is valid after 299 s and expired after 301 s (wire.md 4)."""
    own_wire.set_clock(set=NOW)
    kept, late = own_wire.captcha(), own_wire.captcha()
    own_wire.set_clock(set=NOW + 299)
    assert use(own_wire, kept.id, kept.answer) == 1
    own_wire.set_clock(set=NOW + 301)
    assert use(own_wire, late.id, late.answer) > 1


@pytest.mark.one_engine
def test_refused_captcha_is_not_a_bad_parameter(wire: WireClient) -> None:
    """A wrong answer has its own code, which names no field (wire.md 2)."""
    captcha = wire.captcha()
    wrong = wire.post(SMS, {"mobile": wire.fresh_phone(), "code": captcha.wrong, "id": captcha.id})
    assert wrong.code not in {1, 1100}
    missing = wire.post(SMS, {"mobile": wire.fresh_phone(), "code": captcha.answer})
    assert refused_field(missing) == "id"
