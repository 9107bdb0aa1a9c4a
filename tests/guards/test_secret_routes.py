"""The inventory has every endpoint that accepts a secret, with its limit (E5).

The story: a widely used version locked the sign-in after ten wrong passwords. Then "check the old
password before a change" became an endpoint. It checked the same password, counted nothing, and
answered four thousand times a second.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from msgspec import Struct

from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import Endpoint
from hupan.contract.fields import secret_fields
from hupan.ratelimit.table import LIMITS
from tests.support.secret_routes import BY, ROUTES

Line = Endpoint[Any, Any, Any]
SECRET_NAME = re.compile(
    r"code|captcha|pass|pwd|token|secret|answer|otp|pin$|ticket|^x$", re.IGNORECASE
)
# Endpoint and field -> why it is no secret, although its name might be one's.
NO_SECRETS = {
    ("user/invite/change-user-invite-code", "code"): "a name that one chooses for oneself",
    ("user/save-user-data", "locationCode"): "the number of a district",
    ("verification/get-verification-code", "captcha_type"): "says what `x` is",
    ("verification/get-email-verification-code", "captcha_type"): "says what `x` is",
}
# The ids of captchas: sealed by the server, and valid for one attempt.
OF_CAPTCHAS = {
    ("verification/get-verification-code", "id"),
    ("verification/get-email-verification-code", "id"),
}
OF_PRODUCTS = {("coin/shop/product-detail", "id")}
# Names of fields whose response reveals nothing that the caller may not know; `harmless` in a row
# of the table adds more.
TELLS_NOTHING = {
    *("mobile", "phone", "email"),  # the response does not depend on them (security E1)
    *("typ", "platform", "deviceId", "registrationId", "isOpen", "type", "ignore"),
    *("name", "url", "introduction", "gender", "birthday", "province", "city", "district"),
    *("locationCode", "others", "size", "page"),
    *("appChannel", "category", "keyword"),  # a public list
    "md5",  # of a list that is always empty
    "host",  # the header
    *("productId", "price"),  # of a public shop
}
# What checks a secret -> the files that may use it, because they count each attempt.
COMPARING: Mapping[str, set[str]] = {
    # argon2id.py is only called through passwords.verify, which is the next line.
    # The signature of an upload token has 256 bits, which cannot be guessed, so nothing is counted.
    r"compare_digest\(": {
        *("domain/hash_worker.py", "domain/codes.py", "domain/captchas.py"),
        *("domain/media.py", "api/oauth.py"),
    },
    r"passwords\.verify\(": {"domain/sessions.py"},
    r"\bcount_code_attempt\(": {"domain/codes.py"},
    r"\bspend_code\(": {"domain/codes.py"},
}
# File -> what counts an attempt there, in the order of the source.
COUNTING: Mapping[str, str] = {
    "domain/codes.py": "self._limiter.take(",
    "domain/sessions.py": "self._count_attempt(",
    "domain/captchas.py": "spend_captcha(",
    "api/oauth.py": "async with Attempt(",
}


def fields(form: type) -> list[str]:
    """Return the names of a request's fields on the wire."""
    if issubclass(form, Struct):
        return list(form.__struct_encode_fields__)
    descriptor: Any = getattr(form, "DESCRIPTOR", None)
    return [] if descriptor is None else [field.name for field in descriptor.fields]


def path_of(line: Line) -> str:
    """Return the path without its version."""
    return line.path.removeprefix("/v1/")


def secrets_of(lines: tuple[Line, ...]) -> set[tuple[str, str]]:
    """Return endpoints with a field whose name says that it is a secret."""
    named = {
        (path_of(line), name)
        for line in lines
        for name in fields(line.request)
        if SECRET_NAME.search(name)
    }
    return named - NO_SECRETS.keys()


def test_every_secret_is_in_the_inventory() -> None:
    """A field with a secret's name is in the `secrets` of its row (E5)."""
    assert secrets_of(ENDPOINTS) == {
        (path_of(line), name) for line in ENDPOINTS for name in line.secrets
    }, "name the field in `secrets` of its line, or say in NO_SECRETS why it is no secret"


def test_every_endpoint_of_the_inventory_is_tried() -> None:
    """The suite in tests/attacks guesses at each, in the same field (E5)."""
    kinds = {"code": "codes", "password": "passwords", "captcha": "captchas"}
    guessed = {
        (path_of(line), name, kinds[kind])
        for line in ENDPOINTS
        for name, kind in secret_fields(line.request).items()
        if kind != "new password"
    }
    tried = {
        (path, field, route.held)
        for path, route in ROUTES.items()
        for field in (route.secret, route.also)
        if field
    }
    assert tried == guessed, "say in tests/support/secret_routes.py how to guess at the field"


def unknown_fields(lines: tuple[Line, ...]) -> set[tuple[str, str]]:
    """Return endpoints with fields that no list describes."""
    named = {(path_of(line), name) for line in lines for name in fields(line.request)}
    secrets = {(path_of(line), name) for line in lines for name in line.secrets}
    told = {(path, name) for path, name in named if name in TELLS_NOTHING}
    harmless = {(path_of(line), name) for line in lines for name in line.harmless}
    revealing = {(path_of(line), name) for line in lines for name in line.reveals}
    others = revealing | OF_CAPTCHAS | OF_PRODUCTS | NO_SECRETS.keys()
    return named - secrets - harmless - others - told


def test_every_field_that_can_be_guessed_counts() -> None:
    """A field is a secret, or its requests count, or its response reveals nothing (E4, E5)."""
    assert unknown_fields(ENDPOINTS) == set(), (
        "say on the endpoint's line what an answer reveals: give a field that can be guessed a "
        "secret type of contract/fields.py and name it in `secrets`; name it in `harmless` if the "
        "caller learns nothing from it; else name it in `reveals`, with the limit `profile_views` "
        "or `invitation_codes`"
    )


def test_what_reveals_is_limited() -> None:
    """Whoever tries ids or invitation codes one by one is stopped by a limit (E4)."""
    revealing = {path_of(line) for line in ENDPOINTS if {*line.reveals} & {*fields(line.request)}}
    assert revealing
    limited = {
        path_of(line) for line in ENDPOINTS if line.limit in {"profile_views", "invitation_codes"}
    }
    assert revealing == limited, (
        "an endpoint with a field in `reveals`, and no other, has the limit `profile_views` or "
        "`invitation_codes` on its line"
    )


def test_a_new_field_is_named() -> None:
    """A new field that no list has, such as a voucher, fails the guard."""

    class Voucher(Struct):
        voucher: str

    line = replace(ENDPOINTS[0], path="/v1/user/redeem", request=Voucher)
    assert unknown_fields((line,)) == {("user/redeem", "voucher")}


def test_passwords_are_hashed_in_turn(modules: dict[str, str]) -> None:
    """Every hash or verification waits in the queue, so none fills the pool (X3, P5)."""
    asking = re.compile(r"_passwords\.(?:hash|verify)\(")
    found = {path for path, text in modules.items() if asking.search(text)}
    assert found
    assert [path for path in sorted(found) if "_passwords.slot(" not in modules[path]] == [], (
        "hash within `async with self._passwords.slot(…)`"
    )


def test_a_new_endpoint_is_seen() -> None:
    """A new endpoint with an unlisted password fails the inventory."""

    class OldPassword(Struct):
        old_password: str

    line = replace(ENDPOINTS[0], path="/v1/user/check", request=OldPassword)
    assert secrets_of((*ENDPOINTS, line)) - secrets_of(ENDPOINTS) == {
        ("user/check", "old_password")
    }


def test_no_exception_is_stale() -> None:
    """Each exception exists in the code."""
    there = {(path_of(line), name) for line in ENDPOINTS for name in fields(line.request)}
    assert set(NO_SECRETS) <= there


def test_what_holds_a_secret_is_a_limit() -> None:
    """Each limit that the inventory names is in the table of limits, kept in the store."""
    exact = {line.name for line in LIMITS if line.exact}
    assert {name for names in BY.values() for name in names} <= exact


@pytest.mark.parametrize("what", COMPARING)
def test_secrets_are_compared_where_they_are_counted(modules: dict[str, str], what: str) -> None:
    """No other file of domain or api checks a secret (E5)."""
    found = {
        path
        for path, text in modules.items()
        if path.startswith(("domain/", "api/")) and re.search(rf"(?<!def ){what}", text)
    }
    assert found == COMPARING[what], (
        "count the attempt before the comparison, and add the file to COMPARING and COUNTING"
    )


@pytest.mark.parametrize("path", COUNTING)
def test_a_try_is_counted_before_it_is_looked_at(modules: dict[str, str], path: str) -> None:
    """In each of these files the count precedes the check (security C3, C4)."""
    text = modules[path]
    looks = [re.search(what, text) for what, files in COMPARING.items() if path in files]
    counted = text.index(COUNTING[path])
    assert counted < min(look.start() for look in looks if look is not None)
