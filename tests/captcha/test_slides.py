"""The pictures of a slide captcha, and what finds their gap (decision 38)."""

import io
from collections.abc import Callable
from secrets import SystemRandom, token_bytes

import pytest
from PIL import Image, ImageFilter, ImageOps, ImageStat

from hupan.captcha import SLIDE_MAX_X, SLIDE_MIN_X, SlideImages, SlideRenderer
from hupan.rng import SeededRandomSource

pytestmark = pytest.mark.slow

SIZE, TILE = (300, 220), 70
PICTURES = 24
MOST_FOUND = 0.5
PLACES = range(SLIDE_MIN_X, SLIDE_MAX_X + 1)


def seeded(seed: str) -> SlideRenderer:
    """Return a renderer with a fixed seed."""
    source = SeededRandomSource(seed)
    return SlideRenderer(
        lambda low, high: low + (high - low) * source.randbelow(2**32) / 2**32, source.token_bytes
    )


def read(images: SlideImages) -> tuple[Image.Image, Image.Image]:
    """Return the picture in grey, and the visible pixels of the tile."""
    master = Image.open(io.BytesIO(images.master), formats=["JPEG"]).convert("L")
    return master, Image.open(io.BytesIO(images.tile), formats=["PNG"]).getchannel("A")


@pytest.mark.parametrize("answer", [str(SLIDE_MIN_X), "150", str(SLIDE_MAX_X)])
def test_sizes_and_forms(answer: str) -> None:
    """A JPEG of 300x220, a PNG of 70x70 with transparent corners, and a height (wire.md 8.6)."""
    images = SlideRenderer(SystemRandom().uniform, token_bytes)(answer)
    master, mask = read(images)
    assert master.size == SIZE
    assert mask.size == (TILE, TILE)
    assert mask.getpixel((0, 0)) == 0
    assert mask.getpixel((TILE // 2, TILE // 2)) == 255
    assert 0 <= images.tile_y <= SIZE[1] - TILE
    assert len(images.master) + len(images.tile) < 32_768


@pytest.mark.parametrize("answer", ["", "x", "-80", "71", "229", "1e2", "１５０"])
def test_other_answers_are_not_drawn(answer: str) -> None:
    """An answer outside of the picture is an error whose text does not repeat the answer."""
    with pytest.raises(ValueError, match=r"^an answer is a number of pixels within the picture$"):
        seeded("other")(answer)


def test_nothing_but_pixels_is_in_the_files() -> None:
    """Neither file has metadata (security C9)."""
    images = seeded("metadata")("150")
    assert b"Exif" not in images.master
    assert not Image.open(io.BytesIO(images.master)).getexif()
    assert not Image.open(io.BytesIO(images.tile)).info


Finder = Callable[[Image.Image, Image.Image], float]


def darkest(window: Image.Image, mask: Image.Image) -> float:
    """Score a position by how dark it is."""
    return -ImageStat.Stat(window, mask).mean[0]


def lightest(window: Image.Image, mask: Image.Image) -> float:
    """Score a position by how light it is."""
    return ImageStat.Stat(window, mask).mean[0]


def flattest(window: Image.Image, mask: Image.Image) -> float:
    """Score a position by how little is drawn within the tile's edge."""
    return -ImageStat.Stat(window, mask.filter(ImageFilter.MinFilter(7))).stddev[0]


def oddest(window: Image.Image, mask: Image.Image) -> float:
    """Score a position by how its shade differs from its surroundings."""
    outside = ImageStat.Stat(window, ImageOps.invert(mask)).mean[0]
    return abs(ImageStat.Stat(window, mask).mean[0] - outside)


def straightest(window: Image.Image, _mask: Image.Image) -> float:
    """Score a position by the vertical line where the left side of a tile would be."""
    edges = window.filter(ImageFilter.FIND_EDGES)
    return ImageStat.Stat(edges.crop((10, 11, 13, 59))).mean[0]


SCRIPTS = [darkest, lightest, flattest, oddest, straightest]


def is_found(finder: Finder, images: SlideImages, x: int) -> bool:
    """Return whether the best place by a score is the gap."""
    master, mask = read(images)
    y = images.tile_y
    scores = {at: finder(master.crop((at, y, at + TILE, y + TILE)), mask) for at in PLACES}
    return abs(max(scores, key=lambda at: scores[at]) - x) <= 5


@pytest.mark.parametrize("finder", SCRIPTS)
def test_simple_scripts_find_few(finder: Finder) -> None:
    """A script that uses shade, texture or one line, and the height, finds at most half (D6)."""
    draw, source = seeded("scripts"), SeededRandomSource("places")
    answers = [SLIDE_MIN_X + source.randbelow(len(PLACES)) for _ in range(PICTURES)]
    found = sum(is_found(finder, draw(str(x)), x) for x in answers)
    assert found <= MOST_FOUND * PICTURES


def test_the_same_scripts_find_a_plain_gap() -> None:
    """The same scripts find a flat, dark gap, so their failure means something."""
    images = seeded("plain")("150")
    master, mask = read(images)
    master.paste(0, (150, images.tile_y), mask)
    file = io.BytesIO()
    master.save(file, "JPEG")
    plain = SlideImages(file.getvalue(), images.tile, images.tile_y)
    assert all(is_found(finder, plain, 150) for finder in (darkest, flattest, oddest))
