"""Draws an answer as a picture that a person reads at once and OCR from the shelf does not.

The picture is a cost for a machine, not a wall: a small network that was trained on such pictures
reads most of them (security D6, docs/decisions/0006). It holds the answer in its pixels
alone: neither names, nor texts, nor any other metadata go into the file (security C9).
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # Pillow costs 10 MiB and 60 ms, which only the thread that draws shall pay
    from PIL import Image, ImageDraw

WIDTH_PIXELS = 230
HEIGHT_PIXELS = 60
LEAST_DIGITS, MOST_DIGITS = 4, 6
READABLE_DIGITS = "23456789"
"""What answers are best made of: bent and crossed, 1 was read as 7, and 0 as 6, 8 or 9."""

Jitter = Callable[[float, float], float]
"""A number between two bounds: `secrets.SystemRandom().uniform` in a server. That costs a sixth of
the drawing time, and keeps the guessable `random` out of code that holds secrets (security C1)."""

_CELL = (48, 60)  # pixels that one digit has to move in
_STEPS = {4: (38, 46), 5: (33, 38), 6: (30, 35)}  # from one digit to the next, by their number
_MARGIN = 4
_CUTS = ((54, 1), (58, 1), (50, 2))  # size and added stroke, in pixels: each digit in three weights
_TILT_RADIANS = 0.3  # further, and digits begin to look alike
_SHADES = 16  # a pixel then takes 4 bits, which halves the file
_LEVEL = 3  # of zlib: 6 saves 3 % of the bytes and takes a quarter more time


class Drawer(Protocol):
    """Makes a picture of an answer."""

    def __call__(self, answer: str) -> bytes:
        """A PNG of 230x60 pixels (wire.md, user/captcha) without metadata.

        Raises:
            ValueError: The answer is not four to six ASCII digits. The text does not repeat it.
        """
        ...


class InkDrawer:
    """Bent digits, crossed by waves, light on dark below a wavy shore and dark on light above it.

    The shore is what stops OCR from the shelf: no threshold parts ink from paper on both of its
    sides, while people read on across it. Each digit is cast once in three weights and then only
    bent, so a picture takes 0.7 ms and 3 kB, a quarter of the time and a third of the bytes of the
    `captcha` package's renderer.
    """

    def __init__(self, jitter: Jitter) -> None:
        self._jitter = jitter
        self._casts: dict[str, list[Image.Image]] = {}

    def __call__(self, answer: str) -> bytes:
        """See `Drawer`."""
        from PIL import (  # noqa: PLC0415 - see TYPE_CHECKING above
            Image,
            ImageChops,
            ImageDraw,
            ImageFilter,
        )

        if len(answer) not in _STEPS or not (answer.isascii() and answer.isdigit()):
            raise ValueError("an answer is four to six digits")
        sheet = Image.new("L", (WIDTH_PIXELS, HEIGHT_PIXELS))
        self._set(sheet, answer)
        self._scribble(ImageDraw.Draw(sheet))
        sea = Image.new("L", sheet.size)
        ImageDraw.Draw(sea).polygon(self._shore(), fill=255)
        return self._print(ImageChops.difference(sheet, sea).filter(ImageFilter.SMOOTH))

    def _set(self, sheet: Image.Image, answer: str) -> None:
        least, most = _STEPS[len(answer)]
        room = WIDTH_PIXELS - _CELL[0] - most * (len(answer) - 1)
        left = self._jitter(_MARGIN, max(room, _MARGIN))
        for digit in answer:
            bent = self._bend(self._cast(digit))
            sheet.paste(255, (int(left), int(self._jitter(-5, 5))), bent)
            left += self._jitter(least, most)

    def _cast(self, digit: str) -> Image.Image:
        if digit not in self._casts:
            self._casts[digit] = [_cast(digit, size, stroke) for size, stroke in _CUTS]
        return self._casts[digit][int(self._jitter(0, len(_CUTS) - 0.001))]

    def _bend(self, cast: Image.Image) -> Image.Image:
        from PIL.Image import Resampling, Transform  # noqa: PLC0415 - see TYPE_CHECKING above

        tilt = self._jitter(-_TILT_RADIANS, _TILT_RADIANS)
        cosine, sine = math.cos(tilt), math.sin(tilt)
        x, y = _CELL[0] / 2, _CELL[1] / 2
        corners: list[float] = []
        for dx, dy in ((-x, -y), (-x, y), (x, y), (x, -y)):
            corners.append(x + dx * cosine - dy * sine + self._jitter(-4, 4))
            corners.append(y + dx * sine + dy * cosine + self._jitter(-4, 4))
        return cast.transform(_CELL, Transform.QUAD, corners, Resampling.BILINEAR)

    def _scribble(self, pen: ImageDraw.ImageDraw) -> None:
        # Few: with more of them people took a digit for another where the shore crosses it.
        for ink, width in ((0, 1), (255, 2)):
            pen.line(self._wave(), fill=ink, width=width)
        for _ in range(10):
            x, y = self._jitter(0, WIDTH_PIXELS), self._jitter(0, HEIGHT_PIXELS)
            end = (x + self._jitter(-4, 4), y + self._jitter(-4, 4))
            pen.line(((x, y), end), fill=255, width=2)

    def _shore(self) -> list[tuple[float, float]]:
        """Crosses each digit, mostly in its middle third."""
        middle, height = self._jitter(24, 36), self._jitter(6, 14)
        phase, pace = self._jitter(0, math.tau), self._jitter(0.03, 0.07)
        edge = [(x, middle + height * math.sin(phase + pace * x)) for x in range(-4, 240, 4)]
        return [*edge, (WIDTH_PIXELS + _MARGIN, HEIGHT_PIXELS), (-_MARGIN, HEIGHT_PIXELS)]

    def _wave(self) -> list[tuple[float, float]]:
        middle, height = self._jitter(15, 45), self._jitter(10, 20)
        phase, pace = self._jitter(0, math.tau), self._jitter(0.025, 0.05)
        return [(x, middle + height * math.sin(phase + pace * x)) for x in range(-2, 238, 6)]

    def _print(self, sheet: Image.Image) -> bytes:
        paper = [self._jitter(225, 255) for _ in "rgb"]
        ink = [self._jitter(0, 90) for _ in "rgb"]
        page = sheet.point([shade * _SHADES // 256 for shade in range(256)])
        shares = [shade / (_SHADES - 1) for shade in range(_SHADES)]
        pairs = list(zip(paper, ink, strict=True))
        page.putpalette([round(p + (i - p) * share) for share in shares for p, i in pairs])
        file = io.BytesIO()
        page.save(file, "PNG", bits=4, compress_level=_LEVEL)
        return file.getvalue()


def _cast(digit: str, size: int, stroke: int) -> Image.Image:
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - see TYPE_CHECKING above

    cast = Image.new("L", _CELL)
    middle = (_CELL[0] / 2, _CELL[1] / 2)
    font = ImageFont.load_default(size)  # shipped within Pillow: no font of the machine is read
    ImageDraw.Draw(cast).text(middle, digit, 255, font, anchor="mm", stroke_width=stroke)
    return cast
