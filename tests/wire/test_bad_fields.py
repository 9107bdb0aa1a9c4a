"""A field that is missing, of the wrong type or out of range is named (wire.md 2, code 1100).

`null` is like absence in every field that may be missing (wire.md 1.4, security I3).
"""

import json

import msgspec
import pytest
from google.protobuf.message import Message
from msgspec import Struct

from hupan.api.codecs import JsonCodec, ProtobufJsonCodec
from hupan.contract import ENDPOINTS
from hupan.errors import InvalidField
from tests.support.answers import assert_refused, refused_field
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, reply_to

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
# The stored fields of a sign-in, and the compared ones.
KEPT = [
    *ALL_REQUIRED,
    *((path, field) for path in (BY_CODE, BY_PASSWORD) for field in ("deviceId", "platform")),
]
ALL_FIELDS = ALL_REQUIRED + [(path, field) for path, fields in OPTIONAL.items() for field in fields]


def whole_body(wire: WireClient, path: str) -> dict[str, object]:
    """Return a body in which every field is well-formed."""
    bodies: dict[str, dict[str, object]] = {
        SMS: {"mobile": wire.fresh_phone(), "platform": "web"},
        EMAIL: {"email": wire.fresh_email(), "typ": ""},
        BY_CODE: {"mobile": wire.fresh_phone(), "captcha": "123123", "deviceId": "d"},
        BY_PASSWORD: {"email": wire.fresh_email(), "password": "long enough 1", "deviceId": "d"},
    }
    return bodies[path] | (wire.solved() if path in {SMS, EMAIL} else {"platform": "web"})


@pytest.mark.one_engine
@pytest.mark.parametrize(("path", "field"), ALL_REQUIRED)
def test_missing_field_is_named(wire: WireClient, path: str, field: str) -> None:
    """A required field that is missing or null is named (wire.md 2)."""
    body = whole_body(wire, path)
    del body[field]
    assert refused_field(wire.post(path, body)) == field
    assert refused_field(wire.post(path, {**body, field: None})) == field


@pytest.mark.slow
@pytest.mark.one_engine
def test_wrong_type_is_named(wire: WireClient, subtests: pytest.Subtests) -> None:
    """A field of the wrong type is named, required or not (wire.md 2)."""
    for path, field in ALL_FIELDS:
        with subtests.test(path=path, field=field):
            for value in WRONG_TYPES:
                answer = wire.post(path, {**whole_body(wire, path), field: value})
                assert refused_field(answer) == field, value


@pytest.mark.one_engine
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
    """A text beyond its limit is named; deviceId has up to 1,024 (wire.md 5, security T8)."""
    body = {**whole_body(wire, path), field: "1" * length}
    assert refused_field(wire.post(path, body)) == field


@pytest.mark.one_engine
@pytest.mark.parametrize(("path", "field"), ALL_REQUIRED)
def test_far_too_long_is_refused(wire: WireClient, path: str, field: str) -> None:
    """A text of 60,000 characters in any field is refused, and nothing breaks (wire.md 2)."""
    assert_refused(wire.post(path, {**whole_body(wire, path), field: "1" * 60_000}))


@pytest.mark.slow
@pytest.mark.one_engine
def test_what_is_no_number_is_named(wire: WireClient, subtests: pytest.Subtests) -> None:
    """A phone number is `1` and ten ASCII digits (wire.md 5, security I7)."""
    for mobile in [
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
    ]:
        with subtests.test(mobile=mobile):
            for path in (SMS, BY_CODE):
                body = {**whole_body(wire, path), "mobile": mobile}
                assert refused_field(wire.post(path, body)) == "mobile", path


@pytest.mark.one_engine
@pytest.mark.parametrize(("path", "field"), KEPT)
def test_nul_breaks_nothing(wire: WireClient, path: str, field: str) -> None:
    """NUL in a text is an ordinary refusal, never a server error (security U5)."""
    for value in ("\x00", "a\x00b", "1390000\x00000", "\x00" * 100):
        assert_refused(wire.post(path, {**whole_body(wire, path), field: value}))


@pytest.mark.one_engine
@pytest.mark.parametrize("path", sorted(REQUIRED))
def test_names_are_exact(wire: WireClient, path: str) -> None:
    """Keys are case-sensitive (wire.md 2)."""
    first = REQUIRED[path][0]
    body = {key.upper(): value for key, value in whole_body(wire, path).items()}
    answer = wire.post(path, body)
    assert answer.code == 1100
    assert refused_field(answer) in REQUIRED[path], first


FORMS: dict[str, type[Struct]] = {
    e.request.__name__: e.request for e in ENDPOINTS if issubclass(e.request, Struct)
}
OPTIONAL_FIELDS = [
    (form, field)
    for form in FORMS.values()
    for field in msgspec.structs.fields(form)
    if not field.required
]
MESSAGES = [
    (e.request, e.response, field.name)
    for e in ENDPOINTS
    if issubclass(e.request, Message) and issubclass(e.response, Message)
    for field in e.request.DESCRIPTOR.fields
]
NULLS = ["null", " null", "\n\tnull "]


def whole(form: type[Struct]) -> dict[str, object]:
    """Return a body with each required field and placeholder values."""
    shapes = msgspec.json.schema_components([form])[1][form.__name__]["properties"]
    names = [field.encode_name for field in msgspec.structs.fields(form) if field.required]
    return {name: "1" if shapes[name].get("type") == "string" else 1 for name in names}


@pytest.mark.one_engine
def test_null_reads_like_absence(subtests: pytest.Subtests) -> None:
    """`null` equals absence in each optional field of each endpoint, next to other fields."""
    for null in NULLS:
        for form, field in OPTIONAL_FIELDS:
            with subtests.test(null=null, form=form, field=field):
                body = whole(form)
                codec = JsonCodec(form)
                absent = codec.decode(json.dumps(body).encode())
                other = json.dumps({**body, "further": None, "nested": [None]})[1:-1]
                assert codec.decode(f'{{"{field.encode_name}":{null},{other}}}'.encode()) == absent


@pytest.mark.one_engine
def test_required_null_is_named(subtests: pytest.Subtests) -> None:
    """`null` in a required field is refused, even next to optional nulls."""
    for form in FORMS.values():
        with subtests.test(form=form):
            nulls = dict.fromkeys(
                f.encode_name for f in msgspec.structs.fields(form) if not f.required
            )
            for name in whole(form):
                body = json.dumps({**whole(form), **nulls, name: None}).encode()
                with pytest.raises(InvalidField) as refused:
                    JsonCodec(form).decode(body)
                assert refused.value.field == name


@pytest.mark.one_engine
def test_null_in_the_json_form(subtests: pytest.Subtests) -> None:
    """In the JSON form of a protobuf request each field may be missing or null (wire.md 1.3)."""
    for request_form, response_form, name in MESSAGES:
        with subtests.test(request_form=request_form, response_form=response_form, name=name):
            codec = ProtobufJsonCodec(request_form, response_form)
            assert codec.decode(f'{{"{name}": null}}'.encode()) == codec.decode(b"{}")


def test_nulls_change_nothing(wire: WireClient) -> None:
    """Nulls in save-user-data keep saved values; in a sign-in they are ignored."""
    token = wire.signed_in(wire.fresh_phone(), deviceId=None, platform=None)
    saved = {"introduction": "湖畔", "gender": 1}
    assert reply_to(wire, "user/save-user-data", saved, token=token) == SUCCESS
    nulls = {"introduction": None, "gender": None, "birthday": None, "city": "杭州"}
    assert reply_to(wire, "user/save-user-data", nulls, token=token) == SUCCESS
    told = wire.request("POST", "/v1/user/get-user-data", token=token).json()["data"]["data"]
    assert (told["introduction"], told["gender"], told["city"]) == ("湖畔", 1, "杭州")


@pytest.mark.one_engine
def test_null_next_to_a_wrong_field_names_the_wrong_one(wire: WireClient) -> None:
    """The refusal names the wrong field, not the null one."""
    body = {"mobile": wire.fresh_phone(), "captcha": 5, "deviceId": None, "platform": None}
    assert refused_field(wire.post("user/verification-login", body)) == "captcha"


@pytest.mark.one_engine
def test_null_at_the_sandbox(wire: WireClient) -> None:
    """The sandbox's account route accepts null for each field."""
    names = ["phone", "email", "password", "nickname", "coins", "vipDays", "medals", "banDays"]
    names += ["banReason", "invitedBy", "deviceId", "platform"]
    assert wire.account(**dict.fromkeys(names)).id
