"""A field that is missing, of the wrong type or out of range is named (wire.md 2, code 1100)."""

import pytest

from tests.wire.answers import assert_refused, refused_field
from tests.wire.client import WireClient

pytestmark = pytest.mark.one_engine

SMS = "verification/get-verification-code"
EMAIL = "verification/get-email-verification-code"
BY_CODE = "user/verification-login"
BY_PASSWORD = "user/email-login"
REQUIRED = {
    SMS: ("mobile", "code", "id"),
    EMAIL: ("email", "code", "id"),
    BY_CODE: ("mobile", "captcha"),
    BY_PASSWORD: ("email", "password"),
}
OPTIONAL = {
    SMS: ("platform",),
    EMAIL: ("typ",),
    BY_CODE: ("deviceId", "platform"),
    BY_PASSWORD: ("deviceId", "platform"),
}
WRONG_TYPES: list[object] = [5, 13_900_000_000, 10**30, -1, 1.5, True, [], ["1"], {}, {"a": "b"}]
ALL_REQUIRED = [(path, field) for path, fields in REQUIRED.items() for field in fields]
# What a sign-in keeps, and what is compared.
KEPT = [
    *ALL_REQUIRED,
    *((path, field) for path in (BY_CODE, BY_PASSWORD) for field in ("deviceId", "platform")),
]
ALL_FIELDS = ALL_REQUIRED + [(path, field) for path, fields in OPTIONAL.items() for field in fields]


def whole_body(wire: WireClient, path: str) -> dict[str, object]:
    """Return a body in which every field is right in form."""
    bodies: dict[str, dict[str, object]] = {
        SMS: {"mobile": wire.fresh_phone(), "platform": "web"},
        EMAIL: {"email": wire.fresh_email(), "typ": ""},
        BY_CODE: {"mobile": wire.fresh_phone(), "captcha": "123123", "deviceId": "d"},
        BY_PASSWORD: {"email": wire.fresh_email(), "password": "long enough 1", "deviceId": "d"},
    }
    return bodies[path] | (wire.solved() if path in {SMS, EMAIL} else {"platform": "web"})


@pytest.mark.parametrize(("path", "field"), ALL_REQUIRED)
def test_missing_field_is_named(wire: WireClient, path: str, field: str) -> None:
    """A required field that is missing or null is named (wire.md 2)."""
    body = whole_body(wire, path)
    del body[field]
    assert refused_field(wire.post(path, body)) == field
    assert refused_field(wire.post(path, {**body, field: None})) == field


@pytest.mark.parametrize(("path", "field"), ALL_FIELDS)
def test_wrong_type_is_named(wire: WireClient, path: str, field: str) -> None:
    """A field of the wrong type is named, required or not (wire.md 2)."""
    for value in WRONG_TYPES:
        answer = wire.post(path, {**whole_body(wire, path), field: value})
        assert refused_field(answer) == field, value


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (SMS, "mobile"),
        (EMAIL, "email"),
        (BY_CODE, "mobile"),
        (BY_CODE, "deviceId"),
        (BY_PASSWORD, "deviceId"),
    ],
)
@pytest.mark.parametrize("length", [1025, 20_000])
def test_too_long_is_named(wire: WireClient, path: str, field: str, length: int) -> None:
    """A text beyond its limit is named; deviceId holds 1,024 (wire.md 5, security T8)."""
    body = {**whole_body(wire, path), field: "1" * length}
    assert refused_field(wire.post(path, body)) == field


@pytest.mark.parametrize(("path", "field"), ALL_REQUIRED)
def test_far_too_long_is_refused(wire: WireClient, path: str, field: str) -> None:
    """A text of 60,000 characters in any field is refused, and nothing breaks (wire.md 2)."""
    assert_refused(wire.post(path, {**whole_body(wire, path), field: "1" * 60_000}))


@pytest.mark.parametrize(
    "mobile",
    [
        "",
        "1",
        "1390000000",
        "139000000000",
        "23900000000",
        "1390000000a",
        "1390000000.0",
        "139_0000_0000",
        "+1 2025550123",
        "+8613900000000\n",
        "13900000000\n",
        "13900000000\x00",
        "\x0013900000000",
        "١٣٩٠٠٠٠٠٠٠٠",
        "1390000000²",
        "+86+8613900000000",
        "-13900000000",
        "1.39e10",
        "0x33c83d900",
        "13900000000;13900000001",
        "13900000000,13900000001",
        "湖畔",
        "%",
        "' or 1=1 --",
    ],
)
def test_what_is_no_number_is_named(wire: WireClient, mobile: str) -> None:
    """A phone number is `1` and ten ASCII digits, and nothing else (wire.md 5, security I7)."""
    for path in (SMS, BY_CODE):
        body = {**whole_body(wire, path), "mobile": mobile}
        assert refused_field(wire.post(path, body)) == "mobile", path


@pytest.mark.parametrize(("path", "field"), KEPT)
def test_nul_breaks_nothing(wire: WireClient, path: str, field: str) -> None:
    """NUL in a text is a refusal like another, never an accident (security U5)."""
    for value in ("\x00", "a\x00b", "1390000\x00000", "\x00" * 100):
        assert_refused(wire.post(path, {**whole_body(wire, path), field: value}))


@pytest.mark.parametrize("path", sorted(REQUIRED))
def test_names_are_exact(wire: WireClient, path: str) -> None:
    """A key in another case is another key (wire.md 2)."""
    first = REQUIRED[path][0]
    body = {key.upper(): value for key, value in whole_body(wire, path).items()}
    answer = wire.post(path, body)
    assert answer.code == 1100
    assert refused_field(answer) in REQUIRED[path], first
