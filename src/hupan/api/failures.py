"""Every refusal of the domain, mapped to the wire once."""

import logging

from hupan.contract import failures
from hupan.contract.failures import Failure
from hupan.domain import refusals
from hupan.domain.refusals import InvalidField, Refusal
from hupan.model import StoreUnavailable

_log = logging.getLogger("hupan.api")

WIRE: dict[type[Refusal], Failure] = {
    refusals.InvalidField: failures.INVALID_FIELD,
    refusals.NotSignedIn: failures.NOT_SIGNED_IN,
    refusals.Banned: failures.BANNED,
    refusals.VipOnly: failures.VIP_ONLY,
    refusals.UnknownUser: failures.UNKNOWN_USER,
    refusals.WrongCaptcha: failures.WRONG_CAPTCHA,
    refusals.WrongCode: failures.WRONG_CODE,
    refusals.WrongEmailOrPassword: failures.WRONG_EMAIL_OR_PASSWORD,
    refusals.SignUpClosed: failures.SIGN_UP_CLOSED,
    refusals.PhoneTaken: failures.PHONE_TAKEN,
    refusals.EmailTaken: failures.EMAIL_TAKEN,
    refusals.TooManyTries: failures.TOO_MANY_TRIES,
    refusals.Busy: failures.BUSY,
}


class MissingToken(Exception):  # noqa: N818 - the client's omission, not our error
    """A token is needed and none came: answered in JSON on every endpoint (wire.md 1.7)."""


class UnreadableBody(Exception):  # noqa: N818 - the client's bytes, not our error
    """A body is not of the endpoint's form at all."""


def failure_of(error: Exception, number: int) -> tuple[Failure, str]:
    """The failure that a request ends with, and the field it names, "" for none."""
    if isinstance(error, InvalidField):
        return failures.INVALID_FIELD, error.field
    if isinstance(error, Refusal):
        return WIRE[type(error)], ""
    if isinstance(error, MissingToken):
        return failures.NOT_SIGNED_IN, ""
    if isinstance(error, UnreadableBody):
        return failures.UNREADABLE_BODY, ""
    if isinstance(error, StoreUnavailable):
        _log.error("request=%d the store is not available: %s", number, error)
        return failures.STORE_UNAVAILABLE, ""
    _log.error("request=%d failed", number, exc_info=error)
    return failures.SERVER_ERROR, ""
