"""Uploads of pictures (wire.md 8.4); the uploads themselves are not requests of the API."""

from msgspec import Struct

from hupan.contract.endpoints import SESSION, IgnoredBody, Note, app


class UploadToken(Struct):
    """What permits uploads of pictures for ten minutes, on this server only.

    Attributes:
        token: `AK:SIGN:policy`; the policy is JSON in base64url with `scope` and `deadline`.
    """

    token: str


get_upload_token = app.get(
    "/v1/misc/qiniu-token",
    SESSION,
    IgnoredBody,
    UploadToken,
    source="C",
    notes=(
        Note(
            "D",
            "Valid for ten minutes, for uploads to this server, and only while the session lives; "
            "the scope is a bucket without a key ([decision 40](decisions/0040-pictures.md)).",
            "十分钟内有效，仅用于向本服务器上传，且会话须仍有效；`scope` 只含存储空间，不含文件名"
            "（[决定 40](decisions/0040-pictures.md)）。",
        ),
    ),
)
