"""Handlers that bind and change phone numbers and e-mail addresses, and reset passwords."""

from hupan.api.app import Services, handles
from hupan.contract import contacts
from hupan.contract.contacts import EmailProof, PasswordResetRequest, PhoneProof
from hupan.contract.endpoints import NoData
from hupan.model import Caller, RequestContext


@handles(contacts.bind_phone)
async def bind_phone(services: Services, caller: Caller, request: PhoneProof) -> NoData:
    """Bind a first phone number."""
    await services.contacts.bind_phone(caller.session, request.phone, request.captcha)
    return NoData()


@handles(contacts.bind_email)
async def bind_email(services: Services, caller: Caller, request: EmailProof) -> NoData:
    """Bind a first e-mail address."""
    await services.contacts.bind_email(caller.session, request.email, request.captcha)
    return NoData()


@handles(contacts.change_phone)
async def change_phone(services: Services, caller: Caller, request: PhoneProof) -> NoData:
    """Prove control of the bound number, or change it to another one (security D2)."""
    await services.contacts.change_phone(caller.session, request.phone, request.captcha)
    return NoData()


@handles(contacts.change_email)
async def change_email(services: Services, caller: Caller, request: EmailProof) -> NoData:
    """Prove control of the bound address, or change it to another one (security D2)."""
    await services.contacts.change_email(caller.session, request.email, request.captcha)
    return NoData()


@handles(contacts.reset_password)
async def reset_password(
    services: Services, context: RequestContext, request: PasswordResetRequest
) -> NoData:
    """Set a password, which may be the first one."""
    origin = services.client_resolver.resolve_origin(context)
    await services.password_resets.reset(request.email, request.captcha, request.password, origin)
    return NoData()
