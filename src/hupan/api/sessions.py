"""Handlers that log in and out."""

from hupan.api.app import Services, handles
from hupan.api.codecs import detect_platform
from hupan.contract import sessions
from hupan.contract.endpoints import IgnoredBody, NoData
from hupan.contract.sessions import CodeLogin, EmailLogin, LoginToken
from hupan.domain.sessions import Device, parse_device
from hupan.model import Caller, RequestContext


@handles(sessions.code_login)
async def code_login(services: Services, context: RequestContext, request: CodeLogin) -> LoginToken:
    """Log in with an SMS code."""
    login_device = await _login_device(services, context, request)
    return LoginToken(
        await services.code_logins.sign_in(request.mobile, request.captcha, login_device)
    )


@handles(sessions.email_login)
async def email_login(
    services: Services, context: RequestContext, request: EmailLogin
) -> LoginToken:
    """Log in with a password."""
    login_device = await _login_device(services, context, request)
    origin = services.client_resolver.resolve_origin(context)
    token = await services.password_logins.sign_in(
        request.email, request.password, login_device, origin
    )
    return LoginToken(token)


@handles(sessions.logout)
async def logout(services: Services, caller: Caller | None, _request: IgnoredBody) -> NoData:
    """End the session of the token, regardless of the device in the body (security T5)."""
    if caller is not None:
        await services.sessions.logout(caller.session)
    return NoData()


async def _login_device(
    services: Services, context: RequestContext, request: CodeLogin | EmailLogin
) -> Device:
    country = await services.country_resolver.country(
        services.client_resolver.resolve_address(context)
    )
    return parse_device(
        request.device_id, request.platform or detect_platform(context.headers), country
    )
