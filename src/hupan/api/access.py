"""Who may call: from a token to the parameter that a handler takes."""

from hupan.api.call import Call
from hupan.api.failures import MissingToken
from hupan.api.services import Services
from hupan.domain.refusals import Banned, NotSignedIn, VipOnly
from hupan.model import Caller, Viewer


async def anybody(_services: Services, call: Call) -> Call:
    """The call itself: a public endpoint asks nobody who calls."""
    return call


async def signed_in(services: Services, call: Call) -> Caller:
    """The caller of an endpoint marked `T`.

    Raises:
        MissingToken: there is no token.
        NotSignedIn, Banned: it opens nothing.
    """
    if not call.token:
        raise MissingToken
    return await services.sessions.get(call.token)


async def vip(services: Services, call: Call) -> Caller:
    """The caller of an endpoint marked `T, VIP`.

    Raises:
        MissingToken: there is no token.
        NotSignedIn, Banned: it opens nothing.
        VipOnly: its account has no VIP, or no more.
    """
    caller = await signed_in(services, call)
    if not caller.account.is_vip(services.clock.now()):
        raise VipOnly
    return caller


async def may_have_left(services: Services, call: Call) -> Caller | None:
    """Who signs out; None when the token did so before.

    Raises:
        MissingToken: there is no token.
        NotSignedIn, Banned: it opens nothing, and never signed out.
    """
    if not call.token:
        raise MissingToken
    try:
        return await services.sessions.get(call.token)
    except NotSignedIn:  # asked second: between the questions a session can only leave
        if await services.sessions.has_left(call.token):
            return None
        raise


async def any_token(services: Services, call: Call) -> Viewer | None:
    """Who looks by an endpoint marked `t`: any token passes, a valid one says who (wire.md 4).

    Raises:
        MissingToken: there is no token.
    """
    if not call.token:
        raise MissingToken
    try:
        return await services.sessions.get_viewer(call.token)
    except (NotSignedIn, Banned):
        return None
