"""What a request must pass before the store is asked: limits of addresses (security C6, C10, E4).

They look at where a request comes from and at nothing in it, so who is refused learns nothing of
whom it named (security E1). Nothing here waits, and nothing is written.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hupan.api.looks import Looks
from hupan.api.secrets_taken import SECRETS
from hupan.api.sight import Sight
from hupan.api.tries import Tries
from hupan.contract import endpoints
from hupan.contract.table import Endpoint
from hupan.domain.floods import Flood, Floods
from hupan.domain.origins import Origin
from hupan.domain.watch import Watch

SENDERS = (endpoints.get_sms_code, endpoints.get_email_code)


class Gates:
    """The gates of all endpoints of one process.

    Args:
        sight: tells where a request comes from.
        floods: the limits, and what was counted so far; without any every gate is open.
        watch: is told of tries and codes.

    Attributes:
        tries: of each endpoint that takes a secret, by its path.
    """

    def __init__(self, sight: Sight, floods: Floods, watch: Watch) -> None:
        self.watch = watch
        self.views = Looks(
            sight, _block, floods.views, floods.account_views, _site, floods.site_views
        )
        self.captchas = Looks(
            sight, _host, floods.captchas, Flood(), _network, floods.network_captchas
        )
        self.invitation_codes = Looks(
            sight, _host, floods.invitation_codes, floods.account_invitation_codes
        )
        self.tries = {
            endpoint.path: Tries(sight, floods, watch, fields.values(), sends=endpoint in SENDERS)
            for endpoint, fields in SECRETS.items()
        }


LOOKS: Mapping[Endpoint[Any, Any, Any], Callable[[Gates], Looks]] = {
    endpoints.captcha: lambda gates: gates.captchas,
    endpoints.get_user: lambda gates: gates.views,
    endpoints.web_homepage: lambda gates: gates.views,
    endpoints.save_remark: lambda gates: gates.views,
    endpoints.change_invitation_code: lambda gates: gates.invitation_codes,
}
"""The endpoints whose every request counts.

Those that tell of others by their id count as one: a remark tells whether an id is somebody's. A
change of an invitation code tells whether a code leads to an account.
"""


def _host(origin: Origin) -> str:
    return origin.host


def _network(origin: Origin) -> str:
    return origin.network


def _site(origin: Origin) -> str:
    return origin.site


def _block(origin: Origin) -> str:
    return origin.block
