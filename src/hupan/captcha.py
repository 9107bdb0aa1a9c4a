"""Captcha images: the renderer, and a pool that renders ahead in a thread (security C9, C10).

A picture only raises the cost for a machine: a small network that was trained on such pictures
reads most of them (security D6, docs/decisions/0006). The answer is only in the pixels: no names,
texts or other metadata are in the file (security C9).

One thread renders. It shares the GIL with the event loop, so it rests after every picture: the loop
then waits for the GIL as long as one picture takes, and never for a whole switch interval of 5 ms.
The renderer imports Pillow, in this thread: importing this module costs neither its start time nor
its memory.
"""

from __future__ import annotations

import asyncio
import io
import logging
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from PIL import Image, ImageDraw


WIDTH_PIXELS = 230
HEIGHT_PIXELS = 60
READABLE_DIGITS = "23456789"
"""The digits of answers: bent and crossed, 1 was read as 7, and 0 as 6, 8 or 9."""

UniformSource = Callable[[float, float], float]
"""Returns a number between two bounds: `secrets.SystemRandom().uniform` in a server. That costs a
sixth of the rendering time, and keeps the guessable `random` out of this code (security C1).
"""

_GLYPH_SIZE = (48, 60)  # pixels of one digit and its margins
_GLYPH_SPACING = {4: (38, 46), 5: (33, 38), 6: (30, 35)}  # between digits, by their count
_MARGIN = 4
_GLYPH_WEIGHTS = ((54, 1), (58, 1), (50, 2))  # size and added stroke, in pixels
_MAX_TILT_RADIANS = 0.3  # with more, digits become ambiguous
_GRAY_LEVELS = 16  # 4 bits a pixel, which halves the file
_COMPRESSION_LEVEL = 3  # of zlib: 6 saves 3 % of the bytes and takes a quarter more time


class CaptchaRenderer:
    """Renders bent digits crossed by waves: light on dark below a boundary, the reverse above.

    The boundary stops common OCR: no threshold separates ink from paper on both of its sides, while
    people read across it. Each digit is rendered once in three weights and then only bent, so a
    picture takes 0.7 ms and 3 kB, a quarter of the time and a third of the bytes of the `captcha`
    package's renderer.
    """

    def __init__(self, uniform: UniformSource) -> None:
        self._uniform = uniform

    def __call__(self, answer: str) -> bytes:
        """Return a PNG of 230x60 pixels (wire.md, user/captcha) without metadata.

        Raises:
            ValueError: the answer is not four to six ASCII digits. The text does not repeat it.
        """
        from PIL import (  # noqa: PLC0415 - see TYPE_CHECKING above
            Image,
            ImageChops,
            ImageDraw,
            ImageFilter,
        )

        if len(answer) not in _GLYPH_SPACING or not (answer.isascii() and answer.isdigit()):
            raise ValueError("an answer is four to six digits")
        image = Image.new("L", (WIDTH_PIXELS, HEIGHT_PIXELS))
        self._draw_digits(image, answer)
        self._draw_noise(ImageDraw.Draw(image))
        inverted_area = Image.new("L", image.size)
        ImageDraw.Draw(inverted_area).polygon(self._boundary_polygon(), fill=255)
        return self._encode_png(
            ImageChops.difference(image, inverted_area).filter(ImageFilter.SMOOTH)
        )

    def _draw_digits(self, image: Image.Image, answer: str) -> None:
        min_step, max_step = _GLYPH_SPACING[len(answer)]
        free_width = WIDTH_PIXELS - _GLYPH_SIZE[0] - max_step * (len(answer) - 1)
        left = self._uniform(_MARGIN, max(free_width, _MARGIN))
        for digit in answer:
            bent = self._distort(self._random_glyph(digit))
            image.paste(255, (int(left), int(self._uniform(-5, 5))), bent)
            left += self._uniform(min_step, max_step)

    def _random_glyph(self, digit: str) -> Image.Image:
        weight = _GLYPH_WEIGHTS[int(self._uniform(0, len(_GLYPH_WEIGHTS) - 0.001))]
        return _render_glyph(digit, *weight)

    def _distort(self, glyph: Image.Image) -> Image.Image:
        from PIL.Image import Resampling, Transform  # noqa: PLC0415 - see TYPE_CHECKING above

        tilt = self._uniform(-_MAX_TILT_RADIANS, _MAX_TILT_RADIANS)
        cosine, sine = math.cos(tilt), math.sin(tilt)
        x, y = _GLYPH_SIZE[0] / 2, _GLYPH_SIZE[1] / 2
        corners: list[float] = []
        for dx, dy in ((-x, -y), (-x, y), (x, y), (x, -y)):
            corners.append(x + dx * cosine - dy * sine + self._uniform(-4, 4))
            corners.append(y + dx * sine + dy * cosine + self._uniform(-4, 4))
        return glyph.transform(_GLYPH_SIZE, Transform.QUAD, corners, Resampling.BILINEAR)

    def _draw_noise(self, draw: ImageDraw.ImageDraw) -> None:
        # Few: with more, people misread digits that the boundary crosses.
        for ink, width in ((0, 1), (255, 2)):
            draw.line(self._random_wave(), fill=ink, width=width)
        for _ in range(10):
            x, y = self._uniform(0, WIDTH_PIXELS), self._uniform(0, HEIGHT_PIXELS)
            end = (x + self._uniform(-4, 4), y + self._uniform(-4, 4))
            draw.line(((x, y), end), fill=255, width=2)

    def _boundary_polygon(self) -> list[tuple[float, float]]:
        """Return a boundary that crosses each digit, mostly in its middle third."""
        middle, amplitude = self._uniform(24, 36), self._uniform(6, 14)
        phase, frequency = self._uniform(0, math.tau), self._uniform(0.03, 0.07)
        edge = [
            (x, middle + amplitude * math.sin(phase + frequency * x)) for x in range(-4, 240, 4)
        ]
        return [*edge, (WIDTH_PIXELS + _MARGIN, HEIGHT_PIXELS), (-_MARGIN, HEIGHT_PIXELS)]

    def _random_wave(self) -> list[tuple[float, float]]:
        middle, amplitude = self._uniform(15, 45), self._uniform(10, 20)
        phase, frequency = self._uniform(0, math.tau), self._uniform(0.025, 0.05)
        return [
            (x, middle + amplitude * math.sin(phase + frequency * x)) for x in range(-2, 238, 6)
        ]

    def _encode_png(self, image: Image.Image) -> bytes:
        background = [self._uniform(225, 255) for _ in "rgb"]
        foreground = [self._uniform(0, 90) for _ in "rgb"]
        quantized = image.point([shade * _GRAY_LEVELS // 256 for shade in range(256)])
        shares = [shade / (_GRAY_LEVELS - 1) for shade in range(_GRAY_LEVELS)]
        pairs = list(zip(background, foreground, strict=True))
        quantized.putpalette([round(p + (i - p) * share) for share in shares for p, i in pairs])
        file = io.BytesIO()
        quantized.save(file, "PNG", bits=4, compress_level=_COMPRESSION_LEVEL)
        return file.getvalue()


@cache
def _render_glyph(digit: str, size: int, stroke: int) -> Image.Image:
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - see TYPE_CHECKING above

    glyph = Image.new("L", _GLYPH_SIZE)
    middle = (_GLYPH_SIZE[0] / 2, _GLYPH_SIZE[1] / 2)
    font = ImageFont.load_default(size)  # part of Pillow: no system font is read
    ImageDraw.Draw(glyph).text(middle, digit, 255, font, anchor="mm", stroke_width=stroke)
    return glyph


SLIDE_WIDTH_PIXELS = 300
SLIDE_HEIGHT_PIXELS = 220
SLIDE_TILE_PIXELS = 70
"""Sizes of a slide captcha (wire.md 8.6)."""
SLIDE_MIN_X, SLIDE_MAX_X = 72, 228
"""Where the gap can be: never under the tile's place at the start."""

BytesSource = Callable[[int], bytes]
"""Returns random bytes: `secrets.token_bytes` in a server."""

_JPEG_QUALITY = 75
_KNOB_PIXELS = 11  # how far a knob of the tile sticks out
_OVERSAMPLING = 4  # of the outline, so that it has smooth edges
_MIN_DECOY_DISTANCE = SLIDE_TILE_PIXELS - 8
_DECOYS, _DECOY_ATTEMPTS = 2, 60
_SHAPES = 26
_NOISE_LAYERS = (((10, 8), 0.5), ((22, 16), 0.42), ((60, 44), 0.3))  # cells, share of the whole

_Outline = tuple[int, int, int, int]
"""Top, right, bottom and left side of a tile: a knob (1), a notch (-1) or neither (0)."""


@dataclass(frozen=True, slots=True)
class SlideImages:
    """The pictures of a slide captcha.

    Attributes:
        master: a JPEG with the gap and decoys.
        tile: a PNG of the piece that fits the gap.
        tile_y: the height at which the tile slides, in pixels.
        master_size: width and height in pixels.
        tile_size: width and height in pixels.
    """

    master: bytes = field(repr=False)
    tile: bytes = field(repr=False)
    tile_y: int
    master_size: tuple[int, int] = (SLIDE_WIDTH_PIXELS, SLIDE_HEIGHT_PIXELS)
    tile_size: tuple[int, int] = (SLIDE_TILE_PIXELS, SLIDE_TILE_PIXELS)


class SlideRenderer:
    """Renders a tile, and a picture with its gap among others that it does not fit.

    The gap holds another part of the picture, lighter or darker, within a thin outline, and so do
    the gaps of other shapes. So neither its shade nor its texture nor its outline alone shows where
    it is; a program that compares the tile's outline with the picture finds it (decision 38).
    """

    def __init__(self, uniform: UniformSource, random_bytes: BytesSource) -> None:
        self._uniform = uniform
        self._random_bytes = random_bytes

    def __call__(self, answer: str) -> SlideImages:
        """Return the pictures of a gap at `answer` pixels from the left edge.

        Raises:
            ValueError: the answer is not a number from SLIDE_MIN_X to SLIDE_MAX_X.
        """
        x = int(answer) if answer.isascii() and answer.isdigit() else -1
        if not SLIDE_MIN_X <= x <= SLIDE_MAX_X:
            raise ValueError("an answer is a number of pixels within the picture")
        picture = self._draw_background()
        y = int(self._uniform(10, SLIDE_HEIGHT_PIXELS - SLIDE_TILE_PIXELS - 10))
        outline = self._choose_outline()
        mask = _render_outline(outline)
        master = picture.copy()
        for place in self._choose_decoy_places(x, y):
            self._carve_gap(
                master, picture, _render_outline(self._choose_outline(unlike=outline)), place
            )
        self._carve_gap(master, picture, mask, (x, y))
        return SlideImages(
            _encode(master, "JPEG", quality=_JPEG_QUALITY),
            _encode(_cut_tile(picture, mask, (x, y)), "PNG", compress_level=_COMPRESSION_LEVEL),
            y,
        )

    def _draw_background(self) -> Image.Image:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - see TYPE_CHECKING above

        shade = self._noise((5, 4))
        for cells, share in _NOISE_LAYERS:
            shade = Image.blend(shade, self._noise(cells), share)
        channels = [Image.blend(shade, self._noise((6, 5)), self._uniform(0.3, 0.6)) for _ in "rgb"]
        picture = Image.merge("RGB", channels)
        draw = ImageDraw.Draw(picture, "RGBA")
        for _ in range(_SHAPES):
            self._draw_shape(draw)
        return picture

    def _noise(self, cells: tuple[int, int]) -> Image.Image:
        from PIL import Image  # noqa: PLC0415 - see TYPE_CHECKING above

        small = Image.frombytes("L", cells, self._random_bytes(cells[0] * cells[1]))
        return small.resize((SLIDE_WIDTH_PIXELS, SLIDE_HEIGHT_PIXELS), Image.Resampling.BICUBIC)

    def _draw_shape(self, draw: ImageDraw.ImageDraw) -> None:
        pick = self._uniform
        x, y = pick(-20, SLIDE_WIDTH_PIXELS), pick(-20, SLIDE_HEIGHT_PIXELS)
        width, height = pick(12, 70), pick(12, 70)
        red, green, blue, alpha = (int(pick(*shade)) for shade in [(0, 255)] * 3 + [(60, 150)])
        fill = (red, green, blue, alpha)
        kind = int(pick(0, 2.999))
        if kind == 0:
            draw.ellipse((x, y, x + width, y + height), fill=fill)
        elif kind == 1:
            draw.polygon([(x + pick(0, width), y + pick(0, height)) for _ in range(4)], fill=fill)
        else:
            bend = (x + width, y + pick(-height, height))
            points = [(x, y), bend, (x + pick(0, 90), y + height)]
            draw.line(points, fill=fill, width=int(pick(2, 6)))

    def _choose_outline(self, unlike: _Outline | None = None) -> _Outline:
        """Return an outline with two knobs or notches at least, clearly unlike another one."""
        while True:
            top, right, bottom, left = (int(self._uniform(0, 2.999)) - 1 for _ in range(4))
            outline = (top, right, bottom, left)
            differences = sum(a != b for a, b in zip(outline, unlike or (2, 2, 2, 2), strict=True))
            if outline.count(0) <= 2 <= differences:  # noqa: PLR2004 - of the four sides
                return outline

    def _choose_decoy_places(self, x: int, y: int) -> list[tuple[int, int]]:
        """Return the places of decoys, at about the height of the gap."""
        taken = [(x, y)]
        for _ in range(_DECOY_ATTEMPTS):
            left = self._uniform(0, SLIDE_WIDTH_PIXELS - SLIDE_TILE_PIXELS)
            place = int(left), y + int(self._uniform(-10, 10))
            if all(abs(place[0] - other[0]) >= _MIN_DECOY_DISTANCE for other in taken):
                taken.append(place)
            if len(taken) > _DECOYS:
                break
        return taken[1:]

    def _carve_gap(
        self,
        master: Image.Image,
        picture: Image.Image,
        mask: Image.Image,
        place: tuple[int, int],
    ) -> None:
        from PIL import Image, ImageFilter, ImageStat  # noqa: PLC0415 - see TYPE_CHECKING above

        left = int(self._uniform(0, SLIDE_WIDTH_PIXELS - SLIDE_TILE_PIXELS))
        top = int(self._uniform(0, SLIDE_HEIGHT_PIXELS - SLIDE_TILE_PIXELS))
        other = _crop_tile(picture, (left, top)).transpose(Image.Transpose.ROTATE_180)
        # Almost as light as what was there: otherwise the shade alone would show the gap.
        missing = ImageStat.Stat(_crop_tile(picture, place).convert("L"), mask).mean[0]
        surplus = missing - ImageStat.Stat(other.convert("L"), mask).mean[0]
        change = surplus + self._uniform(-20, 20)
        filling = other.point([max(0, min(255, round(v + change))) for v in range(256)] * 3)
        master.paste(filling, place, mask)
        edge = mask.filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(0.7))
        shade = 20 if missing > 128 else 240  # noqa: PLR2004 - half of the light
        master.paste((shade, shade, shade), place, edge)


def _render_outline(outline: _Outline) -> Image.Image:
    """Return what of a square belongs to a tile: 255 inside, 0 outside."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - see TYPE_CHECKING above

    size = SLIDE_TILE_PIXELS * _OVERSAMPLING
    low, high, middle = _KNOB_PIXELS * _OVERSAMPLING, size - _KNOB_PIXELS * _OVERSAMPLING, size / 2
    radius = low - 2 * _OVERSAMPLING
    large = Image.new("L", (size, size))
    draw = ImageDraw.Draw(large)
    draw.rectangle((low, low, high - 1, high - 1), fill=255)
    sides = zip(((0, -1), (1, 0), (0, 1), (-1, 0)), outline, strict=True)
    for (dx, dy), kind in sides:
        distance = middle - low + 2 * kind * _OVERSAMPLING
        x, y = middle + dx * distance, middle + dy * distance
        if kind:
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, fill=255 if kind > 0 else 0)
    return large.resize((SLIDE_TILE_PIXELS, SLIDE_TILE_PIXELS), Image.Resampling.BOX)


def _crop_tile(picture: Image.Image, place: tuple[int, int]) -> Image.Image:
    x, y = place
    return picture.crop((x, y, x + SLIDE_TILE_PIXELS, y + SLIDE_TILE_PIXELS))


def _cut_tile(picture: Image.Image, mask: Image.Image, place: tuple[int, int]) -> Image.Image:
    from PIL import ImageFilter  # noqa: PLC0415 - see TYPE_CHECKING above

    tile = _crop_tile(picture, place).convert("RGBA")
    rim = mask.filter(ImageFilter.FIND_EDGES).point([shade // 2 for shade in range(256)])
    tile.paste((255, 255, 255, 255), (0, 0), rim)
    tile.putalpha(mask)
    return tile


def _encode(image: Image.Image, form: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


_log = logging.getLogger("hupan.pictures")

Picture = TypeVar("Picture")

_IDLE_DELAY_SECONDS = 0.002  # no waiter: the loop has three quarters of the GIL
_BUSY_DELAY_SECONDS = 0.0001  # a waiter: just long enough for the loop to get the GIL


class CaptchaPoolExhausted(Exception):
    """Too many requests wait for a picture, or the pool was stopped."""


class CaptchaRenderingFailed(Exception):
    """The renderer failed; its error is the cause."""


@dataclass(frozen=True, slots=True)
class CaptchaImage(Generic[Picture]):
    """An answer, and the picture that shows it."""

    answer: str = field(repr=False)  # a secret until redeemed, so in no log (security C9)
    picture: Picture = field(repr=False)


class CaptchaPool(Generic[Picture]):
    """Up to `size` pictures, rendered ahead by one background thread.

    `render` and `make_answer` are called only in that thread, so a seeded source of answers repeats
    if nothing else uses it. A refill begins at half the size, and the first one at the start, or
    with the first request if `fill_at_start` is false. `on_failure` is called for each error, in
    the thread.
    """

    def __init__(
        self,
        render: Callable[[str], Picture],
        make_answer: Callable[[], str],
        *,
        size: int = 64,
        max_waiters: int = 256,
        retry_seconds: float = 1.0,
        fill_at_start: bool = True,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._render = render
        self._make_answer = make_answer
        self._size = size
        self._max_waiters = max_waiters
        self._retry_seconds = retry_seconds
        self._fill_at_start = fill_at_start
        self._on_failure = on_failure
        self._ready: deque[CaptchaImage[Picture]] = deque()  # the thread appends, the loop takes
        self._waiters: deque[asyncio.Future[CaptchaImage[Picture]]] = (
            deque()  # changed only by the loop
        )
        self._refill_requested = Event()
        self._stopping = Event()
        self._restarting = Lock()
        self._restarts = 0
        self._thread: Thread | None = None

    @property
    def ready_count(self) -> int:
        """The number of pictures that can be taken without waiting, 0 to `size`."""
        return len(self._ready)

    def start(self) -> None:
        """Start to render; called once, on the event loop that takes the pictures.

        Raises:
            RuntimeError: it was started before, or no event loop runs.
        """
        if self._thread is not None:
            raise RuntimeError("a picture pool starts once")
        loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._run, args=(loop,), name="hupan-pictures", daemon=True)
        if self._fill_at_start:
            self._refill_requested.set()
        self._thread.start()

    def restart(self, change: Callable[[], None]) -> None:
        """Drop all pictures and change the source of answers, before the next answer is made."""
        with self._restarting:
            self._restarts += 1
            self._ready.clear()
            change()
        if self._fill_at_start or self._waiters:
            self._refill_requested.set()

    def stop(self) -> None:
        """Stop the thread, waiting at most for its current picture; reject all waiters.

        Called on the event loop, before that is closed. A second call does nothing.
        """
        self._stopping.set()
        self._refill_requested.set()
        if self._thread is not None:
            self._thread.join()
        self._reject_waiters(lambda: CaptchaPoolExhausted("the picture pool was stopped"))

    async def take(self) -> CaptchaImage[Picture]:
        """Return a picture: at once, or when it is rendered if none is ready.

        Raises:
            CaptchaPoolExhausted: none is ready and `max_waiters` wait, or the pool was stopped.
            CaptchaRenderingFailed: none is ready and the renderer failed.
        """
        if self._stopping.is_set() or self._is_exhausted():
            raise CaptchaPoolExhausted("no picture to be had now")
        waiter: asyncio.Future[CaptchaImage[Picture]] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._serve_waiters()
        try:
            return await waiter  # does not suspend if the picture was ready
        except asyncio.CancelledError:
            with suppress(ValueError):  # it got a picture in the same tick of the loop
                self._waiters.remove(waiter)
            raise

    def _is_exhausted(self) -> bool:
        return not self._ready and len(self._waiters) >= self._max_waiters

    def _serve_waiters(self) -> None:
        while self._waiters and self._ready:
            waiter = self._waiters.popleft()
            if not waiter.done():  # a cancelled one has not been removed yet
                waiter.set_result(self._ready.popleft())
        if len(self._ready) <= self._size // 2:
            self._refill_requested.set()

    def _reject_waiters(self, reason: Callable[[], Exception]) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(reason())

    def _reject_after_failure(self, cause: Exception) -> None:
        def failure() -> CaptchaRenderingFailed:
            failed = CaptchaRenderingFailed("a picture could not be drawn")
            failed.__cause__ = cause
            return failed

        self._reject_waiters(failure)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopping.is_set():
            self._refill_requested.wait()
            self._refill_requested.clear()
            while len(self._ready) < self._size and not self._stopping.is_set():
                self._stopping.wait(self._render_one(loop))

    def _render_one(self, loop: asyncio.AbstractEventLoop) -> float:
        """Render one picture; return the seconds to rest afterwards."""
        try:
            with self._restarting:
                number, answer = self._restarts, self._make_answer()
            image = CaptchaImage(answer, self._render(answer))
            with self._restarting:
                if number == self._restarts:
                    self._ready.append(image)
        except Exception as error:  # noqa: BLE001 - else any fault of a drawer would end the pool
            self._report(loop, error)
            return self._retry_seconds
        if not self._waiters:  # checked after the append, as take() checks after its own
            return _IDLE_DELAY_SECONDS
        _call_in_loop(loop, self._serve_waiters)
        return _BUSY_DELAY_SECONDS

    def _report(self, loop: asyncio.AbstractEventLoop, error: Exception) -> None:
        # Only the class: the renderer's message could contain the answer (security C9).
        _log.error("a captcha picture could not be drawn: %s", type(error).__name__)
        self._on_failure()
        _call_in_loop(loop, lambda: self._reject_after_failure(error))


def _call_in_loop(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop was closed without stop(): no waiter is left
        loop.call_soon_threadsafe(callback)
