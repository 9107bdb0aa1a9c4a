"""Sender of SMS through Aliyun or Tencent Cloud: approved templates, signed requests.

The text of a message is a template that the provider has approved; the request names it and fills
its variables.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from hupan.delivery.cloud_signatures import AccessKey, encode_query, sign_acs3, sign_tc3
from hupan.delivery.sender import (
    Message,
    NotSent,
    OutcomeUnknown,
    check_sms_message,
    require_option,
)
from hupan.delivery.sms import (
    GatewayRequest,
    GatewayResponse,
    GatewayTransport,
    is_retryable_status,
)
from hupan.delivery.sms_options import gateway_address, require_gateway_url
from hupan.delivery.texts import MESSAGE_TEMPLATES, render, sanitize_reply

Provider = Literal["aliyun", "tencent"]

DEFAULT_URLS: Final[Mapping[Provider, str]] = {
    "aliyun": "https://dysmsapi.aliyuncs.com",
    "tencent": "https://sms.tencentcloudapi.com",
}
CODE_TEMPLATE: Final = "code"
NOTICE_TEMPLATE: Final = "notice"
VARIABLES: Final = ("code", "minutes")
_TEMPLATE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_PARAMETER = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]{0,63}=)?(?:code|minutes)")
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_APP_ID = re.compile(r"[0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class CloudOptions:
    """How to send through a provider.

    Attributes:
        provider: the provider whose API is called.
        access_key: id of the access key.
        secret_key: its secret.
        sign_name: the approved signature of the SMS.
        templates: ids of the approved templates by purpose; "code" is required; "reset" is that of
            "code" unless given; "notice" is for all notices that are not given.
        template_params: variables of the templates with a code, in order: `code`, `minutes`, or
            `name=code` if the template calls it otherwise. Notices have none.
        app_id: the application at Tencent Cloud.
        region: the region at Tencent Cloud.
        url: https, or http for a loopback host; empty for the provider's own.
        timeout_seconds: for one message, from connecting to the response.
        ca_file: PEM file of the only trusted authorities; empty for the system's.

    Raises:
        InvalidOption: a field is not valid.
    """

    provider: Provider
    access_key: str
    secret_key: str = field(repr=False)
    sign_name: str
    templates: Mapping[str, str]
    template_params: Sequence[str] = (CODE_TEMPLATE,)
    app_id: str = ""
    region: str = "ap-guangzhou"
    url: str = ""
    timeout_seconds: float = 15.0
    ca_file: str = ""

    def __post_init__(self) -> None:
        require_option(
            _KEY_ID.fullmatch(self.access_key) is not None,
            "access_key",
            "服务商控制台中的 AccessKey ID 或 SecretId",
            "the AccessKey ID or SecretId of the provider's console",
        )
        require_option(
            self.secret_key.isascii() and self.secret_key.isprintable() and bool(self.secret_key),
            "secret_key",
            "可打印的 ASCII 文本",
            "printable ASCII",
        )
        require_option(
            bool(self.sign_name.strip())
            and self.sign_name.isprintable()
            and not set("【】") & set(self.sign_name),
            "sign_name",
            "已审核的短信签名，不含【】",
            "the approved signature, without brackets",
        )
        self._require_templates()
        self._require_parameters()
        require_gateway_url(self.base_url)
        require_option(
            urlsplit(self.base_url).path in {"", "/"} and "?" not in self.base_url,
            "url",
            "不含路径的地址，或留空以使用服务商的地址",
            "no path; leave it empty for the provider's own address",
        )
        if self.provider == "tencent":
            self._require_application()

    @property
    def base_url(self) -> str:
        """The URL that is called."""
        return self.url or DEFAULT_URLS[self.provider]

    @property
    def host(self) -> str:
        """The header `Host`, which is signed."""
        return urlsplit(self.base_url).netloc

    @property
    def key(self) -> AccessKey:
        return AccessKey(self.access_key, self.secret_key)

    def template_of(self, purpose: str) -> str:
        """Return the id of the template.

        Raises:
            NotSent: there is none for this notice; not retryable.
        """
        names = (purpose, CODE_TEMPLATE if _has_code(purpose) else NOTICE_TEMPLATE)
        for name in names:
            if name in self.templates:
                return self.templates[name]
        raise NotSent(f"sms_templates has neither {' nor '.join(names)}", is_retryable=False)

    def parameters_of(self, message: Message) -> dict[str, str]:
        """Return the variables of the message's template, in order."""
        if not _has_code(message.purpose):
            return {}
        values = {"code": message.code, "minutes": str(message.valid_minutes)}
        pairs = (parameter.rpartition("=") for parameter in self.template_params)
        return {name or variable: values[variable] for name, _, variable in pairs}

    def _require_templates(self) -> None:
        known = (NOTICE_TEMPLATE, *MESSAGE_TEMPLATES)
        for purpose, template in self.templates.items():
            require_option(
                purpose in known,
                "templates",
                f"已知的用途（{'、'.join(known)}），而非 {purpose}",
                f"unknown purpose {purpose}; known are {', '.join(known)}",
            )
            require_option(
                _TEMPLATE_ID.fullmatch(template) is not None,
                "templates",
                f"{purpose} 的模板 ID，如 SMS_154950909 或 1234567",
                f"the id of the template for {purpose}, such as SMS_154950909 or 1234567",
            )
        require_option(
            CODE_TEMPLATE in self.templates,
            "templates",
            "至少含 code，如 code = 'SMS_154950909'",
            "code at least, such as code = 'SMS_154950909'",
        )

    def _require_parameters(self) -> None:
        names = [parameter.partition("=")[0] for parameter in self.template_params]
        are_known = all(_PARAMETER.fullmatch(parameter) for parameter in self.template_params)
        has_code = any(
            parameter.rpartition("=")[2] == CODE_TEMPLATE for parameter in self.template_params
        )
        require_option(
            are_known and has_code and len(set(names)) == len(names),
            "template_params",
            "模板变量的列表，如 code, minutes；变量名不同时写作 number=code",
            "variables such as code, minutes, or number=code if the template has another name",
        )

    def _require_application(self) -> None:
        require_option(
            _APP_ID.fullmatch(self.app_id) is not None,
            "app_id",
            "腾讯云短信应用的 SdkAppId（数字）",
            "the SdkAppId of the application at Tencent Cloud, in digits",
        )
        require_option(
            _REGION.fullmatch(self.region) is not None,
            "region",
            "腾讯云的地域，如 ap-guangzhou",
            "a region of Tencent Cloud, such as ap-guangzhou",
        )


def _has_code(purpose: str) -> bool:
    template = MESSAGE_TEMPLATES.get(purpose)
    return template is not None and "{code}" in template.sms


class CloudSender:
    """Sends each SMS by one signed request.

    Args:
        options: how to call the provider.
        now: returns unix seconds.
        new_nonce: returns a text that was never used, so that no request can be repeated.

    Raises:
        InvalidOption: the ca_file is not valid.
    """

    def __init__(
        self, options: CloudOptions, now: Callable[[], float], new_nonce: Callable[[], str]
    ) -> None:
        self._options = options
        self._now = now
        self._new_nonce = new_nonce
        self._transport = GatewayTransport(
            gateway_address(options.base_url), options.timeout_seconds, options.ca_file
        )

    async def send(self, message: Message) -> None:
        """Send one SMS; beyond four at once, calls wait.

        Raises:
            NotSent: refused here, unreachable, or not accepted.
            OutcomeUnknown: the request was sent, but the provider does not report the outcome.
        """
        await self.send_and_report(message)

    async def send_and_report(self, message: Message, *, needs_reply: bool = False) -> str:
        """Send one SMS like `send`; return the provider's words, "" unless they are needed.

        Raises:
            NotSent, OutcomeUnknown: as in `send`.
        """
        check_sms_message(message)
        render(message, self._options.sign_name)  # refuses what does not fit the purpose
        self._options.template_of(message.purpose)
        response = await self._transport.call(lambda: self._build_request(message))
        verdict = read_verdict(self._options.provider, response.body)
        secrets = [message.to, message.code, self._options.access_key, self._options.secret_key]
        words = sanitize_reply(verdict.words, secrets)
        failure = _find_failure(response, verdict, words)
        if failure is not None:
            raise failure
        return f"{response.status} {words}" if needs_reply else ""

    async def close(self) -> None:
        """Release the threads; a running call ends by its own deadline."""
        self._transport.close()

    def _build_request(self, message: Message) -> GatewayRequest:
        if self._options.provider == "aliyun":
            return build_aliyun_request(self._options, message, self._now(), self._new_nonce())
        return build_tencent_request(self._options, message, int(self._now()))


_COMMON_HEADERS: Final = {
    "User-Agent": "hupan",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


def build_aliyun_request(
    options: CloudOptions, message: Message, now: float, nonce: str
) -> GatewayRequest:
    """Return the signed request `SendSms` (version 2017-05-25)."""
    query = encode_query(
        {
            # China without its country code, other countries with theirs, neither with a plus.
            "PhoneNumbers": message.to.removeprefix("+"),
            "SignName": options.sign_name,
            "TemplateCode": options.template_of(message.purpose),
            "TemplateParam": json.dumps(options.parameters_of(message), separators=(",", ":")),
            "OutId": message.id,
        }
    )
    signed = {
        "host": options.host,
        "x-acs-action": "SendSms",
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-acs-date": datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": "2017-05-25",
    }
    authorization = sign_acs3(options.key, "POST", query, signed, b"")
    headers = {**_COMMON_HEADERS, **signed, "Authorization": authorization}
    return GatewayRequest("POST", f"/?{query}", headers, b"", needs_body=True)


def build_tencent_request(options: CloudOptions, message: Message, now: int) -> GatewayRequest:
    """Return the signed request `SendSms` (version 2021-01-11)."""
    body = json.dumps(
        {
            "PhoneNumberSet": [message.to if message.to.startswith("+") else f"+86{message.to}"],
            "SmsSdkAppId": options.app_id,
            "SignName": options.sign_name,
            "TemplateId": options.template_of(message.purpose),
            "TemplateParamSet": list(options.parameters_of(message).values()),
            "SessionContext": message.id,
        }
    ).encode()
    signed = {"content-type": "application/json; charset=utf-8", "host": options.host}
    headers = {
        **_COMMON_HEADERS,
        **signed,
        "X-TC-Action": "SendSms",
        "X-TC-Version": "2021-01-11",
        "X-TC-Region": options.region,
        "X-TC-Timestamp": str(now),
        "Authorization": sign_tc3(options.key, "sms", now, signed, body),
    }
    return GatewayRequest("POST", "/", headers, body, needs_body=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A provider's result for a message.

    Attributes:
        code: its result code; "" if the response has none.
        message: its message.
    """

    code: str
    message: str

    @property
    def words(self) -> str:
        return f"{self.code} {self.message}".strip()


_SUCCESS = {"OK", "Ok"}
_RETRYABLE_PREFIXES: Final = (
    "Throttling",
    "ServiceUnavailable",
    "InternalError",
    "RequestLimitExceeded",
    "ResourceUnavailable",
    "isp.SYSTEM_ERROR",
)
_UNKNOWN_CODES: Final = frozenset({"InternalError.Timeout", "InternalError.SendAndRecvFail"})
"""The provider itself does not know whether it sent the message."""


def read_verdict(provider: Provider, body: bytes) -> Verdict:
    """Return the verdict in a response; without a code if it is not one of the provider's."""
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return Verdict("", body.decode("utf-8", "replace"))
    if provider == "tencent":
        answer = _tencent_result(answer)
    fields = answer if isinstance(answer, dict) else {}
    code, words = fields.get("Code"), fields.get("Message")
    return Verdict(
        code if isinstance(code, str) else "",
        words if isinstance(words, str) else "",
    )


def _tencent_result(answer: object) -> object:
    """Return the error of a response, else the state of its only message."""
    response = answer.get("Response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        return None
    if "Error" in response:
        return response["Error"]
    states = response.get("SendStatusSet")
    return states[0] if isinstance(states, list) and len(states) == 1 else None


def _find_failure(
    response: GatewayResponse, verdict: Verdict, words: str
) -> NotSent | OutcomeUnknown | None:
    status, code = response.status, verdict.code
    suffix = f": {words}" if words else ""
    if code in _UNKNOWN_CODES:
        return OutcomeUnknown(f"the provider answered {status}{suffix}")
    is_success = 200 <= status < 300  # noqa: PLR2004  every 2xx is a success, as HTTP says
    if is_success and code in _SUCCESS:
        return None
    if is_success and not code:
        # The provider received it, but its result cannot be read.
        return OutcomeUnknown(f"the provider's answer cannot be read{suffix}")
    is_retryable = is_retryable_status(status) or code.startswith(_RETRYABLE_PREFIXES)
    return NotSent(f"the provider answered {status}{suffix}", is_retryable)
