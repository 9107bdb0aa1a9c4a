"""Maps exceptions to wire errors."""

import logging

from hupan import errors as refusals
from hupan.contract import errors as failures
from hupan.contract.errors import WireError
from hupan.errors import InvalidField, PasswordTooShort
from hupan.model import StoreUnavailable

_log = logging.getLogger("hupan.api")

WIRE_ERROR_BY_EXCEPTION: dict[type[Exception], WireError] = {
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
    refusals.OlderProofNeeded: failures.OLDER_PROOF_NEEDED,
    refusals.PasswordTooShort: failures.PASSWORD_TOO_SHORT,
    refusals.WeakPassword: failures.WEAK_PASSWORD,
    refusals.TooLateToUndo: failures.TOO_LATE_TO_UNDO,
    refusals.TooManyRemarks: failures.TOO_MANY_REMARKS,
    refusals.RemarksFull: failures.REMARKS_FULL,
    refusals.AccountCancelled: failures.ACCOUNT_CANCELLED,
    refusals.InvitationCodeTaken: failures.INVITATION_CODE_TAKEN,
    refusals.InvitationCodeChanged: failures.INVITATION_CODE_CHANGED,
    refusals.NotEnoughCoins: failures.NOT_ENOUGH_COINS,
    refusals.TooManyCoins: failures.TOO_MANY_COINS,
    refusals.CoinKeyReused: failures.COIN_KEY_REUSED,
    refusals.TooManyTries: failures.TOO_MANY_TRIES,
    refusals.TooManyFromHere: failures.TOO_MANY_FROM_HERE,
    refusals.SendingStopped: failures.SENDING_STOPPED,
    refusals.Busy: failures.BUSY,
}


class MissingToken(Exception):
    """A token is needed and none came: answered in JSON on every endpoint (wire.md 1.7)."""


class UnreadableBody(Exception):
    """A body is not of the endpoint's form at all."""


_ALL_WIRE_ERRORS: dict[type[Exception], WireError] = {
    **WIRE_ERROR_BY_EXCEPTION,
    MissingToken: failures.NOT_SIGNED_IN,
    UnreadableBody: failures.UNREADABLE_BODY,
    StoreUnavailable: failures.STORE_UNAVAILABLE,
}


def log_and_map_error(error: Exception, request_id: int) -> tuple[WireError, str]:
    """The failure that a request ends with, and what fills the place in its text, "" for none."""
    failure = map_error(error)
    if failure is failures.STORE_UNAVAILABLE:
        _log.error("request=%d the store is not available: %s", request_id, error)
    elif failure is failures.SERVER_ERROR:
        _log.error("request=%d failed", request_id, exc_info=error)
    return failure, _placeholder_value(error)


def map_error(error: Exception) -> WireError:
    """The failure alone; nothing is logged."""
    if isinstance(error, StoreUnavailable) and error.is_busy:
        return failures.BUSY
    return _ALL_WIRE_ERRORS.get(type(error), failures.SERVER_ERROR)


def _placeholder_value(error: Exception) -> str:
    """What fills the place in the text of a failure."""
    if isinstance(error, InvalidField):
        return error.field
    return str(error.min_characters) if isinstance(error, PasswordTooShort) else ""
