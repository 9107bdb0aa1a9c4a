"""The share of pictures that standard OCR reads (security D6, docs/decisions/0006)."""

import io
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from hupan.captcha import READABLE_DIGITS, CaptchaRenderer
from hupan.rng import SeededRandomSource
from tests.support.captchas import seeded

pytestmark = pytest.mark.slow

TESSERACT = shutil.which("tesseract")
PICTURES = 60
MOST_READ = 0.3
AS_ONE_LINE, AS_ONE_WORD = "7", "8"
BREAK = "@"


def as_it_is(picture: Image.Image) -> Image.Image:
    """Return the picture unprepared."""
    return picture


def larger(picture: Image.Image) -> Image.Image:
    """Return the picture three times as large, as the manual advises for small letters."""
    return picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.BICUBIC)


def in_two_shades(picture: Image.Image) -> Image.Image:
    """Return it larger, in black and white, without thin lines: this read the previous design."""
    low, high = picture.getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    middle = (low + high) / 2
    plain = picture.point([0 if shade <= middle else 255 for shade in range(256)])
    return larger(plain.filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.MinFilter(3)))


def read(folder: Path, pictures: list[Image.Image], mode: str) -> list[str]:
    """Return the texts that the program reads."""
    assert TESSERACT is not None
    paths = [folder / f"{place}.png" for place in range(len(pictures))]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path)
    (folder / "all.txt").write_text("\n".join(map(str, paths)) + "\n")
    told = ("-c", f"tessedit_char_whitelist={READABLE_DIGITS}", "-c", f"page_separator={BREAK}")
    done = subprocess.run(  # noqa: S603 - the program on the path, own files
        [TESSERACT, str(folder / "all.txt"), "-", "--psm", mode, *told],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )
    return ["".join(text.split()) for text in done.stdout.split(BREAK)][: len(pictures)]


@pytest.mark.skipif(TESSERACT is None, reason="tesseract is not installed; .ci/run installs it")
@pytest.mark.parametrize("mode", [AS_ONE_LINE, AS_ONE_WORD])
@pytest.mark.parametrize("prepare", [as_it_is, larger, in_two_shades])
def test_ocr_reads_few_of_them(
    tmp_path: Path, prepare: Callable[[Image.Image], Image.Image], mode: str
) -> None:
    """Of pictures of four digits tesseract reads at most 30 %, with any preparation."""
    draw, chance = CaptchaRenderer(seeded("by the lake")), SeededRandomSource("answers")
    answers = [
        "".join(READABLE_DIGITS[chance.randbelow(len(READABLE_DIGITS))] for _ in range(4))
        for _ in range(PICTURES)
    ]
    shown = [Image.open(io.BytesIO(draw(answer))).convert("L") for answer in answers]
    told = read(tmp_path, [prepare(picture) for picture in shown], mode)
    right = sum(a == b for a, b in zip(answers, told, strict=True))
    assert right <= MOST_READ * PICTURES


@pytest.mark.skipif(TESSERACT is None, reason="tesseract is not installed; .ci/run installs it")
def test_the_reader_reads_plain_digits(tmp_path: Path) -> None:
    """The same program reads plain digits, so its failure means something."""
    from PIL import ImageDraw, ImageFont  # noqa: PLC0415 - for this one test

    sheet = Image.new("L", (230, 60), 255)
    ImageDraw.Draw(sheet).text((40, 8), "4839", 0, ImageFont.load_default(40))
    assert read(tmp_path, [sheet], AS_ONE_WORD) == ["4839"]
