"""The settings of SMS through Aliyun and Tencent Cloud, a part of the table in settings.py."""

from collections.abc import Mapping
from dataclasses import dataclass

from hupan.config.limit_settings import LimitSettings
from hupan.config.types import (
    HEADERS,
    SettingSection,
    SettingType,
    matching,
    parse_list,
    single_line,
)
from hupan.localized import LocalizedText

CLOUD_SMS = SettingSection("短信（阿里云、腾讯云）", "SMS (Aliyun, Tencent Cloud)")

SMS_TEMPLATES = SettingType(
    LocalizedText(
        "用途与模板 ID 的表，均为文本（环境变量中为 JSON 对象）",
        "a table of purposes and template ids as text (in the environment a JSON object)",
    ),
    HEADERS.parse,
)
_TEMPLATE_PARAM = matching(
    r"(?:[A-Za-z_][A-Za-z0-9_]{0,63}=)?(?:code|minutes)", "模板变量", "a template variable"
)
SMS_TEMPLATE_PARAMS = SettingType(
    LocalizedText(
        "模板变量列表，如 code, minutes 或 number=code",
        "template variables such as code, minutes, or number=code",
    ),
    lambda raw: parse_list(raw, _TEMPLATE_PARAM),
)


@dataclass(frozen=True, slots=True)
class CloudSmsSettings(LimitSettings):
    """Settings of SMS that a cloud provider sends."""

    sms_access_key: str = CLOUD_SMS(
        "",
        single_line(max_length=128),
        "AccessKey ID（阿里云）或 SecretId（腾讯云）",
        "AccessKey ID (Aliyun) or SecretId (Tencent Cloud)",
    )
    sms_secret_key: str = CLOUD_SMS(
        "",
        single_line(max_length=4096),
        "AccessKey Secret（阿里云）或 SecretKey（腾讯云）",
        "AccessKey Secret (Aliyun) or SecretKey (Tencent Cloud)",
        secret=True,
    )
    sms_sign_name: str = CLOUD_SMS(
        "",
        single_line(max_length=64),
        "已审核的短信签名，不含【】；留空则使用 brand",
        "Approved signature of the SMS, without brackets; if empty, the brand",
    )
    sms_templates: Mapping[str, str] = CLOUD_SMS(
        {},
        SMS_TEMPLATES,
        "各用途的模板 ID：code 为验证码，reset 为重设密码（默认同 code），notice 为通知；没有模板的"
        "通知不发送短信",
        "Template ids by purpose: code, reset (as code unless given) and notice; notices without "
        "a template are not sent by SMS",
    )
    sms_template_params: tuple[str, ...] = CLOUD_SMS(
        ("code",),
        SMS_TEMPLATE_PARAMS,
        "验证码模板的变量，按顺序：code 为验证码，minutes 为有效分钟数；"
        "变量名不同时写作 number=code",
        "Variables of templates with a code, in order: code, minutes, or number=code where the "
        "template has another name",
    )
    sms_app_id: str = CLOUD_SMS(
        "",
        single_line(max_length=32),
        "短信应用的 SdkAppId（腾讯云）",
        "SdkAppId of the SMS application (Tencent Cloud)",
    )
    sms_region: str = CLOUD_SMS(
        "ap-guangzhou", single_line(1, 64), "短信服务的地域（腾讯云）", "Region (Tencent Cloud)"
    )
