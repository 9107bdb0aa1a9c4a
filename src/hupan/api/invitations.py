"""Handlers of invitations."""

from hupan.api.services import Services
from hupan.contract.messages.invitations import InvitationCode, InviteProgress
from hupan.contract.table import Anything, Done
from hupan.model import Caller


async def change_invitation_code(
    services: Services, caller: Caller, request: InvitationCode
) -> Done:
    """Gives the caller the code that it chose."""
    await services.invitations.change_code(caller.account.id, request.code)
    return Done()


async def invite_progress(services: Services, caller: Caller, _request: Anything) -> InviteProgress:
    """How many the caller invited."""
    progress = await services.invitations.progress(caller.account.id)
    return InviteProgress(
        current_number_day=progress.today,
        current_number_total=progress.in_all,
        target_number_day=progress.target_today,
        target_number_total=progress.target_in_all,
    )
