"""Every refusal of the domain, mapped to the wire once."""

import logging

from hupan.contract import failures
from hupan.contract.failures import Failure
from hupan.domain import refusals
from hupan.domain.refusals import InvalidField, PasswordTooShort, Refusal
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
    refusals.PhoneBound: failures.PHONE_BOUND,
    refusals.EmailBound: failures.EMAIL_BOUND,
    refusals.PhoneNotBound: failures.PHONE_NOT_BOUND,
    refusals.EmailNotBound: failures.EMAIL_NOT_BOUND,
    refusals.ProofNeeded: failures.PROOF_NEEDED,
    refusals.PasswordTooShort: failures.PASSWORD_TOO_SHORT,
    refusals.WeakPassword: failures.WEAK_PASSWORD,
    refusals.TooLateToUndo: failures.TOO_LATE_TO_UNDO,
    refusals.TooManyRemarks: failures.TOO_MANY_REMARKS,
    refusals.AccountCancelled: failures.ACCOUNT_CANCELLED,
    refusals.InvitationCodeTaken: failures.INVITATION_CODE_TAKEN,
    refusals.InvitationCodeChanged: failures.INVITATION_CODE_CHANGED,
    refusals.NotEnoughCoins: failures.NOT_ENOUGH_COINS,
    refusals.TooManyCoins: failures.TOO_MANY_COINS,
    refusals.CoinKeyReused: failures.COIN_KEY_REUSED,
    refusals.TooManyTries: failures.TOO_MANY_TRIES,
    refusals.Busy: failures.BUSY,
}


class MissingToken(Exception):  # noqa: N818 - the client's omission, not our error
    """A token is needed and none came: answered in JSON on every endpoint (wire.md 1.7)."""


class UnreadableBody(Exception):  # noqa: N818 - the client's bytes, not our error
    """A body is not of the endpoint's form at all."""


def failure_of(error: Exception, number: int) -> tuple[Failure, str]:
    """The failure that a request ends with, and what fills the place in its text, "" for none."""
    if isinstance(error, Refusal):
        return WIRE[type(error)], _filling(error)
    if isinstance(error, MissingToken):
        return failures.NOT_SIGNED_IN, ""
    if isinstance(error, UnreadableBody):
        return failures.UNREADABLE_BODY, ""
    if isinstance(error, StoreUnavailable):
        _log.error("request=%d the store is not available: %s", number, error)
        return failures.STORE_UNAVAILABLE, ""
    _log.error("request=%d failed", number, exc_info=error)
    return failures.SERVER_ERROR, ""


def _filling(refusal: Refusal) -> str:
    """What fills the place in the text of a refusal."""
    if isinstance(refusal, InvalidField):
        return refusal.field
    return str(refusal.least) if isinstance(refusal, PasswordTooShort) else ""
