"""Captchas: the id is the encrypted answer, so issuing one writes nothing (security C9, C10)."""

import base64
import binascii
import hmac

from msgspec import DecodeError, Struct, ValidationError, msgpack

from hupan.captcha import CaptchaImage, CaptchaPool, CaptchaPoolExhausted, CaptchaRenderingFailed
from hupan.clock import Clock
from hupan.crypto import SecretBox
from hupan.errors import AppError, Busy, WrongCaptcha
from hupan.rng import RandomSource
from hupan.store.codes import spend_captcha
from hupan.store.database import Transaction

_CAPTCHA_KEY_PURPOSE = "captcha"
_NONCE_BYTES = 12
_MAX_CLOCK_SKEW_SECONDS = 60
"""Maximum difference between the clocks of two nodes."""


class SealedAnswer(Struct, frozen=True, array_like=True):
    """Content of a decrypted captcha id."""

    nonce: bytes
    answer: str
    expires_at: int


class IssuedCaptcha(Struct, frozen=True):
    """A captcha to send to a client; only the sandbox may show the answer."""

    id: str
    answer: str
    png: bytes


class Captchas:
    """Issues captchas and checks their answers."""

    def __init__(
        self,
        pool: CaptchaPool,
        secret_box: SecretBox,
        clock: Clock,
        random_source: RandomSource,
        lifetime_seconds: int,
    ) -> None:
        self._pool = pool
        self._secret_box = secret_box
        self._clock = clock
        self._random_source = random_source
        self._lifetime_seconds = lifetime_seconds

    async def issue(self) -> IssuedCaptcha:
        """Issue a captcha.

        Raises:
            Busy: no image is ready and too many requests wait for one.
        """
        picture = await self._take_picture()
        expires_at = int(self._clock.now()) + self._lifetime_seconds
        nonce = self._random_source.token_bytes(_NONCE_BYTES)
        plain = msgpack.encode(SealedAnswer(nonce, picture.answer, expires_at))
        captcha_id = base64.urlsafe_b64encode(
            self._secret_box.encrypt(_CAPTCHA_KEY_PURPOSE, plain)
        ).decode()
        return IssuedCaptcha(captcha_id, picture.answer, picture.png)

    async def redeem(self, tx: Transaction, captcha_id: str, answer: str) -> AppError | None:
        """Check an answer and spend the id, even if the answer is wrong.

        Returns:
            None if it is right, else the error to return, so that the transaction commits.
        """
        content = self._decrypt(captcha_id)
        now = self._clock.now()
        max_lifetime_seconds = self._lifetime_seconds + _MAX_CLOCK_SKEW_SECONDS
        if content is None or not now < content.expires_at <= now + max_lifetime_seconds:
            return WrongCaptcha()  # from the future: it would be valid too long (R08)
        if not await spend_captcha(tx, content.nonce, content.expires_at):
            return WrongCaptcha()
        received = answer.strip().encode()
        return None if hmac.compare_digest(received, content.answer.encode()) else WrongCaptcha()

    async def _take_picture(self) -> CaptchaImage:
        try:
            return await self._pool.take()
        except (CaptchaPoolExhausted, CaptchaRenderingFailed) as error:
            raise Busy from error

    def _decrypt(self, captcha_id: str) -> SealedAnswer | None:
        try:
            encrypted = base64.b64decode(captcha_id.encode("ascii"), altchars=b"-_", validate=True)
            plain = self._secret_box.decrypt(_CAPTCHA_KEY_PURPOSE, encrypted)
            return None if plain is None else msgpack.decode(plain, type=SealedAnswer)
        except (binascii.Error, UnicodeEncodeError, DecodeError, ValidationError):
            return None
