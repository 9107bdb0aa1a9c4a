"""A change that says no and is kept all the same.

A wrong guess must be counted even though it is refused (security C4), so inside a change a refusal
is returned, not raised: the change commits, and `granted` raises it afterwards.
"""

from typing import TypeVar

from hupan.domain.refusals import Refusal

Granted = TypeVar("Granted")


def granted(outcome: Granted | Refusal) -> Granted:
    """What was granted.

    Raises:
        Refusal: the one that the change returned.
    """
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome
