"""Handlers that bind, change and prove phone numbers and addresses, and set passwords."""

from hupan.api.call import Call
from hupan.api.services import Services
from hupan.contract.messages.contacts import EmailProof, PasswordReset, PhoneProof
from hupan.contract.table import Done
from hupan.model import Caller


async def bind_phone(services: Services, caller: Caller, request: PhoneProof) -> Done:
    """Binds a first phone number."""
    await services.contacts.bind_phone(caller.session, request.phone, request.captcha)
    return Done()


async def bind_email(services: Services, caller: Caller, request: EmailProof) -> Done:
    """Binds a first address."""
    await services.contacts.bind_email(caller.session, request.email, request.captcha)
    return Done()


async def change_phone(services: Services, caller: Caller, request: PhoneProof) -> Done:
    """With the number that is bound, proves it; with another one, changes it (security D2)."""
    await services.contacts.change_phone(caller.session, request.phone, request.captcha)
    return Done()


async def change_email(services: Services, caller: Caller, request: EmailProof) -> Done:
    """With the address that is bound, proves it; with another one, changes it (security D2)."""
    await services.contacts.change_email(caller.session, request.email, request.captcha)
    return Done()


async def reset_password(services: Services, call: Call, request: PasswordReset) -> Done:
    """Sets a password, also the first."""
    origin = services.client_addresses.origin(call)
    await services.password_resets.reset(request.email, request.captcha, request.password, origin)
    return Done()
