"""The inventory of every endpoint that takes a secret which can be guessed (security E5).

Each goes through the gate of tries in `tries.py`, which counts wrong ones by address, and below it
through what counts them by target: captchas have one try each, codes and passwords the limiter of
the domain. A token is no line here: it comes in a header of any endpoint and has 128 random bits,
which nobody guesses, while a client whose session ended may well repeat its old one all day.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from hupan.contract import endpoints
from hupan.contract.table import Endpoint

Secret: TypeAlias = Literal["captcha", "code", "password", "new password"]
"""What a field holds. A new password is set, never compared."""

SECRETS: Mapping[Endpoint[Any, Any, Any], Mapping[str, Secret]] = {
    endpoints.get_sms_code: {"code": "captcha"},
    endpoints.get_email_code: {"code": "captcha"},
    endpoints.code_login: {"captcha": "code"},
    endpoints.email_login: {"password": "password"},
    endpoints.reset_password: {"captcha": "code", "password": "new password"},
    endpoints.bind_phone: {"captcha": "code"},
    endpoints.bind_email: {"captcha": "code"},
    endpoints.change_phone: {"captcha": "code"},
    endpoints.change_email: {"captcha": "code"},
    endpoints.cancel_user: {"captcha": "code"},
}
"""The fields of each request that hold a secret."""
