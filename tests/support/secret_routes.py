"""The inventory of endpoints that accept a secret: their limits, and how to guess at them (E5).

Tokens are not included: one comes in a header of any endpoint, has 128 random bits, and every
endpoint that needs one is tested in test_token_guesses.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tests.support.answers import Account, Answer
from tests.support.channels import EMAIL, PHONE, ContactChannel
from tests.support.client import WireClient

Held = Literal["codes", "passwords", "captchas"]
PASSWORD = "herons stand in the reeds"
WRONG_PASSWORD = "the lake at seven"
BY: Mapping[Held, tuple[str, ...]] = {
    "codes": ("wrong-codes-hour", "wrong-codes-day", "wrong-codes-in-a-row"),
    "passwords": ("wrong-passwords-hour", "wrong-passwords-day"),
    "captchas": (),  # one attempt each, so there is nothing to count (security C9)
}
"""The limits of a target that count wrong secrets; an address's limit counts them all (C6)."""


@dataclass(frozen=True)
class Route:
    """One endpoint.

    Attributes:
        held: the table or memory of its secret.
        secret: the field of the secret.
        target: the field of the account's contact.
        bound: whether the right secret only works for a target of an account.
        own: whether the account must be the caller's; None where there is no session.
        also: a field that holds a secret of the same kind in another form of the request.
    """

    held: Held
    secret: str
    target: str
    way: ContactChannel
    bound: bool = False
    own: bool | None = None
    also: str = ""

    def body(self, target: str, secret: str) -> dict[str, object]:
        """Return a request with a secret; an unknown captcha is a wrong one."""
        if self.held == "captchas":
            return {self.target: target, self.secret: secret, "id": "unknown"}
        password = {"password": PASSWORD} if self.secret == "captcha" and self.way is EMAIL else {}
        return {**password, self.target: target, self.secret: secret}


ROUTES: Mapping[str, Route] = {
    "verification/get-verification-code": Route("captchas", "code", "mobile", PHONE, also="x"),
    "verification/get-email-verification-code": Route("captchas", "code", "email", EMAIL, also="x"),
    "user/verification-login": Route("codes", "captcha", "mobile", PHONE, bound=True),
    "user/email-login": Route("passwords", "password", "email", EMAIL, bound=True),
    "user/forget-password": Route("codes", "captcha", "email", EMAIL, bound=True),
    "user/bing-phone": Route("codes", "captcha", "phone", PHONE, own=False),
    "user/bing-email": Route("codes", "captcha", "email", EMAIL, own=False),
    "user/change-phone-check": Route("codes", "captcha", "phone", PHONE, own=False),
    "user/change-email-check": Route("codes", "captcha", "email", EMAIL, own=False),
    "user/cancel-user": Route("codes", "captcha", "phone", PHONE, bound=True, own=True),
}


@dataclass
class Mark:
    """An account whose secret is guessed at one endpoint, and the caller that guesses."""

    wire: WireClient
    path: str
    target: str
    owner: Account | None
    token: str | None

    @property
    def route(self) -> Route:
        """Return the endpoint's entry."""
        return ROUTES[self.path]

    def try_secret(self, secret: str) -> Answer:
        """Send one guess."""
        return self.wire.post(self.path, self.route.body(self.target, secret), token=self.token)

    def right(self) -> str:
        """Return the right secret; a new one if it is a code."""
        if self.route.held == "passwords":
            return PASSWORD
        return self.route.way.code(self.wire, self.target)

    def wrong(self, right: str, step: int = 1) -> str:
        """Return a wrong secret, different for each step."""
        if self.route.held == "passwords":
            return f"{WRONG_PASSWORD} {step}"
        return f"{(int(right) + step) % 10**6:06}"


def mark(wire: WireClient, path: str) -> Mark:
    """Return a new account as the endpoint needs it."""
    route = ROUTES[path]
    way, target = route.way, route.way.fresh(wire)
    password = {"password": PASSWORD} if route.held == "passwords" else {}
    owner = wire.account(**{way.field: target}, **password) if route.bound else None
    if route.own is None:
        return Mark(wire, path, target, owner, None)
    if route.own:
        assert owner is not None
        return Mark(wire, path, target, owner, owner.token)
    bound = {way.field: way.fresh(wire)} if "change" in path else {}
    return Mark(wire, path, target, owner, wire.account(**bound).token)
