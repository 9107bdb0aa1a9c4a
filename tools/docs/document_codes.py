"""When each failure is answered, for the page on the protocol."""

from hupan.contract import errors as of
from hupan.contract.errors import WireError

ERROR_CONDITIONS: dict[WireError, str] = {
    of.NOT_SIGNED_IN: "a token is needed, and none came or it opens no live session",
    of.VIP_ONLY: "a VIP feature without VIP in force",
    of.INVALID_FIELD: "a field is missing, of the wrong type or out of range; the message names it",
    of.UNREADABLE_BODY: "the body is not of the endpoint's form at all",
    of.UNKNOWN_USER: "get-user of an id that nobody has, or save-user-remarks about one",
    of.BANNED: "signing in to a banned account (after a right code or password), its token, or "
    "get-user of it",
    of.SERVER_ERROR: "a fault of the server; the log has it under the request's id",
    of.STORE_UNAVAILABLE: "the disk or the database does not take changes; nothing was kept",
    of.BUSY: "too many passwords wait to be checked",
    of.SHUTTING_DOWN: "the server is shutting down; HTTP 503",
    of.UNKNOWN_ENDPOINT: "no endpoint has this path and method; HTTP 404",
    of.BODY_TOO_LARGE: "the body is larger than 64 KiB (JSON) or 16 KiB (protobuf); HTTP 413",
    of.WRONG_CAPTCHA: "a captcha's answer is wrong, or the captcha was answered before or expired: "
    "fetch a new one",
    of.WRONG_CODE: "a code is wrong, used, expired, out of its five tries, or good for something "
    "else",
    of.TOO_MANY_TRIES: "a limit on codes sent, on wrong codes, or on an account's looks at users, "
    "was reached",
    of.TOO_MANY_FROM_HERE: "a limit of the client's address, or of those beside it, was reached; "
    "told before anything else is looked at",
    of.SENDING_STOPPED: "the server has sent as many codes as its operator lets it in a day",
    of.WRONG_EMAIL_OR_PASSWORD: "email-login where anything is wrong, or too often was",
    of.SIGN_UP_CLOSED: "verification-login with a new number while sign-up is closed",
    of.PHONE_TAKEN: "the number belongs to another account; told after a right code",
    of.EMAIL_TAKEN: "the address belongs to another account; told after a right code",
    of.PHONE_BOUND: "bing-phone of an account that has a number",
    of.EMAIL_BOUND: "bing-email of an account that has an address",
    of.PHONE_NOT_BOUND: "change-phone-check of an account that has no number",
    of.EMAIL_NOT_BOUND: "change-email-check of an account that has no address",
    of.PROOF_NEEDED: "a change in an older session, before what is bound now was proved",
    of.OLDER_PROOF_NEEDED: "a change of what was bound earlier, or a cancelling by what was bound "
    "later, while that later binding was made without proof and can still be undone",
    of.PASSWORD_TOO_SHORT: "forget-password with too short a password; the message tells the least",
    of.WEAK_PASSWORD: "forget-password with a common password, or one made of the account's name, "
    "number or address",
    of.TOO_LATE_TO_UNDO: "an operator undoes a change that is too old or was undone; never to "
    "clients",
    of.TOO_MANY_REMARKS: "save-user-remarks past the most that one account may have",
    of.REMARKS_FULL: "save-user-remarks when all remarks of the account together would be longer "
    "than is kept; shorter ones are always taken",
    of.ACCOUNT_CANCELLED: "signing in to an account that was cancelled and waits to be erased; "
    "told after a right code or password",
    of.INVITATION_CODE_TAKEN: "change-user-invite-code to one that is or was another account's",
    of.INVITATION_CODE_CHANGED: "change-user-invite-code for the second time",
    of.NOT_ENOUGH_COINS: "coins are taken that are not there; today by operators alone",
    of.TOO_MANY_COINS: "a balance would pass what a double keeps exactly; likewise",
    of.COIN_KEY_REUSED: "the key of one change of coins comes with another; likewise",
}

CODE_GROUP_TITLES: dict[int, str] = {
    0: "Below zero: the public service's own",
    10: "10xx: the server",
    11: "11xx: the request",
    12: "12xx: captchas and codes",
    13: "13xx: signing in",
    14: "14xx: the account",
    15: "15xx: coins",
    44: "44xx: others' accounts",
    71: "71xx: bans",
}
"""The title of each hundred."""
