"""Handlers that create captchas and send one-time codes."""

import base64

from hupan.api.app import Services, handles
from hupan.contract import codes
from hupan.contract.codes import (
    Captcha,
    EmailCodeRequest,
    PixelSize,
    SlideCaptcha,
    SmsCodeRequest,
)
from hupan.contract.endpoints import IgnoredBody, NoData
from hupan.domain.captchas import SolvedCaptcha
from hupan.errors import InvalidField
from hupan.model import RequestContext


@handles(codes.create_captcha)
async def create_captcha(
    services: Services, _context: RequestContext, _request: IgnoredBody
) -> Captcha:
    """Create a captcha, as a data URL without line breaks (wire.md 4)."""
    issued = await services.captchas.issue_picture()
    services.on_captcha(issued)
    return Captcha(b64s=_data_url("png", issued.picture), id=issued.id)


@handles(codes.create_slide_captcha)
async def create_slide_captcha(
    services: Services, _context: RequestContext, _request: IgnoredBody
) -> SlideCaptcha:
    """Create a slide captcha (wire.md 8.6)."""
    issued = await services.captchas.issue_slide()
    services.on_captcha(issued)
    return SlideCaptcha(
        id=issued.id,
        type="slide",
        master_image=_data_url("jpeg", issued.picture.master),
        master_size=PixelSize(*issued.picture.master_size),
        tile_image=_data_url("png", issued.picture.tile),
        tile_size=PixelSize(*issued.picture.tile_size),
        tile_y=issued.picture.tile_y,
    )


def _data_url(form: str, image: bytes) -> str:
    return f"data:image/{form};base64,{base64.b64encode(image).decode()}"


@handles(codes.send_sms_code)
async def send_sms_code(
    services: Services, _context: RequestContext, request: SmsCodeRequest
) -> NoData:
    """Send a code to a phone number."""
    await services.verification.send_sms_code(request.mobile, _read_solution(request))
    return NoData()


@handles(codes.send_email_code)
async def send_email_code(
    services: Services, _context: RequestContext, request: EmailCodeRequest
) -> NoData:
    """Send a code to an address; with `forget_password` it only sets a password (wire.md 4)."""
    await services.verification.send_email_code(
        request.email, _read_solution(request), reset=request.typ == "forget_password"
    )
    return NoData()


def _read_solution(request: SmsCodeRequest | EmailCodeRequest) -> SolvedCaptcha:
    """Return the answer to a captcha, of the kind that the request names.

    Any `captcha_type` but `slide` is ignored if there is a `code`, as before that field existed.

    Raises:
        InvalidField: the answer is absent.
    """
    if request.captcha_type == "slide":
        if request.x is None:
            raise InvalidField("x")
        return SolvedCaptcha(request.id, x=request.x)
    if request.code is None:
        raise InvalidField("captcha_type" if request.captcha_type else "code")
    return SolvedCaptcha(request.id, request.code)
