"""Handlers that open and end sessions."""

from hupan.api.call import Call
from hupan.api.services import Services
from hupan.contract.messages.login import CodeLogin, EmailLogin, LoginToken
from hupan.contract.table import Anything, Done
from hupan.domain.sessions import device
from hupan.model import Caller


async def code_login(services: Services, _call: Call, request: CodeLogin) -> LoginToken:
    """Signs in with an SMS code."""
    on = device(request.device_id, request.platform)
    return LoginToken(await services.code_logins.sign_in(request.mobile, request.captcha, on))


async def email_login(services: Services, _call: Call, request: EmailLogin) -> LoginToken:
    """Signs in with a password."""
    on = device(request.device_id, request.platform)
    return LoginToken(await services.password_logins.sign_in(request.email, request.password, on))


async def logout(services: Services, caller: Caller | None, _request: Anything) -> Done:
    """Ends the session of the token that came, whatever device the body names (security T5)."""
    if caller is not None:
        await services.sessions.leave(caller.session)
    return Done()
