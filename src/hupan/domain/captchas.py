"""Captchas: the id is itself the sealed answer, so issuing one writes nothing (C9, C10)."""

import base64
import binascii
import hmac

from msgspec import DecodeError, Struct, ValidationError, msgpack

from hupan.chance import Chance
from hupan.clock import Clock
from hupan.domain.refusals import Busy, Refusal, WrongCaptcha
from hupan.pictures.pool import Picture, PicturePool, PicturesBusy, PicturesFailed
from hupan.seal import Seal
from hupan.store.captchas import claim_captcha
from hupan.store.engine import Transaction

_PURPOSE = "captcha"
_NONCE_BYTES = 12
_SKEW_SECONDS = 60
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
        self, pictures: PicturePool, seal: Seal, clock: Clock, chance: Chance, lifetime_seconds: int
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
        picture = await self._picture()
        expires_at = int(self._clock.now()) + self._lifetime_seconds
        nonce = self._chance.token_bytes(_NONCE_BYTES)
        plain = msgpack.encode(SealedAnswer(nonce, picture.answer, expires_at))
        captcha_id = base64.urlsafe_b64encode(self._seal.close(_PURPOSE, plain)).decode()
        return IssuedCaptcha(captcha_id, picture.answer, picture.png)

    async def redeem(self, tx: Transaction, captcha_id: str, answer: str) -> Refusal | None:
        """Takes an answer; the id is used up also when the answer is wrong.

        Returns:
            None when it is right, else the refusal, so that using the id up is kept.
        """
        sealed = self._open(captcha_id)
        now = self._clock.now()
        longest = self._lifetime_seconds + _SKEW_SECONDS
        if sealed is None or not now < sealed.expires_at <= now + longest:
            return WrongCaptcha()  # of a time to come: it would be good for too long (R08)
        if not await claim_captcha(tx, sealed.nonce, sealed.expires_at):
            return WrongCaptcha()
        given = answer.strip().encode()
        return None if hmac.compare_digest(given, sealed.answer.encode()) else WrongCaptcha()

    async def _picture(self) -> Picture:
        try:
            return await self._pictures.take()
        except (PicturesBusy, PicturesFailed) as error:
            raise Busy from error

    def _open(self, captcha_id: str) -> SealedAnswer | None:
        try:
            sealed = base64.b64decode(captcha_id.encode("ascii"), altchars=b"-_", validate=True)
            plain = self._seal.open(_PURPOSE, sealed)
            return None if plain is None else msgpack.decode(plain, type=SealedAnswer)
        except (binascii.Error, UnicodeEncodeError, DecodeError, ValidationError):
            return None
