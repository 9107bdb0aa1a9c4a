"""Texts of the sandbox's pages."""

from collections.abc import Mapping
from typing import Final

from hupan.localized import LocalizedText

SANDBOX_TEXTS: Final[Mapping[str, LocalizedText]] = {
    "site": LocalizedText("湖畔沙盒", "Hupan sandbox"),
    "brand": LocalizedText("湖畔沙盒", "Hupan sandbox"),
    "nav_overview": LocalizedText("概览", "Overview"),
    "nav_accounts": LocalizedText("账号", "Accounts"),
    "nav_connect": LocalizedText("接入", "Connect"),
    "nav_reset": LocalizedText("清空沙盒", "Reset the sandbox"),
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
    "overview_heading": LocalizedText("从这里开始", "Start here"),
    "base_url": LocalizedText("服务器地址", "Base URL"),
    "base_url_hint": LocalizedText(
        "让客户端或脚本访问这个地址。已有客户端的做法见",
        "Point your client or script at this address. For existing clients see",
    ),
    "newest_code": LocalizedText("最新验证码", "Newest code"),
    "no_code_yet": LocalizedText("还没有验证码", "No code yet"),
    "no_code_next": LocalizedText(
        "用任意手机号或邮箱登录：验证码不会真的发出，而是立即出现在这里。",
        "Sign in with any phone number or e-mail address: the code is not sent, it appears here.",
    ),
    "how_to_sign_in": LocalizedText("登录步骤", "How to sign in"),
    "all_messages": LocalizedText("全部消息", "All messages"),
    "one_account": LocalizedText("可用账号", "An account to use"),
    "one_account_hint": LocalizedText(
        "用密码登录，或直接把令牌放进请求头 token。",
        "Sign in with the password, or send the token in the header named token.",
    ),
    "one_account_signed_up": LocalizedText(
        "该账号由客户端注册；沙盒只知道自己创建的账号的令牌。",
        "A client signed up with it; the sandbox knows the tokens only of accounts it created.",
    ),
    "all_accounts": LocalizedText("全部账号", "All accounts"),
    "no_account_yet": LocalizedText("还没有账号", "No account yet"),
    "create_one": LocalizedText("创建一个账号", "Create an account"),
    "create_one_hint": LocalizedText(
        "带手机号、邮箱、密码和令牌，可立即使用。",
        "With phone number, e-mail address, password and token, ready to use.",
    ),
    "reset_done": LocalizedText("沙盒已清空。", "The sandbox is empty again."),
    "reset_everything": LocalizedText("清空沙盒", "Delete everything"),
    "reset_question": LocalizedText(
        "所有账号、会话、消息和验证码都会被删除，沙盒时间恢复为真实时间。此操作无法撤销。",
        "All accounts, sessions, messages and codes will be deleted, and the clock returns to the "
        "real time. This cannot be undone.",
    ),
    "keep": LocalizedText("保留，返回", "Keep everything"),
    "account": LocalizedText("账号", "Account"),
    "contacts": LocalizedText("手机号与邮箱", "Phone and e-mail"),
    "sign_in_with": LocalizedText("密码与令牌", "Password and token"),
    "not_known": LocalizedText("由客户端注册", "signed up by a client"),
    "registered": LocalizedText("注册时间", "Registered"),
    "vip": LocalizedText("会员", "VIP"),
    "banned": LocalizedText("已封禁", "Banned"),
    "cancelled": LocalizedText("已注销", "Cancelled"),
    "search_label": LocalizedText("查找账号", "Find accounts"),
    "search": LocalizedText("查找", "Search"),
    "find": LocalizedText("查找", "Find"),
    "search_hint": LocalizedText(
        "ID，或昵称、手机号、邮箱的开头", "id, or start of name, phone, e-mail"
    ),
    "accounts_empty": LocalizedText("还没有账号", "No account yet"),
    "accounts_empty_next": LocalizedText(
        "用上面的“新建账号”或“示例数据”创建，或在客户端中用任意手机号登录。",
        "Create one above, load sample data, or sign in from a client with any phone number.",
    ),
    "accounts_no_match": LocalizedText("没有符合条件的账号", "No account matches"),
    "account_created": LocalizedText("账号已创建", "The account was created"),
    "accounts_seeded": LocalizedText("已载入的账号：{n}", "Accounts loaded: {n}"),
    "new_account": LocalizedText("新建账号", "New account"),
    "new_account_hint": LocalizedText(
        "都可留空：沙盒会取一个昵称并登录。",
        "Everything is optional: the sandbox picks a nickname and signs in.",
    ),
    "create": LocalizedText("创建", "Create"),
    "nickname": LocalizedText("昵称", "Nickname"),
    "phone": LocalizedText("手机号", "Phone"),
    "email": LocalizedText("邮箱", "E-mail"),
    "password": LocalizedText("密码", "Password"),
    "token": LocalizedText("令牌", "Token"),
    "coins": LocalizedText("金币", "Coins"),
    "vip_days": LocalizedText("会员天数", "VIP days"),
    "medals": LocalizedText("勋章", "Medals"),
    "medals_hint": LocalizedText("用逗号分隔", "separated by commas"),
    "invited_by": LocalizedText("邀请码", "Invitation code"),
    "invited_by_hint": LocalizedText("另一个账号的", "of another account"),
    "ban_days": LocalizedText("封禁天数", "Days banned"),
    "ban_reason": LocalizedText("封禁原因", "Reason of the ban"),
    "ban_reason_hint": LocalizedText(
        "有原因而无天数即永久封禁", "a reason without days bans for good"
    ),
    "sample_data": LocalizedText("示例数据", "Sample data"),
    "pack": LocalizedText("数据包", "Pack"),
    "pack_minimal": LocalizedText("普通账号（minimal）", "An ordinary account (minimal)"),
    "pack_vip": LocalizedText("会员（vip）", "VIP in three states (vip)"),
    "pack_banned": LocalizedText("封禁（banned）", "Banned accounts (banned)"),
    "pack_coins": LocalizedText("金币明细（coins）", "Coins and their history (coins)"),
    "pack_discovery": LocalizedText("群与机器人（discovery）", "Groups and bots (discovery)"),
    "pack_unicode": LocalizedText("各种文字（unicode）", "Names in many scripts (unicode)"),
    "pack_number": LocalizedText("数量", "How many"),
    "pack_number_hint": LocalizedText("留空即每种一个", "leave empty for one of each kind"),
    "load": LocalizedText("载入", "Load"),
    "connect_script": LocalizedText("脚本与测试", "Scripts and tests"),
    "connect_script_text": LocalizedText(
        "所有接口都在这个地址下：", "All endpoints are below this address:"
    ),
    "connect_account": LocalizedText(
        "创建账号，直接得到 ID 与令牌：", "Create an account and get its id and a token:"
    ),
    "connect_sign_in": LocalizedText("像客户端一样登录", "Sign in as a client does"),
    "connect_sign_in_text": LocalizedText(
        "依次：图形验证码，短信验证码，令牌。", "A captcha, a code by SMS, a token, in this order."
    ),
    "connect_client": LocalizedText("已有客户端", "Existing clients"),
    "connect_client_text": LocalizedText(
        "它们内置了下列主机名，须用 HTTPS 访问。"
        "让这些名字指向这台机器，并在沙盒前面放一个带证书的反向代理：",
        "They have these host names built in and use HTTPS. Let the names lead to this machine, "
        "and put a reverse proxy with a certificate in front of the sandbox:",
    ),
    "connect_client_hint": LocalizedText(
        "nginx 与 Caddy 的配置文件在 deploy/ 目录，步骤见 docs/operations.zh-CN.md。",
        "Files for nginx and Caddy are in deploy/, the steps are in docs/operations.md.",
    ),
}
