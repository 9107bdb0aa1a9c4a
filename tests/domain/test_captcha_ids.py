"""The id of a captcha reveals nothing about its answer (security C9)."""

from typing import cast

import pytest

from hupan.captcha import SLIDE_MAX_X, SLIDE_MIN_X, CaptchaImage, CaptchaPool, SlideImages
from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.captchas import Captchas
from hupan.rng import SeededRandomSource
from tests.support.world import StandingClock

pytestmark = pytest.mark.one_engine


class Pool:
    """A pool with an answer that the test chooses."""

    answer = ""

    async def take(self) -> CaptchaImage[SlideImages]:
        """Return the next image."""
        return CaptchaImage(self.answer, SlideImages(b"", b"", 0))


async def test_ids_of_slides_have_one_length() -> None:
    """Positions of two and of three digits give ids of the same length (C9)."""
    pool = Pool()
    captchas = Captchas(
        cast("CaptchaPool[bytes]", None),
        cast("CaptchaPool[SlideImages]", pool),
        ("slide",),
        SecretBox(bytes(KEY_BYTES)),
        StandingClock(),
        SeededRandomSource("ids"),
        300,
    )
    lengths = set()
    for x in (SLIDE_MIN_X, 99, 100, SLIDE_MAX_X):
        pool.answer = str(x)
        issued = await captchas.issue_slide()
        assert issued.answer == str(x)
        lengths.add(len(issued.id.rstrip("=")))
    assert len(lengths) == 1
