"""Aliyun and Tencent Cloud: signed requests to servers that check the signature."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.delivery.cloud_signatures import AccessKey, encode_query, sign_acs3, sign_tc3
from hupan.delivery.sender import InvalidOption, Message, NotSent, OutcomeUnknown
from hupan.delivery.sms_clouds import CloudOptions, CloudSender
from tests.support.delivery_samples import CODE, PHONE, assert_discreet, mail, send, sms
from tests.support.http_servers import Seen
from tests.support.ports import free_port
from tests.support.sms_clouds import (
    KEY_ID,
    KEY_SECRET,
    Cloud,
    serving_cloud,
    tencent_error,
    tencent_state,
)

pytestmark = pytest.mark.one_engine

NOW = 1_760_000_060.75
PROVIDERS = pytest.mark.parametrize("provider", ["aliyun", "tencent"])
TEMPLATES = {"code": "SMS_154950909", "notice": "SMS_154950910"}


def options(provider: str, **changes: object) -> CloudOptions:
    """Return options of a sender."""
    fields: dict[str, object] = {
        "provider": provider,
        "access_key": KEY_ID,
        "secret_key": KEY_SECRET,
        "sign_name": "湖畔 *~'聊天",
        "templates": TEMPLATES,
        "app_id": "1400006666",
        "timeout_seconds": 5.0,
    }
    return CloudOptions(**(fields | changes))  # type: ignore[arg-type]  # the fields vary by test


def deliver(cloud: Cloud, message: Message, **changes: object) -> Seen:
    """Send one message and return the one request that arrived."""
    with serving_cloud(cloud) as url:
        made = CloudSender(
            options(cloud.provider, url=url, **changes), lambda: NOW, lambda: "3156853299f313e2"
        )
        send(made, message)
    (seen,) = cloud.seen
    return seen


def test_the_example_of_aliyun() -> None:
    """The signature equals the example on Aliyun's page about ACS3-HMAC-SHA256."""
    query = encode_query(
        {
            "RegionId": "cn-shanghai",
            "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
        }
    )
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    key = AccessKey("YourAccessKeyId", "YourAccessKeySecret")
    assert sign_acs3(key, "POST", query, headers, b"") == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;"
        "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_the_example_of_tencent() -> None:
    """The signature equals the example on Tencent Cloud's page about TC3-HMAC-SHA256."""
    body = (
        b'{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'
    )
    headers = {
        "content-type": "application/json; charset=utf-8",
        "host": "cvm.tencentcloudapi.com",
    }
    key = AccessKey("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE")
    assert sign_tc3(key, "cvm", 1_551_113_065, headers, body) == (
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/"
        "tc3_request, SignedHeaders=content-type;host, "
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


@pytest.mark.parametrize(
    ("to", "number"), [(PHONE, PHONE), ("+4915112345678", "4915112345678")], ids=["china", "abroad"]
)
def test_a_code_through_aliyun(to: str, number: str) -> None:
    """R07: the request is signed, names the template and fills its variables."""
    seen = deliver(
        Cloud("aliyun"), sms(to=to, key="outbox-42"), template_params=("number=code", "minutes")
    )
    query = {name: value for name, (value,) in parse_qs(urlsplit(seen.target).query).items()}
    assert json.loads(query.pop("TemplateParam")) == {"number": CODE, "minutes": "5"}
    assert query == {
        "PhoneNumbers": number,
        "SignName": "湖畔 *~'聊天",
        "TemplateCode": "SMS_154950909",
        "OutId": "outbox-42",
    }
    assert (seen.method, urlsplit(seen.target).path, seen.body) == ("POST", "/", b"")
    assert seen.headers["x-acs-action"] == "SendSms"
    assert seen.headers["x-acs-version"] == "2017-05-25"
    assert seen.headers["x-acs-date"] == "2025-10-09T08:54:20Z"
    assert seen.headers["x-acs-signature-nonce"] == "3156853299f313e2"


@pytest.mark.parametrize(
    ("to", "number"),
    [(PHONE, f"+86{PHONE}"), ("+4915112345678", "+4915112345678")],
    ids=["china", "abroad"],
)
def test_a_code_through_tencent(to: str, number: str) -> None:
    """R07: the request is signed, names the template and fills its variables in order."""
    seen = deliver(
        Cloud("tencent"), sms(to=to, key="outbox-42"), template_params=("minutes", "code")
    )
    assert json.loads(seen.body) == {
        "PhoneNumberSet": [number],
        "SmsSdkAppId": "1400006666",
        "SignName": "湖畔 *~'聊天",
        "TemplateId": "SMS_154950909",
        "TemplateParamSet": ["5", CODE],
        "SessionContext": "outbox-42",
    }
    assert (seen.method, seen.target) == ("POST", "/")
    assert seen.headers["x-tc-action"] == "SendSms"
    assert seen.headers["x-tc-version"] == "2021-01-11"
    assert seen.headers["x-tc-region"] == "ap-guangzhou"
    assert seen.headers["x-tc-timestamp"] == "1760000060"


def template_in(seen: Seen) -> tuple[str, object]:
    """Return the template of a request and its variables."""
    if seen.body:
        fields = json.loads(seen.body)
        return fields["TemplateId"], fields["TemplateParamSet"]
    query = parse_qs(urlsplit(seen.target).query)
    return query["TemplateCode"][0], json.loads(query["TemplateParam"][0])


@PROVIDERS
@pytest.mark.parametrize(
    ("message", "templates", "template"),
    [
        (sms(purpose="reset"), {"code": "1"}, "1"),
        (sms(purpose="reset"), {"code": "1", "reset": "2"}, "2"),
        (sms(purpose="notice-phone-changed", code=""), {"code": "1", "notice": "3"}, "3"),
        (
            sms(purpose="notice-phone-changed", code=""),
            {"code": "1", "notice": "3", "notice-phone-changed": "4"},
            "4",
        ),
    ],
)
def test_a_template_by_purpose(
    provider: str, message: Message, templates: Mapping[str, str], template: str
) -> None:
    """A reset uses the template of a code unless it has another; a notice has no variables."""
    found, parameters = template_in(deliver(Cloud(provider), message, templates=templates))
    assert found == template
    assert bool(parameters) == bool(message.code)


@PROVIDERS
@pytest.mark.parametrize(
    "message",
    [
        sms(purpose="notice-phone-changed", code=""),
        sms(code=""),
        sms(purpose="unheard-of"),
        sms(to="13800138000,13900139000"),
        mail(),
    ],
    ids=["no-template", "no-code", "purpose", "two-numbers", "mail"],
)
def test_what_is_refused_before_a_request(provider: str, message: Message) -> None:
    """A message that cannot be sent causes no request and no retry."""
    with pytest.raises(NotSent) as error, serving_cloud(cloud := Cloud(provider)) as url:
        send(
            CloudSender(
                options(provider, url=url, templates={"code": "1"}), lambda: NOW, lambda: "n"
            ),
            message,
        )
    assert not error.value.is_retryable
    assert not cloud.seen


@pytest.mark.parametrize(
    ("provider", "status", "answer", "is_retryable"),
    [
        ("aliyun", 200, {"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": "x"}, False),
        ("aliyun", 200, {"Code": "isp.SYSTEM_ERROR"}, True),
        ("aliyun", 200, {"Code": "isv.AMOUNT_NOT_ENOUGH"}, False),
        ("aliyun", 400, {"Code": "Throttling.User", "Message": "slow down"}, True),
        ("aliyun", 403, {"Code": "Forbidden.RAM"}, False),
        ("aliyun", 429, b"", True),
        ("aliyun", 503, b"<html>", True),
        ("aliyun", 302, b"", False),
        ("aliyun", 500, {"Code": "OK"}, True),
        ("tencent", 200, tencent_error("AuthFailure.SignatureExpire"), False),
        ("tencent", 200, tencent_error("RequestLimitExceeded.UinLimitExceeded"), True),
        ("tencent", 200, tencent_error("InternalError.OtherError"), True),
        ("tencent", 200, tencent_state("LimitExceeded.PhoneNumberDailyLimit", "x"), False),
        ("tencent", 200, tencent_state("FailedOperation.InsufficientBalanceInSmsPackage"), False),
        ("tencent", 502, b"", True),
    ],
)
def test_refusals(provider: str, status: int, answer: object, is_retryable: bool) -> None:
    """R07, L1: temporary refusals are retried, others are not; the reason names no secret."""
    with pytest.raises(NotSent) as error:
        deliver(Cloud(provider, status, answer), sms())
    assert error.value.is_retryable is is_retryable
    assert_discreet(error.value)


@pytest.mark.parametrize(
    ("provider", "answer"),
    [
        ("aliyun", b""),
        ("aliyun", b"OK"),
        ("aliyun", b"[" * 100_000),
        ("aliyun", {"Code": 1}),
        ("aliyun", ["OK"]),
        ("tencent", {"Response": {"RequestId": "r"}}),
        ("tencent", {"Response": {"SendStatusSet": []}}),
        ("tencent", {"Response": "Ok"}),
        ("tencent", {"Code": "Ok"}),
        ("tencent", tencent_error("InternalError.Timeout")),
        ("tencent", tencent_state("InternalError.SendAndRecvFail")),
    ],
)
def test_unclear_answers(provider: str, answer: object) -> None:
    """R07: if the provider does not say whether it sent, no second SMS is risked."""
    with pytest.raises(OutcomeUnknown) as error:
        deliver(Cloud(provider, 200, answer), sms())
    assert_discreet(error.value)


@PROVIDERS
def test_a_wrong_secret(provider: str) -> None:
    """A signature by another secret is refused permanently, with the provider's message."""
    with pytest.raises(NotSent, match="Signature") as error:
        deliver(Cloud(provider), sms(), secret_key="another")
    assert not error.value.is_retryable


@PROVIDERS
def test_out_of_reach(provider: str) -> None:
    """R07: without a listener nothing was sent."""
    made = CloudSender(
        options(provider, url=f"http://127.0.0.1:{free_port()}"), lambda: NOW, lambda: "n"
    )
    with pytest.raises(NotSent) as error:
        send(made, sms())
    assert error.value.is_retryable


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("access_key", ""),
        ("access_key", "a\r\nb"),
        ("secret_key", ""),
        ("secret_key", "密"),
        ("sign_name", " "),
        ("sign_name", "【湖畔】"),
        ("templates", {}),
        ("templates", {"reset": "1"}),
        ("templates", {"code": "1 2"}),
        ("templates", {"code": "1", "notce": "1"}),
        ("template_params", ()),
        ("template_params", ("minutes",)),
        ("template_params", ("code", "code")),
        ("template_params", ("code", "text")),
        ("app_id", ""),
        ("app_id", "x"),
        ("region", "ap guangzhou"),
        ("url", "http://sms.example"),
        ("url", "https://sms.example/send"),
        ("url", "https://sms.example?x=1"),
    ],
)
def test_options_that_cannot_work(field: str, value: object) -> None:
    """X12: they are refused at the start, by the name of the setting."""
    with pytest.raises(InvalidOption) as error:
        options("tencent", **{field: value})
    assert error.value.field == field


@PROVIDERS
def test_no_secret_in_a_repr(provider: str) -> None:
    """L1: neither options nor keys show the secret."""
    made = options(provider)
    assert KEY_SECRET not in f"{made!r}{made.key!r}"


@PROVIDERS
@pytest.mark.usefixtures("_alone")
def test_a_test_message(provider: str) -> None:
    """`hupan config send-test` with the settings of a provider shows its words."""
    settings = {
        "HUPAN_SMS_SENDER": provider,
        "HUPAN_SMS_ACCESS_KEY": KEY_ID,
        "HUPAN_SMS_SECRET_KEY": KEY_SECRET,
        "HUPAN_SMS_TEMPLATES": json.dumps(TEMPLATES),
        "HUPAN_SMS_TEMPLATE_PARAMS": "code, minutes",
        "HUPAN_SMS_APP_ID": "1400006666",
    }
    with serving_cloud(cloud := Cloud(provider)) as url:
        told = CliRunner().invoke(
            app, ["config", "send-test", "--sms", PHONE], env={**settings, "HUPAN_SMS_URL": url}
        )
    words = {"aliyun": "200 OK OK", "tencent": "200 Ok send success"}[provider]
    assert told.exit_code == 0, told.output
    assert told.output.endswith(f"：138****8000\n{words}\n")
    assert "000000" in str(template_in(cloud.seen[0]))


@pytest.fixture
def _alone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("alone"))
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)
