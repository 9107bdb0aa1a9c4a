"""Texts that all pages share."""

from collections.abc import Mapping
from typing import Final

from hupan.localized import LocalizedText

SHARED_TEXTS: Final[Mapping[str, LocalizedText]] = {
    "skip_link": LocalizedText("跳到正文", "Skip to content"),
    "navigation_label": LocalizedText("页面", "Pages"),
    "language_label": LocalizedText("语言", "Language"),
    "copy": LocalizedText("复制", "Copy"),
    "copied": LocalizedText("已复制", "Copied"),
    "copy_failed": LocalizedText("无法复制，请手动选取", "Cannot copy: please select the text"),
    "news": LocalizedText("列表有更新", "The list has changed"),
    "reload_hint": LocalizedText(
        "脚本已关闭：重新加载页面即可看到新内容。",
        "JavaScript is off: reload the page to see new entries.",
    ),
    "just_now": LocalizedText("刚刚", "just now"),
    "seconds_ago": LocalizedText("{n} 秒前", "{n} s ago"),
    "minutes_ago": LocalizedText("{n} 分钟前", "{n} min ago"),
    "hours_ago": LocalizedText("{n} 小时前", "{n} h ago"),
    "days_ago": LocalizedText("{n} 天前", "{n} d ago"),
    "seconds_ahead": LocalizedText("{n} 秒后", "in {n} s"),
    "minutes_ahead": LocalizedText("{n} 分钟后", "in {n} min"),
    "hours_ahead": LocalizedText("{n} 小时后", "in {n} h"),
    "days_ahead": LocalizedText("{n} 天后", "in {n} d"),
    "error_title": LocalizedText("错误 {status}", "Error {status}"),
    "error_mark": LocalizedText("错误：{title}", "Error: {title}"),
    "error_summary": LocalizedText(
        "没有保存，请改正后重试", "Nothing was saved: please correct the form"
    ),
    "error_id": LocalizedText("错误编号", "Error id"),
    "error_not_found": LocalizedText(
        "页面不存在，可能已被移走，或者地址有误。",
        "There is no page here. It may have moved, or the address may be mistyped.",
    ),
    "error_wrong_method": LocalizedText(
        "这个地址不接受这样的请求。", "This address does not accept this kind of request."
    ),
    "error_refused": LocalizedText("无法处理这个请求。", "The request cannot be processed."),
    "error_busy": LocalizedText(
        "服务器繁忙或无法保存，请稍后重试。",
        "The server is busy or cannot save data. Please try again later.",
    ),
    "error_accident": LocalizedText(
        "服务器出错了。日志中有详情，可用下面的编号查找。",
        "Something went wrong on the server. The log has the details, under the id below.",
    ),
    "form_too_large": LocalizedText("提交的内容过大。", "The submitted form is too large."),
    "form_unreadable": LocalizedText("提交的内容无法读取。", "The submitted form cannot be read."),
    "form_expired": LocalizedText(
        "表单已过期：服务器重启过，或它来自其他网站。请返回并重新加载页面。",
        "The form has expired: the server was restarted, or it comes from another site. Please go "
        "back and reload the page.",
    ),
    "back_to_start": LocalizedText("返回首页", "Back to the first page"),
}
