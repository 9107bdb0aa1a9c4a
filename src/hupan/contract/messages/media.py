"""Messages about uploads of pictures."""

from msgspec import Struct


class UploadToken(Struct):
    """What permits uploads of pictures for ten minutes, on this server only.

    Attributes:
        token: `AK:SIGN:policy`; the policy is JSON in base64url with `scope` and `deadline`.
    """

    token: str
