"""Captchas: the id is the encrypted answer, so issuing one writes nothing (security C9, C10)."""

import base64
import binascii
import hmac
from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import DecodeError, Struct, ValidationError, msgpack

from hupan.captcha import (
    CaptchaImage,
    CaptchaPool,
    CaptchaPoolExhausted,
    CaptchaRenderingFailed,
    SlideImages,
)
from hupan.clock import Clock
from hupan.crypto import SecretBox
from hupan.errors import AppError, Busy, CaptchaNotOffered, WrongCaptcha
from hupan.rng import RandomSource
from hupan.store.codes import spend_captcha
from hupan.store.database import Transaction

_CAPTCHA_KEY_PURPOSE = "captcha"
_NONCE_BYTES = 12
_MAX_CLOCK_SKEW_SECONDS = 60
"""Maximum difference between the clocks of two nodes."""
_SLIDE_DIGITS = 3
"""Digits of an encrypted position: the length of an id must not reveal whether it is below 100."""
SLIDE_TOLERANCE_PIXELS = 5
"""How far from the gap a tile may be (wire.md 8.6)."""

CaptchaKind: TypeAlias = Literal["picture", "slide"]
Picture = TypeVar("Picture")


class SealedAnswer(Struct, frozen=True, array_like=True):
    """Content of a decrypted captcha id."""

    nonce: bytes
    answer: str
    expires_at: int
    kind: CaptchaKind = "picture"


class IssuedCaptcha(Struct, Generic[Picture], frozen=True):
    """A captcha to send to a client; only the sandbox may show the answer."""

    id: str
    answer: str
    picture: Picture


class SolvedCaptcha(Struct, frozen=True):
    """A client's answer to a captcha.

    Attributes:
        id: the captcha's id.
        text: the digits of a picture.
        x: where the tile was left, in pixels; None for the answer to a picture.
    """

    id: str
    text: str = ""
    x: float | None = None

    @property
    def kind(self) -> CaptchaKind:
        """The kind of captcha that this may solve."""
        return "picture" if self.x is None else "slide"


class Captchas:
    """Issues captchas and checks their answers."""

    def __init__(
        self,
        pictures: CaptchaPool[bytes],
        slides: CaptchaPool[SlideImages],
        kinds: tuple[CaptchaKind, ...],
        secret_box: SecretBox,
        clock: Clock,
        random_source: RandomSource,
        lifetime_seconds: int,
    ) -> None:
        self._pictures = pictures
        self._slides = slides
        self._kinds = kinds
        self._secret_box = secret_box
        self._clock = clock
        self._random_source = random_source
        self._lifetime_seconds = lifetime_seconds

    async def issue_picture(self) -> IssuedCaptcha[bytes]:
        """Issue a picture of digits.

        Raises:
            CaptchaNotOffered: the server does not offer this kind.
            Busy: no image is ready and too many requests wait for one.
        """
        self._ensure_offered("picture")
        return self._seal("picture", await _take(self._pictures))

    async def issue_slide(self) -> IssuedCaptcha[SlideImages]:
        """Issue a picture with a gap, and the tile that fits it.

        Raises:
            CaptchaNotOffered: the server does not offer this kind.
            Busy: no image is ready and too many requests wait for one.
        """
        self._ensure_offered("slide")
        return self._seal("slide", await _take(self._slides))

    def _ensure_offered(self, kind: CaptchaKind) -> None:
        if kind not in self._kinds:
            raise CaptchaNotOffered

    def _seal(self, kind: CaptchaKind, image: CaptchaImage[Picture]) -> IssuedCaptcha[Picture]:
        expires_at = int(self._clock.now()) + self._lifetime_seconds
        nonce = self._random_source.token_bytes(_NONCE_BYTES)
        answer = image.answer.zfill(_SLIDE_DIGITS) if kind == "slide" else image.answer
        plain = msgpack.encode(SealedAnswer(nonce, answer, expires_at, kind))
        captcha_id = base64.urlsafe_b64encode(
            self._secret_box.encrypt(_CAPTCHA_KEY_PURPOSE, plain)
        ).decode()
        return IssuedCaptcha(captcha_id, image.answer, image.picture)

    async def redeem(self, tx: Transaction, solution: SolvedCaptcha) -> AppError | None:
        """Check an answer and spend the id, even if the answer is wrong.

        Returns:
            None if it is right, else the error to return, so that the transaction commits.

        Raises:
            CaptchaNotOffered: the server does not offer captchas of this kind.
        """
        self._ensure_offered(solution.kind)
        content = self._decrypt(solution.id)
        now = self._clock.now()
        max_lifetime_seconds = self._lifetime_seconds + _MAX_CLOCK_SKEW_SECONDS
        if content is None or not now < content.expires_at <= now + max_lifetime_seconds:
            return WrongCaptcha()  # from the future: it would be valid too long (R08)
        if not await spend_captcha(tx, content.nonce, content.expires_at):
            return WrongCaptcha()
        return None if _solves(solution, content) else WrongCaptcha()

    def _decrypt(self, captcha_id: str) -> SealedAnswer | None:
        try:
            encrypted = base64.b64decode(captcha_id.encode("ascii"), altchars=b"-_", validate=True)
            plain = self._secret_box.decrypt(_CAPTCHA_KEY_PURPOSE, encrypted)
            return None if plain is None else msgpack.decode(plain, type=SealedAnswer)
        except (binascii.Error, UnicodeEncodeError, DecodeError, ValidationError):
            return None


async def _take(pool: CaptchaPool[Picture]) -> CaptchaImage[Picture]:
    try:
        return await pool.take()
    except (CaptchaPoolExhausted, CaptchaRenderingFailed) as error:
        raise Busy from error


def _solves(solution: SolvedCaptcha, content: SealedAnswer) -> bool:
    if solution.kind != content.kind:
        return False
    if solution.x is not None:
        return abs(solution.x - int(content.answer)) <= SLIDE_TOLERANCE_PIXELS
    return hmac.compare_digest(solution.text.strip().encode(), content.answer.encode())
