"""Make docs/openapi.json from the table of endpoints: OpenAPI 3.1, for programs.

docs/protocol.md has what schemas cannot express.
"""

import inspect
import json
from typing import Any, TypeAlias

import msgspec
from google.protobuf.message import Message
from msgspec import Struct

from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import (
    SUCCESS_CODE,
    SUCCESS_MESSAGE,
    AddressedHost,
    Endpoint,
    IgnoredBody,
    NoData,
    Public,
)
from hupan.errors import APP_ERRORS
from tools.docs.openapi_protobuf import protobuf_schema

Schema: TypeAlias = dict[str, Any]
Line: TypeAlias = Endpoint[Any, Any, Any]

_VERSION = "1"
_REFERENCE = "#/components/schemas/{name}"
_PROTOBUF = "application/x-protobuf"
_BYTES: Schema = {"schema": {"type": "string", "contentMediaType": _PROTOBUF}}
_DECIMAL: Schema = {"type": "string", "format": "decimal"}  # as the library describes it
_FAILURE: Schema = {
    "type": "object",
    "description": "The token is missing, or the request failed. No `data` (wire.md 1.6).",
    "properties": {
        "code": {"enum": sorted({error.code for error in APP_ERRORS})},
        "msg": {"type": "string", "minLength": 1},
    },
    "required": ["code", "msg"],
    "additionalProperties": False,
}


def openapi_document() -> str:
    """Return the document as JSON."""
    forms = {form for line in ENDPOINTS for form in (line.request, line.response, line.json_data)}
    forms = {form for form in forms if form and not issubclass(form, AddressedHost)}
    paths: Schema = {}
    for line in ENDPOINTS:
        prefix = "/web" if line.surface == "web" else ""
        paths.setdefault(prefix + line.path, {})[line.method.lower()] = _operation(line)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Hupan", "version": _VERSION, "license": {"name": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": {"Failure": _FAILURE, **_schemas(forms)},
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "token"}},
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _schemas(forms: set[Any]) -> Schema:
    """Return the schemas of the messages; those of responses have no further keys."""
    structs = sorted((form for form in forms if issubclass(form, Struct)), key=lambda f: f.__name__)
    _, found = msgspec.json.schema_components(structs, ref_template=_REFERENCE)
    requests = {line.request.__name__ for line in ENDPOINTS}
    for name, schema in found.items():
        schema["description"] = inspect.cleandoc(schema["description"])
        schema["properties"] = {key: _number(value) for key, value in schema["properties"].items()}
        if name not in requests:
            schema["additionalProperties"] = False
    return {name: found[name] for name in sorted(found)}


def _number(schema: Schema) -> Schema:
    """Return the schema of a number; amounts are numbers on the wire (wire.md 4)."""
    return {"type": "number"} if schema == _DECIMAL else schema


def _operation(line: Line) -> Schema:
    operation: Schema = {
        "operationId": f"{line.surface} {line.method} {line.path.removeprefix('/v1/')}",
        "security": [] if isinstance(line.access, Public) else [{"token": []}],
    }
    if line.method == "GET" and not issubclass(line.request, IgnoredBody):
        operation["parameters"] = _parameters(line.request)
    elif line.json_data is not None:
        content = {_PROTOBUF: _BYTES, "application/json": {"schema": {"type": "object"}}}
        operation["requestBody"] = {"required": False, "content": content}
    elif not issubclass(line.request, IgnoredBody):
        operation["requestBody"] = {"required": True, "content": _request_content(line.request)}
    operation["responses"] = {
        "200": {"description": "Any outcome.", "content": _response_content(line)}
    }
    if line.method == "POST":
        content = {"application/json": {"schema": _ref("Failure")}}
        operation["responses"]["413"] = {
            "description": "The body is too large.",
            "content": content,
        }
    return operation


def _parameters(request: type[Struct]) -> list[Schema]:
    schema, found = msgspec.json.schema_components([request], ref_template=_REFERENCE)
    del schema
    fields = found[request.__name__]
    return [
        {"name": name, "in": "query", "required": name in fields["required"], "schema": field}
        for name, field in fields["properties"].items()
    ]


def _request_content(request: type[Struct] | type[Message]) -> Schema:
    if issubclass(request, Message):
        return {_PROTOBUF: _BYTES, "application/json": {"schema": protobuf_schema(request)}}
    return {"application/json": {"schema": _ref(request.__name__)}}


def _response_content(line: Line) -> Schema:
    """Return the response content: a protobuf endpoint also has JSON."""
    if not issubclass(line.response, Message):
        success = _success(line.response)
        return {"application/json": {"schema": {"oneOf": [success, _ref("Failure")]}}}
    forms = [_ref("Failure")]
    if line.json_data is not None:
        forms.append(_success(line.json_data))
    elif not issubclass(line.request, IgnoredBody):
        forms.append(protobuf_schema(line.response))
    return {_PROTOBUF: _BYTES, "application/json": {"schema": {"oneOf": forms}}}


def _success(response: type[Struct]) -> Schema:
    data = {} if response is NoData else {"data": _ref(response.__name__)}
    properties = {"code": {"const": SUCCESS_CODE}, **data, "msg": {"const": SUCCESS_MESSAGE}}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _ref(name: str) -> Schema:
    return {"$ref": _REFERENCE.format(name=name)}
