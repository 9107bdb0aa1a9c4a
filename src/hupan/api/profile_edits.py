"""Handlers that change the nickname and the avatar."""

from hupan.api.services import Services
from hupan.contract.pb.hupan_pb2 import EditAvatar, Edited, EditNickname
from hupan.model import Caller


async def edit_nickname(services: Services, caller: Caller, request: EditNickname) -> Edited:
    """Gives the caller another nickname."""
    await services.profile_edits.rename(caller.account.id, request.name)
    return Edited()


async def edit_avatar(services: Services, caller: Caller, request: EditAvatar) -> Edited:
    """Gives the caller another avatar."""
    await services.profile_edits.change_avatar(caller.account.id, request.url)
    return Edited()
