"""Handler of the end of an account."""

from hupan.api.services import Services
from hupan.contract.messages.endings import CancelUser
from hupan.contract.table import Done
from hupan.model import Caller


async def cancel_user(services: Services, caller: Caller, request: CancelUser) -> Done:
    """Cancels the caller's account (security D1, A7)."""
    await services.endings.cancel(caller.session, request.phone, request.email, request.captcha)
    return Done()
