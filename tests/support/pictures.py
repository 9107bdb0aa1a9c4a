"""Pictures to upload, and their upload form."""

import io
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence

import httpx
from PIL import Image

from tests.support.client import WireClient

BOUNDARY = "----boundary7MA4YWxk"
IMAGE_HOST = {"host": "chat-img.jwznb.com"}
UPLOAD_HOST = {"host": "upload-z2.qiniup.com"}
Part = tuple[str, bytes]


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture as a file of a format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(kind: str = "PNG", colour: str = "teal", size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a small picture of one colour."""
    return encode(Image.new("RGB", size, colour), kind)


def decode(data: bytes) -> Image.Image:
    """Return the pixels of a file."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def form(parts: Sequence[Part], boundary: str = BOUNDARY) -> bytes:
    """Return a form of parts in order; a file has a name and a type, as clients send it."""
    body = b""
    for name, data in parts:
        extra = '; filename="a.jpg"\r\nContent-Type: image/jpeg' if name == "file" else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def token_of(wire: WireClient, token: str) -> str:
    """Fetch an upload token."""
    reply = wire.request("GET", "/v1/misc/qiniu-token", token=token)
    return str(reply.json()["data"]["token"])


def policy_of(upload_token: str) -> dict[str, object]:
    """Return what a token permits, decoded as a client does."""
    policy: dict[str, object] = json.loads(urlsafe_b64decode(upload_token.split(":")[2]))
    return policy


def send_form(
    wire: WireClient,
    parts: Sequence[Part],
    *,
    path: str = "/media/upload",
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Send a form by POST."""
    named = {"content-type": f"multipart/form-data; boundary={BOUNDARY}", **(headers or {})}
    return wire.request("POST", path, form(parts), headers=named)


def upload(wire: WireClient, token: str, key: str, data: bytes) -> httpx.Response:
    """Fetch an upload token and upload a picture."""
    parts = [("token", token_of(wire, token).encode()), ("key", key.encode()), ("file", data)]
    return send_form(wire, parts)
