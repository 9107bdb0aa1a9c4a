"""Request signatures of cloud providers: ACS3-HMAC-SHA256 (Aliyun), TC3-HMAC-SHA256 (Tencent)."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The id and the secret of an access key."""

    id: str
    secret: str = field(repr=False)


def encode_query(parameters: Mapping[str, str]) -> str:
    """Return a query string as it is signed and sent: sorted, and encoded as RFC 3986 says."""
    return "&".join(
        f"{quote(name, safe='~')}={quote(value, safe='~')}"
        for name, value in sorted(parameters.items())
    )


def sign_acs3(
    key: AccessKey, method: str, query: str, headers: Mapping[str, str], body: bytes
) -> str:
    """Return the `Authorization` of a request to Aliyun, with path `/`.

    Args:
        key: signs the request.
        method: the method in upper case.
        query: from `encode_query`.
        headers: `host` and all `x-acs-*`; names in lower case, sorted here.
        body: the body; `x-acs-content-sha256` contains its hash.
    """
    names = ";".join(sorted(headers))
    canonical_headers = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join(
        (method, "/", query, canonical_headers, names, hashlib.sha256(body).hexdigest())
    )
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"ACS3-HMAC-SHA256 Credential={key.id},SignedHeaders={names},Signature={signature}"


def sign_tc3(
    key: AccessKey, service: str, timestamp: int, headers: Mapping[str, str], body: bytes
) -> str:
    """Return the `Authorization` of a POST request to Tencent Cloud, with path `/`.

    Args:
        key: signs the request.
        service: the product, such as `sms`.
        timestamp: unix seconds, the value of `X-TC-Timestamp`.
        headers: `content-type` and `host`; names in lower case.
        body: the JSON.
    """
    names = ";".join(sorted(headers))
    canonical_headers = "".join(f"{name}:{headers[name].lower()}\n" for name in sorted(headers))
    canonical = "\n".join(
        ("POST", "/", "", canonical_headers, names, hashlib.sha256(body).hexdigest())
    )
    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    signing_key = f"TC3{key.secret}".encode()
    for part in (date, service, "tc3_request"):
        signing_key = hmac.new(signing_key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(signing_key, to_sign.encode(), hashlib.sha256).hexdigest()
    return (
        f"TC3-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
