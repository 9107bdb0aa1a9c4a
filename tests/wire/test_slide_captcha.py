"""The slide captcha, next to the picture captcha (wire.md 8.6, security C9, C10)."""

import base64
import io
import re
from dataclasses import dataclass

import pytest
from PIL import Image

from tests.support.answers import assert_refused, refused_field
from tests.support.client import WireClient
from tests.support.servers import Server

GET = "captcha/get"
SMS = "verification/get-verification-code"
EMAIL = "verification/get-email-verification-code"
NOW = 2_000_000_000
NOT_OFFERED, WRONG = 1206, 1201


@dataclass(frozen=True)
class Slide:
    """A slide captcha and its answer from the sandbox's outbox."""

    id: str
    x: int


def slide(wire: WireClient) -> Slide:
    """Fetch a slide captcha and look up its answer."""
    captcha_id = wire.post(GET).text("id")
    letters = wire.list_outbox("captcha", captcha_id)
    assert len(letters) == 1, letters
    return Slide(captcha_id, int(letters[0].code))


def use(wire: WireClient, captcha_id: str, x: object, **extra: object) -> int:
    """Request an SMS code for a new number; return the result's code."""
    body = {"mobile": wire.fresh_phone(), "captcha_type": "slide", "id": captcha_id, "x": x}
    reply = wire.post(SMS, {**body, **extra})
    if reply.code != 1:
        assert_refused(reply)
    return reply.code


def image(url: object, form: str) -> Image.Image:
    """Return the image of a data URL without line breaks."""
    assert isinstance(url, str)
    found = re.fullmatch(rf"data:image/{form};base64,([A-Za-z0-9+/]+={{0,2}})", url)
    assert found, url[:60]
    data = base64.b64decode(found[1], validate=True)
    return Image.open(io.BytesIO(data), formats=[form.upper()])


@pytest.mark.one_engine
def test_answer_has_exactly_these_fields(wire: WireClient) -> None:
    """Sizes are 300x220 and 70x70, and the tile's height is inside the picture (wire.md 8.6)."""
    answer = wire.post(GET)
    assert answer.code == 1
    assert answer.data is not None
    data = dict(answer.data)
    assert image(data.pop("master_image"), "jpeg").size == (300, 220)
    tile = image(data.pop("tile_image"), "png")
    assert tile.size == (70, 70)
    assert tile.mode == "RGBA"
    tile_y, captcha_id = data.pop("tile_y"), data.pop("id")
    assert type(tile_y) is int
    assert 0 <= tile_y <= 150
    assert isinstance(captcha_id, str)
    assert data == {
        "type": "slide",
        "master_size": {"width": 300, "height": 220},
        "tile_size": {"width": 70, "height": 70},
    }


@pytest.mark.one_engine
def test_answer_is_nowhere_in_the_reply(wire: WireClient) -> None:
    """Neither id nor height has the answer, and no two captchas are equal (security C9, C13)."""
    slides = [slide(wire) for _ in range(8)]
    assert len({one.id for one in slides}) == 8
    assert len({one.x for one in slides}) > 4
    assert not all(str(one.x).encode() in base64.urlsafe_b64decode(one.id) for one in slides)


@pytest.mark.parametrize(("off", "code"), [(0, 1), (5, 1), (-5, 1), (6, WRONG), (-6, WRONG)])
@pytest.mark.one_engine
def test_five_pixels_are_near_enough(wire: WireClient, off: int, code: int) -> None:
    """The position may be off by 5 pixels (wire.md 8.6)."""
    captcha = slide(wire)
    assert use(wire, captcha.id, captcha.x + off) == code


@pytest.mark.one_engine
def test_fractions_of_pixels_count(wire: WireClient) -> None:
    """A client that scales its picture sends fractions; 5.01 pixels are too far."""
    near, far = slide(wire), slide(wire)
    assert use(wire, near.id, near.x + 4.99) == 1
    assert use(wire, far.id, far.x + 5.01) == WRONG


def test_right_answer_serves_once(wire: WireClient) -> None:
    """The right answer uses a slide captcha up, on either channel (security C9)."""
    captcha = slide(wire)
    assert use(wire, captcha.id, captcha.x) == 1
    assert use(wire, captcha.id, captcha.x) == WRONG
    body = {"email": wire.fresh_email(), "captcha_type": "slide"}
    assert wire.post(EMAIL, {**body, "id": captcha.id, "x": captcha.x}).code == WRONG
    fresh = slide(wire)
    assert wire.post(EMAIL, {**body, "id": fresh.id, "x": fresh.x}).code == 1


def test_wrong_answer_uses_it_up(wire: WireClient) -> None:
    """A wrong answer uses a slide captcha up too (security C9)."""
    captcha = slide(wire)
    assert use(wire, captcha.id, captcha.x + 20) == WRONG
    assert use(wire, captcha.id, captcha.x) == WRONG


@pytest.mark.one_engine
def test_one_kind_does_not_solve_the_other(wire: WireClient) -> None:
    """The digits of a gap's position are refused as text, and each attempt uses it up (C9)."""
    captcha, picture = slide(wire), wire.captcha()
    body = {"mobile": wire.fresh_phone(), "id": captcha.id, "code": str(captcha.x)}
    assert wire.post(SMS, body).code == WRONG
    assert use(wire, captcha.id, captcha.x) == WRONG
    assert use(wire, picture.id, int(picture.answer)) == WRONG
    assert wire.post(SMS, {**body, "id": picture.id, "code": picture.answer}).code == WRONG


@pytest.mark.one_engine
def test_lifetime_ends_after_five_minutes(own_wire: WireClient) -> None:
    """A slide captcha is valid after 299 s and expired after 301 s (security C9)."""
    own_wire.set_clock(set=NOW)
    kept, late = slide(own_wire), slide(own_wire)
    own_wire.set_clock(set=NOW + 299)
    assert use(own_wire, kept.id, kept.x) == 1
    own_wire.set_clock(set=NOW + 301)
    assert use(own_wire, late.id, late.x) == WRONG


@pytest.mark.one_engine
@pytest.mark.parametrize("x", ["150", -1, 10_001, True, [150], {}, 1e300])
def test_x_is_a_number_of_pixels(wire: WireClient, x: object) -> None:
    """Other values are refused by name, before the captcha is checked (security I5)."""
    body = {"mobile": wire.fresh_phone(), "captcha_type": "slide", "id": "a", "x": x}
    assert refused_field(wire.post(SMS, body)) == "x"


@pytest.mark.one_engine
def test_absent_answers_are_named(wire: WireClient) -> None:
    """captcha_type decides which field is required; unknown types need a picture's code."""
    body: dict[str, object] = {"mobile": wire.fresh_phone(), "id": "a"}
    assert refused_field(wire.post(SMS, {**body, "captcha_type": "slide"})) == "x"
    assert refused_field(wire.post(SMS, {**body, "captcha_type": "slide", "code": "1"})) == "x"
    assert refused_field(wire.post(SMS, body)) == "code"
    assert refused_field(wire.post(SMS, {**body, "x": 150})) == "code"
    assert refused_field(wire.post(SMS, {**body, "captcha_type": "click"})) == "captcha_type"
    assert refused_field(wire.post(SMS, {**body, "captcha_type": 1})) == "captcha_type"


@pytest.mark.one_engine
def test_clients_of_pictures_see_no_change(wire: WireClient) -> None:
    """A picture's code works with every extra field that an old client sends (wire.md 1.4)."""
    for extra in ({}, {"captcha_type": ""}, {"captcha_type": "image", "x": 1}):
        body = {"mobile": wire.fresh_phone(), **wire.solved(), **extra}
        assert wire.post(SMS, body).code == 1


@pytest.mark.slow
@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("kind", "refused", "works"), [("picture", GET, "user/captcha"), ("slide", "user/captcha", GET)]
)
def test_one_kind_can_be_off(kind: str, refused: str, works: str) -> None:
    """`captcha_kinds` lists the offered kinds; the other one is refused as such."""
    slid = {"captcha_type": "slide", "x": 150} if kind == "picture" else {"code": "2345"}
    with (
        Server("sandbox", environment={"HUPAN_CAPTCHA_KINDS": kind}) as server,
        WireClient(server) as wire,
    ):
        assert wire.post(works).code == 1
        assert wire.post(refused).code == NOT_OFFERED
        body = {"mobile": wire.fresh_phone(), "id": "a", **slid}
        assert wire.post(SMS, body).code == NOT_OFFERED
