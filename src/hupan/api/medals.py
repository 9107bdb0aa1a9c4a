"""Handler of medals."""

from hupan.api.services import Services
from hupan.contract.pb.hupan_pb2 import Medal, Medals
from hupan.contract.table import Anything
from hupan.model import Caller


async def own_medals(services: Services, caller: Caller, _request: Anything) -> Medals:
    """The caller's medals by `sort`, with no data wrapper (wire.md 3)."""
    worn = await services.medals.worn_by(caller.account.id)
    return Medals(medal=[Medal(id=medal.id, name=medal.name, sort=medal.sort) for medal in worn])
