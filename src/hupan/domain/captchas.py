"""Captchas: the id is itself the sealed answer, so issuing one writes nothing (C9, C10)."""

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
"""How far the clocks of two nodes may lie apart."""


class SealedAnswer(Struct, frozen=True, array_like=True):
    """What an id holds when it is opened."""

    nonce: bytes
    answer: str
    expires_at: int


class IssuedCaptcha(Struct, frozen=True):
    """A captcha on its way to a client; only the sandbox may show the answer."""

    id: str
    answer: str
    png: bytes


class Captchas:
    """Issues captchas and takes their answers."""

    def __init__(
        self,
        pictures: CaptchaPool,
        seal: SecretBox,
        clock: Clock,
        chance: RandomSource,
        lifetime_seconds: int,
    ) -> None:
        self._pictures = pictures
        self._seal = seal
        self._clock = clock
        self._chance = chance
        self._lifetime_seconds = lifetime_seconds

    async def issue(self) -> IssuedCaptcha:
        """A picture and the id that its answer must come with.

        Raises:
            Busy: no picture is ready and too many wait for one.
        """
        picture = await self._take_picture()
        expires_at = int(self._clock.now()) + self._lifetime_seconds
        nonce = self._chance.token_bytes(_NONCE_BYTES)
        plain = msgpack.encode(SealedAnswer(nonce, picture.answer, expires_at))
        captcha_id = base64.urlsafe_b64encode(
            self._seal.encrypt(_CAPTCHA_KEY_PURPOSE, plain)
        ).decode()
        return IssuedCaptcha(captcha_id, picture.answer, picture.png)

    async def redeem(self, tx: Transaction, captcha_id: str, answer: str) -> AppError | None:
        """Takes an answer; the id is used up also when the answer is wrong.

        Returns:
            None when it is right, else the refusal, so that using the id up is kept.
        """
        sealed = self._decrypt(captcha_id)
        now = self._clock.now()
        max_lifetime_seconds = self._lifetime_seconds + _MAX_CLOCK_SKEW_SECONDS
        if sealed is None or not now < sealed.expires_at <= now + max_lifetime_seconds:
            return WrongCaptcha()  # of a time to come: it would be good for too long (R08)
        if not await spend_captcha(tx, sealed.nonce, sealed.expires_at):
            return WrongCaptcha()
        given = answer.strip().encode()
        return None if hmac.compare_digest(given, sealed.answer.encode()) else WrongCaptcha()

    async def _take_picture(self) -> CaptchaImage:
        try:
            return await self._pictures.take()
        except (CaptchaPoolExhausted, CaptchaRenderingFailed) as error:
            raise Busy from error

    def _decrypt(self, captcha_id: str) -> SealedAnswer | None:
        try:
            sealed = base64.b64decode(captcha_id.encode("ascii"), altchars=b"-_", validate=True)
            plain = self._seal.decrypt(_CAPTCHA_KEY_PURPOSE, sealed)
            return None if plain is None else msgpack.decode(plain, type=SealedAnswer)
        except (binascii.Error, UnicodeEncodeError, DecodeError, ValidationError):
            return None
