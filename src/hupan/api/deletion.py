"""Handler of account deletion."""

from hupan.api.app import Services, handles
from hupan.contract import deletion
from hupan.contract.deletion import AccountCancellation
from hupan.contract.endpoints import NoData
from hupan.model import Caller


@handles(deletion.cancel_account)
async def cancel_account(
    services: Services, caller: Caller, request: AccountCancellation
) -> NoData:
    """Cancel the caller's account (security D1, A7)."""
    await services.account_deletion.cancel(
        caller.session, request.phone, request.email, request.captcha
    )
    return NoData()
