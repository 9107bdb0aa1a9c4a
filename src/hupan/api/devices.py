"""Handlers of the caller's devices."""

from hupan.api.services import Services
from hupan.contract.messages.devices import DeviceOffline
from hupan.contract.pb.hupan_pb2 import Clients
from hupan.contract.table import Anything, Done
from hupan.model import Caller


async def clients(services: Services, caller: Caller, _request: Anything) -> Clients:
    """The devices on which the caller is signed in, the newest sign-in first."""
    sessions = await services.devices.list_live(caller.account.id)
    return Clients(
        client=[
            Clients.Client(
                user_id=str(session.account_id),
                platform=session.platform,
                device_id=session.device_id,
                login_timestamp=session.signed_in_at,
            )
            for session in sessions
        ]
    )


async def device_offline(services: Services, caller: Caller, request: DeviceOffline) -> Done:
    """Signs one device of the caller out; another's, or one that is not there, changes nothing."""
    await services.devices.take_offline(caller.account.id, request.device_id)
    return Done()
