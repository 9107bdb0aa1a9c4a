"""Handler of what accounts note about each other."""

from hupan.api.services import Services
from hupan.contract.messages.remarks import RemarkWanted
from hupan.contract.table import Done
from hupan.domain.refusals import InvalidField
from hupan.model import Caller, Remark


async def save_remark(services: Services, caller: Caller, request: RemarkWanted) -> Done:
    """Notes something about another account."""
    if not request.friend_id:
        raise InvalidField("friendId")
    remark = Remark(request.name, request.phone, request.others)
    await services.remarks.save(caller.account.id, request.friend_id, remark)
    return Done()
