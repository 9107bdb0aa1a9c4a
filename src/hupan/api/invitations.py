"""Handlers of the caller's invitation code and invitations."""

from hupan.api.app import Services, handles
from hupan.contract import invitations
from hupan.contract.endpoints import IgnoredBody, NoData
from hupan.contract.invitations import InvitationCode, InviteProgress
from hupan.model import Caller


@handles(invitations.change_invitation_code)
async def change_invitation_code(
    services: Services, caller: Caller, request: InvitationCode
) -> NoData:
    """Change the caller's invitation code."""
    await services.invitations.change_code(caller.account.id, request.code)
    return NoData()


@handles(invitations.get_invite_progress)
async def get_invite_progress(
    services: Services, caller: Caller, _request: IgnoredBody
) -> InviteProgress:
    """Return how many accounts registered, or how many the caller invited."""
    progress = await services.invitations.progress(caller.account.id)
    return InviteProgress(
        current_number_day=progress.today,
        current_number_total=progress.total,
        target_number_day=progress.target_today,
        target_number_total=progress.target_total,
    )
