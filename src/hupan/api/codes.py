"""Handlers that create captchas and send one-time codes."""

import base64

from hupan.api.app import Services, handles
from hupan.contract import codes
from hupan.contract.codes import Captcha, EmailCodeRequest, SmsCodeRequest
from hupan.contract.endpoints import IgnoredBody, NoData
from hupan.model import RequestContext


@handles(codes.create_captcha)
async def create_captcha(
    services: Services, _context: RequestContext, _request: IgnoredBody
) -> Captcha:
    """Create a captcha, as a data URL without line breaks (wire.md 4)."""
    issued = await services.captchas.issue()
    services.on_captcha(issued)
    image = base64.b64encode(issued.png).decode()
    return Captcha(b64s=f"data:image/png;base64,{image}", id=issued.id)


@handles(codes.send_sms_code)
async def send_sms_code(
    services: Services, _context: RequestContext, request: SmsCodeRequest
) -> NoData:
    """Send a code to a phone number."""
    await services.verification.send_sms_code(request.mobile, request.id, request.code)
    return NoData()


@handles(codes.send_email_code)
async def send_email_code(
    services: Services, _context: RequestContext, request: EmailCodeRequest
) -> NoData:
    """Send a code to an address; with `forget_password` it only sets a password (wire.md 4)."""
    await services.verification.send_email_code(
        request.email, request.id, request.code, reset=request.typ == "forget_password"
    )
    return NoData()
