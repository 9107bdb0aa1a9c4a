"""Which endpoints authenticate or change what one signs in with (security L2).

Who is meant, and on what device, is read from the request by the name of its field. docs/events.md
lists the events; a guard looks that none is missing.
"""

from dataclasses import dataclass
from typing import Any

from hupan.api.call import Call
from hupan.contract import endpoints
from hupan.contract.table import Endpoint
from hupan.model import Caller, Viewer


@dataclass(frozen=True, slots=True)
class Act:
    """What an endpoint does, as its event names it.

    Attributes:
        event: the event's name.
        targets: the fields of the request that may name whom it is about.
        device: the field that names a device, "" when the caller's own is meant.
    """

    event: str
    targets: tuple[str, ...] = ()
    device: str = ""


@dataclass(slots=True)
class Story:
    """One request of such an endpoint, as far as it came.

    Attributes:
        who: what the guard gave; None before it did, or when nobody signed in calls.
        request: what the body was read as; None before it was.
    """

    call: Call
    who: Call | Caller | Viewer | None = None
    request: Any = None

    @property
    def caller(self) -> Caller | None:
        """Who was signed in."""
        return self.who if isinstance(self.who, Caller) else None

    def field(self, name: str) -> str:
        """A field of the request, "" when there is none."""
        return str(getattr(self.request, name, ""))


TOKEN_REFUSED = "token-refused"  # noqa: S105 - the name of an event

ACTS: dict[Endpoint[Any, Any, Any], Act] = {
    endpoints.code_login: Act("sign-in-by-code", ("mobile",), "device_id"),
    endpoints.email_login: Act("sign-in-by-password", ("email",), "device_id"),
    endpoints.get_sms_code: Act("code-by-sms", ("mobile",)),
    endpoints.get_email_code: Act("code-by-email", ("email",)),
    endpoints.logout: Act("sign-out"),
    endpoints.device_offline: Act("device-offline", (), "device_id"),
    endpoints.reset_password: Act("password-reset", ("email",)),
    endpoints.bind_phone: Act("phone-bind", ("phone",)),
    endpoints.bind_email: Act("email-bind", ("email",)),
    endpoints.change_phone: Act("phone-change", ("phone",)),
    endpoints.change_email: Act("email-change", ("email",)),
    endpoints.cancel_user: Act("cancel", ("phone", "email")),
}
"""Each endpoint that takes a secret or ends what a secret opened, with its act."""
