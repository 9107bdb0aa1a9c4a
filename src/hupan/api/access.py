"""Who may call: from a token to the parameter that a handler takes."""

from hupan.api.call import Call
from hupan.api.failures import MissingToken
from hupan.domain.sessions import Sessions
from hupan.model import Caller


async def signed_in(sessions: Sessions, call: Call) -> Caller:
    """The caller of an endpoint marked `T`.

    Raises:
        MissingToken: there is no token.
        NotSignedIn, Banned: it opens nothing.
    """
    if not call.token:
        raise MissingToken
    return await sessions.get(call.token)


async def may_have_left(sessions: Sessions, call: Call) -> Caller | None:
    """Who signs out; None when the token did so before.

    Raises:
        MissingToken: there is no token.
        NotSignedIn, Banned: it opens nothing, and never signed out.
    """
    if not call.token:
        raise MissingToken
    return None if await sessions.has_left(call.token) else await sessions.get(call.token)


async def any_token(sessions: Sessions, call: Call) -> Caller | None:
    """The caller of an endpoint marked `t`: any token passes, a valid one says who (wire.md 4).

    Raises:
        MissingToken: there is no token.
    """
    if not call.token:
        raise MissingToken
    return await sessions.find(call.token)
