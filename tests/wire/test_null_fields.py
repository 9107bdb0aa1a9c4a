"""`null` is like absence in every field that may be missing (wire.md 1.4, security I3)."""

import json

import msgspec
import pytest
from google.protobuf.message import Message
from msgspec import Struct

from hupan.api.codecs import JsonCodec, ProtobufJsonCodec
from hupan.contract.endpoints import ENDPOINTS
from hupan.errors import InvalidField
from tests.wire.answers import refused_field
from tests.wire.client import WireClient
from tests.wire.shapes import SUCCESS, reply_to

FORMS: dict[str, type[Struct]] = {
    e.request.__name__: e.request for e in ENDPOINTS if issubclass(e.request, Struct)
}
OPTIONAL = [
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
    """A body with each field that must be there, and nothing that fits its rules."""
    shapes = msgspec.json.schema_components([form])[1][form.__name__]["properties"]
    names = [field.encode_name for field in msgspec.structs.fields(form) if field.required]
    return {name: "1" if shapes[name].get("type") == "string" else 1 for name in names}


@pytest.mark.one_engine
@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize(("form", "field"), OPTIONAL, ids=lambda one: getattr(one, "name", None))
def test_null_reads_like_absence(
    form: type[Struct], field: msgspec.structs.FieldInfo, null: str
) -> None:
    """Each optional field of each endpoint, whatever else the body holds."""
    body = whole(form)
    codec = JsonCodec(form)
    absent = codec.decode(json.dumps(body).encode())
    other = json.dumps({**body, "further": None, "nested": [None]})[1:-1]
    assert codec.decode(f'{{"{field.encode_name}":{null},{other}}}'.encode()) == absent


@pytest.mark.one_engine
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_required_null_is_named(form: type[Struct]) -> None:
    """In a field that must be there `null` is refused, beside optional ones that are null too."""
    nulls = dict.fromkeys(f.encode_name for f in msgspec.structs.fields(form) if not f.required)
    for name in whole(form):
        body = json.dumps({**whole(form), **nulls, name: None}).encode()
        with pytest.raises(InvalidField) as refused:
            JsonCodec(form).decode(body)
        assert refused.value.field == name


@pytest.mark.one_engine
@pytest.mark.parametrize(("request_form", "response_form", "name"), MESSAGES)
def test_null_in_the_json_form(
    request_form: type[Message], response_form: type[Message], name: str
) -> None:
    """A protobuf request as JSON: each field may be missing, so each may be null (wire.md 1.3)."""
    codec = ProtobufJsonCodec(request_form, response_form)
    assert codec.decode(f'{{"{name}": null}}'.encode()) == codec.decode(b"{}")


def test_nulls_change_nothing(wire: WireClient) -> None:
    """Nulls of save-user-data leave what was saved; of a sign-in they say nothing."""
    token = wire.signed_in(wire.fresh_phone(), deviceId=None, platform=None)
    saved = {"introduction": "湖畔", "gender": 1}
    assert reply_to(wire, "user/save-user-data", saved, token=token) == SUCCESS
    nulls = {"introduction": None, "gender": None, "birthday": None, "city": "杭州"}
    assert reply_to(wire, "user/save-user-data", nulls, token=token) == SUCCESS
    told = wire.request("POST", "/v1/user/get-user-data", token=token).json()["data"]["data"]
    assert (told["introduction"], told["gender"], told["city"]) == ("湖畔", 1, "杭州")


@pytest.mark.one_engine
def test_null_beside_a_wrong_field_names_the_wrong_one(wire: WireClient) -> None:
    """What is wrong is named, not what is null."""
    body = {"mobile": wire.fresh_phone(), "captcha": 5, "deviceId": None, "platform": None}
    assert refused_field(wire.post("user/verification-login", body)) == "captcha"


@pytest.mark.one_engine
def test_null_at_the_sandbox(wire: WireClient) -> None:
    """An account to order takes null for each field."""
    names = ["phone", "email", "password", "nickname", "coins", "vipDays", "medals", "banDays"]
    names += ["banReason", "invitedBy", "deviceId", "platform"]
    assert wire.account(**dict.fromkeys(names)).id
