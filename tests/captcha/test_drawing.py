"""Captcha pictures, and what they do not reveal."""

import io
import re
import subprocess
import sys
from itertools import accumulate

import pytest
from PIL import Image

from hupan.captcha import READABLE_DIGITS, CaptchaRenderer
from tests.support.captchas import seeded

pytestmark = pytest.mark.slow

SIZE = (230, 60)
ANSWERS = [digit * length for length in (4, 5, 6) for digit in "0123456789"]


@pytest.fixture
def draw() -> CaptchaRenderer:
    """Return a renderer with a fixed seed, so that no run fails by chance."""
    return CaptchaRenderer(seeded("by the lake"))


def shades(png: bytes) -> bytes:
    """Return the grey value of each pixel, row by row, 0 to 255."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return picture.convert("L").tobytes()


def ink(png: bytes) -> bytes:
    """Return the pixels in black and white, row by row: 1 where there is ink."""
    grey = shades(png)
    middle = (min(grey) + max(grey)) // 2
    return bytes(shade < middle for shade in grey)


def blank(png: bytes) -> bytes:
    """Return `ink` without digits and waves: each column is dark only below the shore.

    The shore is where the most pixels of a column and of its neighbours fit one change from light
    to dark.
    """
    sheet, width, height = ink(png), *SIZE
    rises: list[list[int]] = []  # the fit of each height of the shore, column by column
    for x in range(width):
        column = sheet[x::width]
        rises.append([*accumulate((1 - 2 * dark for dark in column), initial=0)][:height])
    around = [rises[max(0, x - 9) : x + 10] for x in range(width)]
    fits = [[sum(at) for at in zip(*near, strict=True)] for near in around]
    shores = [fit.index(max(fit)) for fit in fits]
    return bytes(y >= shores[x] for y in range(height) for x in range(width))


def drawn_share(png: bytes) -> float:
    """Return the share of pixels that digits and waves inverted, 0 to 1."""
    pairs = zip(ink(png), blank(png), strict=True)
    return sum(a != b for a, b in pairs) / (SIZE[0] * SIZE[1])


def chunks(png: bytes) -> list[bytes]:
    """Return the names of a PNG's chunks, in order."""
    names, place = [], 8
    while place < len(png):
        names.append(png[place + 4 : place + 8])
        place += 12 + int.from_bytes(png[place : place + 4])
    return names


@pytest.mark.parametrize("answer", ANSWERS)
def test_picture_is_a_small_png_of_the_wires_size(draw: CaptchaRenderer, answer: str) -> None:
    """A picture is a PNG of 230x60 pixels and at most 6 KiB (wire.md, user/captcha)."""
    png = draw(answer)
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        picture.load()
        assert picture.size == SIZE
    assert len(png) <= 6 * 1024


def test_picture_holds_no_metadata(draw: CaptchaRenderer) -> None:
    """The file has a header, a palette and pixels, and no metadata (C9)."""
    png = draw("48392")
    assert list(dict.fromkeys(chunks(png))) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        assert picture.info == {}


def test_answer_is_not_in_the_bytes(draw: CaptchaRenderer) -> None:
    """No picture contains its answer as text, forwards or backwards (C9)."""
    for number in range(100_000, 1_000_000, 9970):
        png = draw(str(number))
        assert str(number).encode() not in png
        assert str(number)[::-1].encode() not in png


def test_pictures_of_one_answer_differ(draw: CaptchaRenderer) -> None:
    """Two pictures of the same answer differ, so a table of known pictures is useless."""
    assert len({draw("48392") for _ in range(50)}) == 50


def test_jitter_alone_decides_the_picture() -> None:
    """With the same jitter the same answer gives the same picture: there is no other input."""
    first, again, other = (CaptchaRenderer(seeded(seed))("48392") for seed in ("a", "a", "b"))
    assert first == again
    assert first != other


@pytest.mark.parametrize("answer", ANSWERS)
def test_each_digit_is_drawn(draw: CaptchaRenderer, answer: str) -> None:
    """Every digit covers enough of the picture to be visible, and leaves enough of it free."""
    assert 0.04 < drawn_share(draw(answer)) < 0.4


@pytest.mark.parametrize("answer", ["2345", "98765", "236749"])
def test_no_threshold_parts_digits_from_paper(draw: CaptchaRenderer, answer: str) -> None:
    """Every picture has light and dark digits, so OCR finds no text (security D6)."""
    for _ in range(20):
        png = draw(answer)
        turned = [a for a, b in zip(ink(png), blank(png), strict=True) if a != b]
        assert 0.1 < sum(turned) / len(turned) < 0.9


@pytest.mark.parametrize("answer", ANSWERS)
def test_ink_stands_out_from_the_paper(draw: CaptchaRenderer, answer: str) -> None:
    """The darkest and the lightest shade differ by at least 100 of 255 in every picture."""
    for _ in range(20):
        grey = shades(draw(answer))
        assert max(grey) - min(grey) > 100


def test_digits_look_different() -> None:
    """With equal jitter two different digits differ in at least 2 % of the picture."""
    sheets = [ink(CaptchaRenderer(seeded("a"))(digit * 4)) for digit in READABLE_DIGITS]
    for place, sheet in enumerate(sheets):
        for other in sheets[place + 1 :]:
            differing = sum(a != b for a, b in zip(sheet, other, strict=True))
            assert differing > 0.02 * SIZE[0] * SIZE[1]


def test_picture_does_not_fall_apart_into_digits(draw: CaptchaRenderer) -> None:
    """Cutting at columns without ink, as simple OCR does, does not find the digits."""
    found = sum(len(pieces(ink(draw("4839")))) == 4 for _ in range(40))
    assert found <= 4


def pieces(sheet: bytes) -> list[str]:
    """Return the runs of columns with ink that are wider than a speck."""
    columns = "".join("#" if any(sheet[x :: SIZE[0]]) else " " for x in range(SIZE[0]))
    return re.findall("#{7,}", columns)


@pytest.mark.parametrize("answer", ["", "123", "1234567", "12a4", "１２３４", "123٥"])
def test_other_answers_are_refused_without_being_repeated(
    draw: CaptchaRenderer, answer: str
) -> None:
    """Anything but four to six ASCII digits is refused, and the refusal does not name it (C9)."""
    with pytest.raises(ValueError, match=r"^an answer is four to six digits$"):
        draw(answer)


def test_importing_does_not_load_pillow() -> None:
    """Pillow is loaded by the first picture, not by importing the pool and the renderer."""
    code = (
        "import sys, secrets, hupan.captcha; from hupan.captcha import CaptchaRenderer;"
        "draw = CaptchaRenderer(secrets.SystemRandom().uniform); assert 'PIL' not in sys.modules;"
        "draw('23456'); assert 'PIL' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)  # noqa: S603 - own code
