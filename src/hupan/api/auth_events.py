"""One line for each outcome of what authenticates or changes credentials (security D3, L1, L2).

The lines have a logger of their own, which no log level silences, and hold names, masked targets
and ids alone: never a code, a token, a password or a whole number.
"""

import hashlib
import logging
from collections.abc import Callable

from hupan.api.address import ClientAddresses
from hupan.api.auth_acts import TOKEN_REFUSED, Act, Story
from hupan.api.call import Call
from hupan.api.failures import plain_failure
from hupan.clock import Clock
from hupan.contract.failures import SUCCESS_CODE
from hupan.contract.messages.login import LoginToken
from hupan.counting import Count
from hupan.domain.masks import line_of, masked
from hupan.domain.text import MOST_KEPT_DEVICE_CHARACTERS, hashed_device_id
from hupan.model import AccountId

AGAIN_SECONDS = 60
"""Refused tokens of one address make one line in this time: a broken client sends thousands."""
MOST_ADDRESSES = 4096
_log = logging.getLogger("hupan.auth")


class AuthEvents:
    """Tells the log and the counters.

    Args:
        addresses: tells where a request comes from (security I10).
        account_of: the account of a token that was just made.
        count: counts each event by name and result.
        clock: tells when a line about an address is due again.
    """

    def __init__(
        self,
        addresses: ClientAddresses,
        account_of: Callable[[str], AccountId | None],
        count: Count,
        clock: Clock,
    ) -> None:
        self._addresses = addresses
        self._account_of = account_of
        self._count = count
        self._clock = clock
        self._refused: dict[str, tuple[float, int]] = {}

    def ended(self, act: Act, story: Story, outcome: object) -> None:
        """Tells how a request of an act ended.

        Args:
            act: what was asked for.
            story: the request, as far as it was read.
            outcome: the answer, or the exception that there was instead.
        """
        device = story.field(act.device) if act.device else _own_device(story)
        self._tell(
            act.event,
            story.call,
            outcome,
            target=next((masked(t) for name in act.targets if (t := story.field(name))), ""),
            account=str(self._account(story, outcome) or ""),
            device=device_mark(device),
        )

    def token_refused(self, call: Call, refusal: Exception) -> None:
        """Tells that a token opened nothing: a line for each address and minute, with a number."""
        address, now = self._address(call), self._clock.now()
        since, times = self._refused.pop(address, (0.0, 0))
        if since <= now < since + AGAIN_SECONDS:
            self._refused[address] = since, times + 1
            self._count("auth", TOKEN_REFUSED, plain_failure(refusal).result)
            return
        if len(self._refused) >= MOST_ADDRESSES:
            del self._refused[next(iter(self._refused))]
        self._refused[address] = now, 0
        self._tell(TOKEN_REFUSED, call, refusal, times=str(times + 1))

    def _tell(self, event: str, call: Call, outcome: object, **more: str) -> None:
        failure = plain_failure(outcome) if isinstance(outcome, Exception) else None
        result = failure.result if failure else "ok"
        self._count("auth", event, result)
        fields = {
            "event": event,
            "result": result,
            "address": self._address(call),
            **more,
            "request": str(call.number),
            "code": str(failure.code if failure else SUCCESS_CODE),
            "reason": type(outcome).__name__ if failure else "",
        }
        _log.info(line_of(fields))

    def _account(self, story: Story, outcome: object) -> AccountId | None:
        if isinstance(outcome, LoginToken):
            return self._account_of(outcome.token)
        return story.caller.account.id if story.caller else None

    def _address(self, call: Call) -> str:
        return str(self._addresses.of(call) or "")


def device_mark(device_id: str) -> str:
    """What tells devices apart in the log without naming them, "" for none."""
    if len(device_id) > MOST_KEPT_DEVICE_CHARACTERS:
        device_id = hashed_device_id(device_id)
    return hashlib.sha256(device_id.encode()).hexdigest()[:8] if device_id else ""


def _own_device(story: Story) -> str:
    return story.caller.session.device_id if story.caller else ""
