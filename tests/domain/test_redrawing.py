"""Redrawn uploads: the corpus of harmful and unusual pictures (security U3)."""

import asyncio
import contextlib
import os
import random
import signal
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from hupan.domain.redraw_worker import DrawnPicture
from hupan.domain.redrawing import MAX_WAITING, Redrawer
from hupan.errors import (
    AppError,
    BrokenPicture,
    Busy,
    PictureTooLarge,
    UnknownPictureKind,
)
from tests.support.pictures import decode, encode, picture

pytestmark = pytest.mark.one_engine

SECRET = b"Jane Doe 31.2304N 121.4737E"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<html><script>alert(1)</script></html>"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n%%EOF\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes = b"", *extra: bytes) -> bytes:
    """Return a grey PNG that claims a size, independent of its pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IEND", b"")])


OTHER_KINDS = {
    "svg": SVG,
    "html": HTML,
    "eps": EPS,
    "pdf": b"%PDF-1.7\n",
    "nothing": b"",
    "zeros": b"\0" * 64,
    "tiff header": b"II*\0" + b"\0" * 64,
    "wave": b"RIFF\x40\0\0\0WAVEfmt " + b"\0" * 64,
    "blank in front": b" " + picture(),
    **{kind: picture(kind) for kind in ("GIF", "TIFF", "BMP", "ICO", "PPM", "JPEG2000")},
}
_ROWS = b"\0" * 65 * 64
BROKEN = {
    "missing rows": png(64, 64, b"\0"),
    "no pixels": png(0, 0),
    "a text of 80 MB": png(
        64, 64, _ROWS, chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 80_000_000))
    ),
    "junk for a JPEG": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 2,
    "lying length": picture("WEBP").replace(b"WEBPVP8 ", b"WEBPVP8 \xff\xff\xff\x7f"),
}


def with_metadata(kind: str) -> bytes:
    """Return a picture with every kind of metadata."""
    image = Image.new("RGB", (40, 30), "teal")
    exif = Image.Exif()
    exif[0x010E] = exif[0x9286] = SECRET.decode()
    options: dict[str, object] = {"exif": exif, "icc_profile": SECRET * 20, "xmp": SECRET}
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", SECRET.decode())
        text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
        options = {"pnginfo": text, "exif": exif, "icc_profile": SECRET * 20}
    elif kind == "JPEG":
        options["comment"] = SECRET
    return encode(image, kind, **options)


def animated(kind: str) -> bytes:
    """Return two frames, the first of them red."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


@pytest.fixture(scope="module")
def redrawer() -> Iterator[Redrawer]:
    """Yield one process for all tests of this file."""
    redrawer = Redrawer()
    yield redrawer
    redrawer.close()


async def redraw(redrawer: Redrawer, data: bytes) -> tuple[DrawnPicture, bytes]:
    """Redraw an upload; return the result and the file."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(data)
        source.flush()
        drawn = await redrawer.redraw(source.fileno(), target.fileno())
        target.seek(0)
        return drawn, target.read()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_the_pixels_stay(redrawer: Redrawer, kind: str) -> None:
    """Size and format are those of the upload, and the colours are close."""
    drawn, data = await redraw(redrawer, picture(kind, "orange", (300, 200)))
    image = decode(data)
    assert (drawn.width, drawn.height, drawn.size) == (300, 200, len(data))
    assert (image.format, image.size) == (kind, (300, 200))
    red, green, blue = image.convert("RGB").getpixel((9, 9))  # type: ignore[misc]  # RGB
    assert (abs(red - 255) < 6, abs(green - 165) < 6, blue < 6) == (True, True, True)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_metadata_are_gone(redrawer: Redrawer, kind: str) -> None:
    """The stored picture has no EXIF, XMP, profiles, comments or texts (14.2.8)."""
    uploaded = with_metadata(kind)
    assert SECRET in uploaded or kind == "PNG"
    _, data = await redraw(redrawer, uploaded)
    image = decode(data)
    assert SECRET not in data
    assert not set(image.info) & {"exif", "icc_profile", "xmp", "comment", "Comment", "dpi"}
    assert not image.getexif()


async def test_a_photo_stands_upright(redrawer: Redrawer) -> None:
    """The orientation is applied before its metadata is removed."""
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn, data = await redraw(
        redrawer, encode(Image.new("RGB", (60, 20), "teal"), "JPEG", exif=exif)
    )
    assert (drawn.width, drawn.height) == decode(data).size == (20, 60)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("1", "L"), ("L", "L"), ("LA", "RGBA"), ("P", "P"), ("RGBA", "RGBA"), ("I;16", "L")],
)
async def test_every_mode_of_png(redrawer: Redrawer, mode: str, expected: str) -> None:
    """Transparency and a palette stay; 16 bits are reduced."""
    _, data = await redraw(redrawer, encode(Image.new(mode, (20, 20)), "PNG"))
    assert decode(data).mode == expected


async def test_transparency_of_a_palette(redrawer: Redrawer) -> None:
    """A transparent colour of a palette stays transparent."""
    image = Image.new("P", (20, 20), 0)
    _, data = await redraw(redrawer, encode(image, "PNG", transparency=0))
    assert decode(data).convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]  # RGBA


@pytest.mark.slow
async def test_a_large_picture_of_few_colours(redrawer: Redrawer) -> None:
    """Redrawn it would be too large, although upload and pixel count are within bounds."""
    pixels = random.Random(14).randbytes(2048 * 4096)  # noqa: S311 - a test's pixels
    nibbles = bytes(level & 15 for level in pixels)
    image = Image.frombytes("P", (2048, 4096), nibbles)
    image.putpalette(bytes(random.Random(14).randbytes(48)))  # noqa: S311 - as above
    drawn, data = await redraw(redrawer, encode(image, "PNG", compress_level=1))
    assert drawn.size == len(data) < 8 * 1024 * 1024
    assert decode(data).tobytes() == nibbles


@pytest.mark.slow
async def test_a_drawing_that_is_too_large(redrawer: Redrawer) -> None:
    """The refusal is about its size, not about a broken picture."""
    pixels = random.Random(14).randbytes(3 * 2400 * 2400)  # noqa: S311 - a test's pixels
    image = Image.frombytes("RGB", (2400, 2400), pixels)
    with pytest.raises(PictureTooLarge):
        await redraw(redrawer, encode(image, "PNG", compress_level=0))


async def test_print_colours(redrawer: Redrawer) -> None:
    """A CMYK JPEG becomes an RGB one."""
    _, data = await redraw(redrawer, encode(Image.new("CMYK", (20, 20)), "JPEG"))
    assert decode(data).mode == "RGB"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
async def test_of_an_animation_the_first_frame(redrawer: Redrawer, kind: str) -> None:
    """Only the first frame is stored."""
    uploaded = animated(kind)
    assert getattr(decode(uploaded), "n_frames", 1) == 2
    _, data = await redraw(redrawer, uploaded)
    image = decode(data)
    assert getattr(image, "n_frames", 1) == 1
    red, _, blue = image.convert("RGB").getpixel((3, 3))  # type: ignore[misc]  # RGB
    assert red > 240
    assert blue < 20


@pytest.mark.parametrize(
    "tail", [HTML, SVG, b"PK\x03\x04" + HTML, b"%PDF-1.4\n", b"GIF89a=1;alert(1)"]
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_a_polyglot_loses_its_other_half(redrawer: Redrawer, kind: str, tail: bytes) -> None:
    """Content after the pixels is removed."""
    _, data = await redraw(redrawer, picture(kind) + tail)
    assert tail not in data
    assert decode(data).size == (64, 48)


async def test_a_polyglot_in_a_comment(redrawer: Redrawer) -> None:
    """A script in the metadata is removed."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", HTML.decode())
    _, data = await redraw(redrawer, encode(Image.new("RGB", (9, 9)), "PNG", pnginfo=text))
    assert b"script" not in data


@pytest.mark.parametrize("name", OTHER_KINDS)
async def test_another_kind_is_refused(redrawer: Redrawer, name: str) -> None:
    """The kind is detected by content, not by the file's name."""
    with pytest.raises(UnknownPictureKind):
        await redraw(redrawer, OTHER_KINDS[name])


@pytest.mark.parametrize("size", [(4097, 1), (1, 4097), (2**31 - 1, 2**31 - 1), (50_000, 50_000)])
async def test_too_many_pixels(redrawer: Redrawer, size: tuple[int, int]) -> None:
    """The size is checked before a pixel is decoded."""
    with pytest.raises(PictureTooLarge):
        await redraw(redrawer, png(*size))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
async def test_a_truncated_picture_is_refused(redrawer: Redrawer, kind: str, share: float) -> None:
    """Half a picture is refused."""
    image = Image.effect_noise((200, 200), 80).convert("RGB")
    data = encode(image, kind)
    with pytest.raises((BrokenPicture, UnknownPictureKind)):
        await redraw(redrawer, data[: int(len(data) * share)])


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_picture_is_refused(redrawer: Redrawer, name: str) -> None:
    """Wrong lengths, missing rows and a text that unpacks to 80 MB are refused."""
    with pytest.raises(BrokenPicture):
        await redraw(redrawer, BROKEN[name])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_the_largest_picture(redrawer: Redrawer, kind: str) -> None:
    """16 megapixels fit the bounds of memory and time, even with transparency."""
    mode = "RGB" if kind == "JPEG" else "RGBA"
    image = Image.linear_gradient("L").resize((4096, 4096)).convert(mode)
    drawn, _ = await redraw(redrawer, encode(image, kind))
    assert (drawn.width, drawn.height) == (4096, 4096)


async def test_the_process_is_replaced(redrawer: Redrawer) -> None:
    """After a kill the next upload starts a new process."""
    await redraw(redrawer, picture())
    assert redrawer.pid is not None
    os.kill(redrawer.pid, 9)
    drawn, _ = await redraw(redrawer, picture())
    assert drawn.width == 64


def child_of(pid: int) -> str:
    """Return the id of a process's child, "" without one."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").strip()


def is_alive(pid: str) -> bool:
    """Return whether a process is alive and not a zombie."""
    with contextlib.suppress(FileNotFoundError):
        return " Z " not in Path(f"/proc/{pid}/stat").read_text("ascii")
    return False


async def has_ended(pid: str) -> bool:
    """Wait until a killed process has ended; return whether it did."""
    for _ in range(1000):
        if not is_alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


def holds_socket(child: str) -> bool:
    """Return whether a child still has the inherited socket, through which uploads come."""
    names = []
    for path in Path(f"/proc/{child}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            names.append(str(path.readlink()))
    return any(name.startswith("socket:") for name in names)


@pytest.mark.slow
async def test_a_killed_process_leaves_none_that_draws(redrawer: Redrawer) -> None:
    """Two processes would share the files of uploads and pictures."""
    await redraw(redrawer, picture())
    pid = redrawer.pid
    assert pid is not None
    drawing = asyncio.create_task(redraw(redrawer, picture(size=(3000, 3000))))
    while not (child := child_of(pid)):  # noqa: ASYNC110 - of a process
        await asyncio.sleep(0)
    while holds_socket(child):  # noqa: ASYNC110 - of a process
        await asyncio.sleep(0)
    os.kill(int(child), signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    drawn, data = await drawing
    assert (drawn.width, drawn.size) == (3000, len(data))
    assert await has_ended(child)


@pytest.mark.slow
async def test_a_crowd_waits_within_bounds(redrawer: Redrawer) -> None:
    """Excess uploads are refused at once, and the others are redrawn."""
    uploads = (redraw(redrawer, picture()) for _ in range(MAX_WAITING + 4))
    outcomes = await asyncio.gather(*uploads, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, AppError)]
    assert [type(outcome) for outcome in refused] == [Busy] * 4
    assert len([outcome for outcome in outcomes if isinstance(outcome, tuple)]) == MAX_WAITING


async def test_a_closed_one_refuses(tmp_path: Path) -> None:
    """After the close nothing is redrawn and no process starts."""
    redrawer = Redrawer()
    redrawer.close()
    file = tmp_path / "a"
    file.write_bytes(picture())
    with file.open("rb") as source, pytest.raises(Busy):
        await redrawer.redraw(source.fileno(), source.fileno())


@pytest.mark.slow
async def test_closing_a_busy_one() -> None:
    """The upload is refused, and no process is left."""
    redrawer = Redrawer()
    await redraw(redrawer, picture())
    pid = redrawer.pid
    assert pid is not None
    drawing = asyncio.create_task(redraw(redrawer, picture(size=(4000, 4000))))
    while not (child := child_of(pid)):  # noqa: ASYNC110 - of a process
        await asyncio.sleep(0)
    os.kill(int(child), signal.SIGSTOP)
    redrawer.close()
    with pytest.raises(Busy):
        await drawing
    assert await has_ended(child)
    assert not is_alive(str(pid))
