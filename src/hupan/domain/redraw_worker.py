"""Redraws uploaded pictures, each in a separate process with bounds (security U3).

`python -m hupan.domain.redraw_worker` receives pairs of open files on its standard input, a socket:
one to read the upload from, one to write the picture to. For each pair it forks. The child sets its
bounds, reads one upload and ends, so a decoder that was taken over has nothing of another upload,
and nothing of the server but these two files. Forking saves the import of Pillow.

This module imports none of our own: such a process starts again after each crash.
"""

import contextlib
import errno
import json
import os
import resource
import signal
import socket
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from PIL import Image

MAX_SIDE_PIXELS = 4096
MAX_PIXELS = 16_777_216
MAX_OUTPUT_BYTES = 16 * 1024 * 1024
MEMORY_BYTES = 640 * 1024 * 1024
"""Address space of a child. 16 megapixels with transparency take half of it in the worst format."""
CPU_SECONDS = 5
WALL_SECONDS = 12
"""A child is nice: on a busy machine its five seconds take longer."""
IDLE_SECONDS = 600.0
"""A process that gets no upload for this long ends."""
NICENESS = 10
OOM_SCORE_ADJ = 500
MAX_RESULT_BYTES = 256

WRONG_KIND, TOO_LARGE, BROKEN = "kind", "size", "broken"
"""Why an upload is refused: no PNG, JPEG or WebP; too many pixels; not decodable within bounds."""
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_SIGNATURES: Final = ((b"\x89PNG\r\n\x1a\n", b""), (b"\xff\xd8\xff", b""), (b"RIFF", b"WEBP"))
_MAX_DESCRIPTORS = 256
"""The process that forks has a dozen."""
_ORIENTATION_TAG = 0x0112
_JPEG_QUALITY, _WEBP_QUALITY = 90, 85


class RefusedPicture(Exception):
    """The upload is refused; the argument says why."""


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """What was drawn.

    Attributes:
        extension: the extension of its format: `png`, `jpg` or `webp`.
    """

    extension: str
    width: int
    height: int
    size: int


def redraw(source: BinaryIO, target: BinaryIO) -> DrawnPicture:
    """Redraw a picture: the same pixels, and nothing else of the upload.

    Format, size and number of pixels are checked before anything is decoded. Of an animation, only
    the first frame is kept. A photo is rotated as its metadata says, and then loses all metadata.

    Raises:
        RefusedPicture: it is of another kind, too large or broken.
    """
    from PIL import Image  # noqa: PLC0415 - the importing server never needs Pillow for this

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            image: Image.Image = _open(source)
            extension, options = _output_of(image)
            drawn = _strip(_turn_upright(image), extension)
            drawn.save(target, **options)
            target.flush()
        except RefusedPicture:
            raise
        except (Image.DecompressionBombError, MemoryError) as error:
            raise RefusedPicture(TOO_LARGE) from error
        except OSError as error:
            is_too_large = error.errno == errno.EFBIG
            raise RefusedPicture(TOO_LARGE if is_too_large else BROKEN) from error
        except Exception as error:  # decoders raise nearly anything for a broken file
            raise RefusedPicture(BROKEN) from error
    return DrawnPicture(extension, *drawn.size, target.tell())


def _open(source: BinaryIO) -> "Image.Image":
    from PIL import Image  # noqa: PLC0415 - see above

    head = source.read(16)
    source.seek(0)
    if not any(head.startswith(start) and kind in head[8:] for start, kind in _SIGNATURES):
        raise RefusedPicture(WRONG_KIND)
    image = Image.open(source, formats=_FORMATS)
    width, height = image.size
    if max(width, height) > MAX_SIDE_PIXELS or width * height > MAX_PIXELS:
        raise RefusedPicture(TOO_LARGE)
    image.load()
    return image


def _output_of(image: "Image.Image") -> tuple[str, dict[str, Any]]:
    """Return extension and options of the same format, fast rather than small."""
    if image.format == "PNG":
        return "png", {"format": "PNG", "compress_level": 1}
    if image.format == "WEBP":
        return "webp", {"format": "WEBP", "quality": _WEBP_QUALITY, "method": 0}
    return "jpg", {"format": "JPEG", "quality": _JPEG_QUALITY}  # several frames too, as phones make


def _turn_upright(image: "Image.Image") -> "Image.Image":
    from PIL import ImageOps  # noqa: PLC0415 - see above

    try:
        is_turned = image.getexif().get(_ORIENTATION_TAG, 1) != 1
        return ImageOps.exif_transpose(image) if is_turned else image
    except Exception:  # noqa: BLE001 - a photo with broken metadata is a photo all the same
        return image


def _strip(image: "Image.Image", extension: str) -> "Image.Image":
    """Return only the pixels, in a mode that the format has: no profile, text or metadata."""
    if image.mode.startswith("I;16"):  # a conversion would clip instead of dividing
        image = image.convert("I")
        image = image.point(lambda level: level * (1 / 256)).convert("L")
    kept: dict[str | tuple[int, int], Any] = {}
    has_alpha = image.has_transparency_data
    if extension == "png" and image.mode == "P":  # drawn out it would be several times as large
        mode = "P"
        kept = {name: image.info[name] for name in ("transparency",) if name in image.info}
    elif extension == "jpg":
        mode = "L" if image.mode == "L" else "RGB"
    elif image.mode in ("1", "L") and not has_alpha:
        mode = "L"
    else:
        mode = "RGBA" if has_alpha else "RGB"
    stripped = image if image.mode == mode else image.convert(mode)
    stripped.info = kept
    stripped._exif = None  # noqa: SLF001 - else it is written again
    return stripped


def main() -> None:
    """Redraw uploads until the socket is closed or none comes for a while."""
    _prepare()
    with (
        contextlib.suppress(ConnectionError, TimeoutError),
        socket.socket(fileno=os.dup(0)) as server,
    ):
        server.settimeout(IDLE_SECONDS)
        while True:
            message, descriptors, *_ = socket.recv_fds(server, 1, 2)
            if not message:
                return
            server.sendall(_run_child(*descriptors) + b"\n")


def _prepare() -> None:
    # As for the processes that hash passwords: the server decides when this one ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE_ADJ), "ascii")
    from PIL import (  # noqa: F401, PLC0415 - imported before the forks, by name where it matters
        Image,
        ImageOps,
        JpegImagePlugin,
        MpoImagePlugin,
        PngImagePlugin,
        WebPImagePlugin,
    )

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def _run_child(source: int, target: int) -> bytes:
    """Fork, and return the result of the child as JSON."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _redraw_and_exit(source, target, writer)
    for descriptor in (writer, source, target):
        os.close(descriptor)
    with os.fdopen(reader, "rb") as results:
        result = results.read(MAX_RESULT_BYTES)
    _, status = os.waitpid(child, 0)
    return result if status == 0 and result else json.dumps([BROKEN]).encode()


def _redraw_and_exit(source: int, target: int, writer: int) -> None:
    """Run in the child; never return."""
    status = 1
    try:
        _bound_this_process()
        _close_all_but(source, target, writer)
        # Never closed: the unwritten rest of a refusal would fail again.
        upload, picture = os.fdopen(source, "rb"), os.fdopen(target, "wb")
        try:
            drawn = redraw(upload, picture)
            result: list[str | int] = [drawn.extension, drawn.width, drawn.height, drawn.size]
        except RefusedPicture as refusal:
            result = [str(refusal)]
        os.write(writer, json.dumps(result).encode())
        status = 0
    finally:
        os._exit(status)  # no cleanup of the parent's state, after any error


def _close_all_but(*kept: int) -> None:
    """Close inherited files: the socket carries other uploads, and results on it are trusted."""
    os.dup2(1, 2)  # to nowhere
    os.close(0)
    start = 3
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, _MAX_DESCRIPTORS)


def _bound_this_process() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(WALL_SECONDS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    main()
