"""Field types that several messages share, with their bounds (security I3, I5, T8).

The bounds are wide: they keep oversized input out of the rules. The domain checks the format.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct
from msgspec.inspect import Metadata, StructType, Type, UnionType, type_info

SecretKind: TypeAlias = Literal["captcha", "code", "password", "new password"]
"""What a secret field holds. A new password is set, never compared."""

KIND_KEY = "secret"
"""Marks the types of what can be guessed; each endpoint that takes one is limited (security E5)."""

ShortText = Annotated[str, Meta(max_length=64)]
CodeText = Annotated[str, Meta(max_length=64, extra={KIND_KEY: "code"})]
"""A code that was sent to a contact."""
CaptchaAnswerText = Annotated[str, Meta(max_length=64, extra={KIND_KEY: "captcha"})]
"""The answer to a captcha."""
SlidePosition = Annotated[float, Meta(ge=0, le=10_000, extra={KIND_KEY: "captcha"})]
"""The answer to a slide captcha, in pixels; a client that scales its picture sends fractions."""
DeviceIdText = Annotated[str, Meta(max_length=1024)]
"""deviceId: opaque; stored as it is up to 128 characters, as its hash beyond."""
PlatformText = str
"""platform: free text, cut at 128 characters; only the size of the body bounds it before."""
ContactText = Annotated[str, Meta(max_length=320)]
"""A phone number or an e-mail address before it is normalised."""
PasswordText = Annotated[str, Meta(max_length=1024, extra={KIND_KEY: "password"})]
NewPasswordText = Annotated[str, Meta(max_length=1024, extra={KIND_KEY: "new password"})]
CaptchaIdText = Annotated[str, Meta(max_length=512)]
"""An id that is itself an encrypted value."""
PageSize = Annotated[int, Meta(ge=1, le=100)]
PageNumber = Annotated[int, Meta(ge=1, le=10_000)]
"""The first page is 1 (security I5)."""
LineText = Annotated[str, Meta(max_length=256)]
"""One line of free text, before it is normalised."""
LongText = Annotated[str, Meta(max_length=8192)]
"""Free text of several lines, or the JSON text of a list."""
BirthSeconds = Annotated[int, Meta(ge=-2_208_988_800, le=2**53 - 1)]
"""Unix seconds from 1900 on; get-user shows those before 1970 as 0 (wire.md 4)."""


def secret_fields(request: type[object]) -> dict[str, SecretKind]:
    """Return the fields of a request whose type is a secret, with what they hold."""
    info = type_info(request) if issubclass(request, Struct) else None
    fields = info.fields if isinstance(info, StructType) else ()
    marks = {f.name: _extra(f.type) for f in fields}
    return {name: mark[KIND_KEY] for name, mark in marks.items() if KIND_KEY in mark}


def _extra(field_type: Type) -> dict[str, SecretKind]:
    if isinstance(field_type, UnionType):  # with None, for a field that may be absent
        return {key: kind for one in field_type.types for key, kind in _extra(one).items()}
    return (field_type.extra or {}) if isinstance(field_type, Metadata) else {}
