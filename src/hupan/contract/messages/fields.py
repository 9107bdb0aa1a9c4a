"""Field types that several messages share, with their bounds (security I3, I5, T8).

The bounds are wide: they keep floods out of the rules. What a value must look like is the domain's.
"""

from typing import Annotated

from msgspec import Meta

SECRET_META_KEY = "secret"
"""Marks the types of what can be guessed; each endpoint that takes one is limited (security E5)."""

ShortText = Annotated[str, Meta(max_length=64)]
CodeText = Annotated[str, Meta(max_length=64, extra={SECRET_META_KEY: "code"})]
"""A code that was sent."""
CaptchaAnswerText = Annotated[str, Meta(max_length=64, extra={SECRET_META_KEY: "captcha"})]
"""What was read off a captcha."""
DeviceIdText = Annotated[str, Meta(max_length=1024)]
"""deviceId: opaque text; kept as it is up to 128 characters, a longer one as its hash."""
PlatformText = str
"""platform: free text, cut at 128 characters; a body has a bound of its own."""
ContactText = Annotated[str, Meta(max_length=320)]
"""A phone number or an e-mail address before it is normalised."""
PasswordText = Annotated[str, Meta(max_length=1024, extra={SECRET_META_KEY: "password"})]
CaptchaIdText = Annotated[str, Meta(max_length=512)]
"""An id that is itself a sealed value."""
PageSize = Annotated[int, Meta(ge=1, le=100)]
PageNumber = Annotated[int, Meta(ge=1, le=10_000)]
"""The first page is 1 (security I5)."""
LineText = Annotated[str, Meta(max_length=256)]
"""One line that people write, before it is normalised."""
LongText = Annotated[str, Meta(max_length=8192)]
"""Text of many lines, or the JSON text of a list."""
BirthSeconds = Annotated[int, Meta(ge=-2_208_988_800, le=2**53 - 1)]
"""Unix seconds from 1900 on; the profile of others shows those before 1970 as 0 (wire.md 4)."""
