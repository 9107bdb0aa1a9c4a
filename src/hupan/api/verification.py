"""Handlers that send codes."""

from hupan.api.call import Call
from hupan.api.services import Services
from hupan.contract.messages.verification import EmailCodeWanted, SmsCodeWanted
from hupan.contract.table import Done


async def get_sms_code(services: Services, _call: Call, request: SmsCodeWanted) -> Done:
    """Sends a code to a phone number."""
    await services.verification.send_sms_code(request.mobile, request.id, request.code)
    return Done()


async def get_email_code(services: Services, _call: Call, request: EmailCodeWanted) -> Done:
    """Sends a code to an address; `forget_password` makes one that only resets (wire.md 4)."""
    await services.verification.send_email_code(
        request.email, request.id, request.code, reset=request.typ == "forget_password"
    )
    return Done()
