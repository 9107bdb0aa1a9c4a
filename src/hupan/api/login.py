"""Handlers that open and end sessions."""

from hupan.api.agents import platform_of
from hupan.api.call import Call
from hupan.api.services import Services
from hupan.contract.messages.login import CodeLogin, EmailLogin, LoginToken
from hupan.contract.table import Anything, Done
from hupan.domain.sessions import Device, device
from hupan.model import Caller


async def code_login(services: Services, call: Call, request: CodeLogin) -> LoginToken:
    """Signs in with an SMS code."""
    on = await _device(services, call, request)
    return LoginToken(await services.code_logins.sign_in(request.mobile, request.captcha, on))


async def email_login(services: Services, call: Call, request: EmailLogin) -> LoginToken:
    """Signs in with a password."""
    on = await _device(services, call, request)
    origin = services.client_addresses.origin(call)
    token = await services.password_logins.sign_in(request.email, request.password, on, origin)
    return LoginToken(token)


async def logout(services: Services, caller: Caller | None, _request: Anything) -> Done:
    """Ends the session of the token that came, whatever device the body names (security T5)."""
    if caller is not None:
        await services.sessions.leave(caller.session)
    return Done()


async def _device(services: Services, call: Call, request: CodeLogin | EmailLogin) -> Device:
    """What the client signs in on, and the country of its address."""
    country = await services.places.country(services.client_addresses.of(call))
    return device(request.device_id, request.platform or platform_of(call.headers), country)
