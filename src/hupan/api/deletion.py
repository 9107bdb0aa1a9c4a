"""Handler of account deletion."""

from hupan.api.routing import Services
from hupan.contract.endpoints import NoData
from hupan.contract.messages.deletion import AccountCancellation
from hupan.model import Caller


async def cancel_account(
    services: Services, caller: Caller, request: AccountCancellation
) -> NoData:
    """Cancel the caller's account (security D1, A7)."""
    await services.account_deletion.cancel(
        caller.session, request.phone, request.email, request.captcha
    )
    return NoData()
