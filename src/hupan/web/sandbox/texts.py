"""Texts of the sandbox's pages."""

from collections.abc import Mapping
from typing import Final

from hupan.localized import LocalizedText

SANDBOX_TEXTS: Final[Mapping[str, LocalizedText]] = {
    "site": LocalizedText("湖畔沙盒", "Hupan sandbox"),
    "brand": LocalizedText("湖畔沙盒", "Hupan sandbox"),
    "nav_overview": LocalizedText("概览", "Overview"),
    "nav_outbox": LocalizedText("发件箱", "Outbox"),
    "status_label": LocalizedText("沙盒状态", "State of the sandbox"),
    "status_clock": LocalizedText("沙盒时间", "Sandbox time"),
    "filter_label": LocalizedText("筛选消息", "Filter messages"),
    "filter": LocalizedText("筛选", "Filter"),
    "show_all": LocalizedText("显示全部", "Show all"),
    "older": LocalizedText("更早的", "Older"),
    "channel": LocalizedText("渠道", "Channel"),
    "channel_all": LocalizedText("全部", "All"),
    "channel_sms": LocalizedText("短信", "SMS"),
    "channel_email": LocalizedText("邮件", "E-mail"),
    "channel_captcha": LocalizedText("图形验证码", "Captcha"),
    "channel_push": LocalizedText("推送", "Push"),
    "to": LocalizedText("收件人", "To"),
    "code": LocalizedText("验证码", "Code"),
    "no_code": LocalizedText("无", "none"),
    "message": LocalizedText("内容", "Message"),
    "purpose": LocalizedText("用途", "Purpose"),
    "time": LocalizedText("时间", "Time"),
    "outbox_empty": LocalizedText("还没有发出任何消息", "Nothing was sent yet"),
    "outbox_empty_next": LocalizedText(
        "客户端请求验证码后，短信、邮件与图形验证码的答案会立即出现在这里。可用这条命令试试：",
        "As soon as a client asks for a code, the text message, the e-mail or the answer of the "
        "captcha appears here. Try it with this command:",
    ),
    "outbox_no_match": LocalizedText("没有符合条件的消息", "No message matches"),
}
