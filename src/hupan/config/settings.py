"""The table of settings: one line each with its type, default, form and meaning.

Environment, file, command line, `hupan config show` and docs/settings.md are all made from it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hupan.config.declare import Section
from hupan.config.forms import FILE, LINES, PATH, PLACE, lower, one_of, or_empty, text, whole
from hupan.config.web_forms import (
    CONTENT_TYPE,
    HEADER,
    HEADERS,
    HOST,
    HOST_PREFIX,
    HOSTS,
    NETWORKS,
    ORIGINS,
    SENDER,
    URL,
    Network,
)

NETWORK = Section("网络", "Network")
STORAGE = Section("存储", "Storage")
ACCOUNTS = Section("账号", "Accounts")
INVITATIONS = Section("邀请", "Invitations")
PROFILES = Section("资料", "Profiles")
ADVERTS = Section("广告", "Advertisements")
DELIVERY = Section("发送", "Delivery")
EMAIL = Section("邮件", "E-mail (SMTP)")
SMS = Section("短信", "SMS (HTTP gateway)")
PASSWORDS = Section("密码", "Passwords")
SESSIONS = Section("会话", "Sessions")
LIMITS = Section("限制", "Limits")
LOG = Section("日志", "Log")

_LITTLE = whole(1, 1000)
_COUNT = whole(1, 100_000)
_DAYS = whole(1, 3650)
_REWARD = whole(0, 100_000)
_TIMEOUT = whole(1, 300)
_SECRET = text(most=4096)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a server; read as `settings.port`.

    Times carry their unit in the name. Text that is "" says that there is none.
    """

    host: str = NETWORK("127.0.0.1", HOST, "监听地址", "address to listen on")
    port: int = NETWORK(
        8480, whole(0, 65535), "监听端口，0 为任一空闲端口", "port to listen on, 0 for any free one"
    )
    workers: int = NETWORK(1, whole(1, 64), "服务器进程数", "number of server processes")
    web_host_prefix: str = NETWORK(
        "chat-web-go.",
        HOST_PREFIX,
        "网页版接口的主机名前缀",
        "host names of the web surface begin so",
    )
    cors_origins: tuple[str, ...] = NETWORK(
        ("*",), ORIGINS, "允许跨域访问的来源", "origins whose pages may call the server"
    )
    trusted_proxies: tuple[Network, ...] = NETWORK(
        (), NETWORKS, "可信反向代理的网段", "networks of the reverse proxies that are trusted"
    )
    client_ip_header: str = NETWORK(
        "",
        or_empty(lower(HEADER)),
        "可信代理写入客户端 IP 的请求头，如 x-forwarded-for、x-real-ip",
        "header in which trusted proxies tell the client's IP: x-forwarded-for, x-real-ip",
    )

    data_dir: Path = STORAGE(  # noqa: RUF009 # this call declares a field, as `field` does
        Path("data"), PATH, "数据目录", "directory of the data"
    )
    database: str = STORAGE(
        "",
        PLACE,
        "SQLite 数据库文件，留空为数据目录下的 hupan.db",
        "SQLite file, hupan.db in the directory of the data when empty",
    )
    secret_key_file: str = STORAGE(
        "",
        PLACE,
        "服务器密钥文件，留空为数据目录下的 secret.key，不存在时自动生成",
        "file of the server's key, made if absent; secret.key in the data's directory when empty",
    )
    country_database: str = STORAGE(
        "",
        FILE,
        "IP 归属地数据库（.mmdb），留空用内置数据",
        "database of the countries of IPs (.mmdb), the built-in one when empty",
    )
    time_zone: str = STORAGE(
        "Asia/Shanghai",
        text(1, 64),
        "服务器时区，决定文本时间与在线天数的起点",
        "the server's time zone, for times as text and for where a day begins",
    )

    sign_up_open: bool = ACCOUNTS.flag("是否开放注册", "whether new accounts may be made", on=True)
    international_numbers: bool = ACCOUNTS.flag(
        "是否接受国际手机号", "whether numbers of other countries are taken", on=False
    )
    email_profile: Literal["strict", "lenient"] = ACCOUNTS(
        "strict",
        one_of("strict", "lenient"),
        "邮箱地址校验：strict 严格，lenient 宽松",
        "how e-mail addresses are checked: strict, or lenient",
    )
    account_erasure_days: int = ACCOUNTS(
        15,
        whole(0, 3650),
        "账号注销多少天后清除数据并释放号码和邮箱",
        "days after which a cancelled account is erased, its number and address free again",
    )
    default_avatar_url: str = ACCOUNTS(
        "", or_empty(URL), "新账号的头像地址", "address of the picture of a new account"
    )

    invitation_target_day: int = INVITATIONS(
        10, _COUNT, "每天邀请人数的目标", "how many an account is meant to invite in a day"
    )
    invitation_target_total: int = INVITATIONS(
        100, _COUNT, "邀请总人数的目标", "how many an account is meant to invite in all"
    )
    inviter_reward_coins: int = INVITATIONS(
        0,
        whole(0, 100_000),
        "每邀请一人奖励邀请人的金币，0 为不奖励",
        "coins for who invited a new account, 0 for none",
    )
    invited_reward_coins: int = INVITATIONS(
        0,
        whole(0, 100_000),
        "奖励受邀新账号的金币，0 为不奖励",
        "coins for a new account that was invited, 0 for none",
    )

    avatar_hosts: tuple[str, ...] = PROFILES(
        (),
        HOSTS,
        "头像地址允许的主机名，留空不限",
        "hosts on which avatars may lie, anywhere when empty",
    )
    first_nickname_coins: int = PROFILES(
        0,
        _REWARD,
        "首次修改昵称奖励的金币，0 为不奖励",
        "coins for the first change of the nickname, 0 for none",
    )
    first_avatar_coins: int = PROFILES(
        0,
        _REWARD,
        "首次修改头像奖励的金币，0 为不奖励",
        "coins for the first change of the avatar, 0 for none",
    )
    show_birthday: bool = PROFILES.flag(
        "未自行选择的账号，他人可否看到生日",
        "whether others see the birthday of an account that made no choice of its own",
        on=True,
    )
    show_address: bool = PROFILES.flag(
        "未自行选择的账号，他人可否看到所在地", "likewise for where it says it lives", on=True
    )
    show_last_active: bool = PROFILES.flag(
        "未自行选择的账号，他人可否看到上次活跃时间",
        "likewise for when it was last active",
        on=True,
    )
    show_country: bool = PROFILES.flag(
        "未自行选择的账号，他人可否看到 IP 归属地",
        "likewise for the country of its last sign-in",
        on=True,
    )

    adverts_shown: bool = ADVERTS.flag(
        "客户端是否显示广告，VIP 用户从不显示",
        "whether clients show advertisements, to VIP users never",
        on=False,
    )
    adverts_android_code_id: str = ADVERTS(
        "", text(most=128), "安卓广告位 ID", "id of the place for advertisements on Android"
    )
    adverts_ios_code_id: str = ADVERTS(
        "", text(most=128), "iOS 广告位 ID", "id of the place for advertisements on iOS"
    )
    adverts_bottom_height: int = ADVERTS(
        0, whole(0, 10_000), "底部广告的高度", "height of advertisements at the bottom"
    )

    sms_sender: Literal["console", "http"] = DELIVERY(
        "console",
        one_of("console", "http"),
        "短信发送方式：console 打印到终端，http 经短信网关",
        "how SMS leave: printed on the console, or by an HTTP gateway",
    )
    email_sender: Literal["console", "smtp"] = DELIVERY(
        "console",
        one_of("console", "smtp"),
        "邮件发送方式：console 打印到终端，smtp 经邮件服务器",
        "how e-mails leave: printed on the console, or by an SMTP server",
    )
    brand: str = DELIVERY(
        "湖畔", text(1, 40), "短信与邮件中的署名", "name of the service in SMS and e-mails"
    )

    smtp_host: str = EMAIL("", or_empty(HOST), "邮件服务器", "mail server")
    smtp_port: int = EMAIL(465, whole(1, 65535), "邮件服务器端口", "port of the mail server")
    smtp_user: str = EMAIL("", text(), "登录邮件服务器的用户名", "user name at the mail server")
    smtp_password: str = EMAIL(
        "", _SECRET, "登录邮件服务器的密码", "password at the mail server", secret=True
    )
    smtp_security: Literal["tls", "starttls", "none"] = EMAIL(
        "tls",
        one_of("tls", "starttls", "none"),
        "连接加密：tls 一般为端口 465，starttls 一般为 587，none 不加密",
        "encryption: tls (mostly port 465), starttls (mostly 587), or none",
    )
    smtp_from: str = EMAIL("", or_empty(SENDER), "发件人地址", "address that e-mails come from")
    smtp_timeout_seconds: int = EMAIL(
        20, _TIMEOUT, "等待邮件服务器的最长秒数", "how long to wait for the mail server, in seconds"
    )
    smtp_ca_file: str = EMAIL(
        "",
        FILE,
        "验证邮件服务器证书的 CA 文件（PEM），留空用系统自带",
        "authorities (PEM) that vouch for the mail server, the system's when empty",
    )

    sms_url: str = SMS("", or_empty(URL), "短信网关地址", "address of the SMS gateway", secret=True)
    sms_method: Literal["POST", "PUT", "GET"] = SMS(
        "POST",
        one_of("POST", "PUT", "GET"),
        "请求短信网关的方法",
        "method of the call to the gateway",
    )
    sms_headers: Mapping[str, str] = SMS(
        {},
        HEADERS,
        "请求短信网关时附带的请求头",
        "headers of the call to the gateway",
        secret=True,
    )
    sms_body: str = SMS(
        '{"to": "{to}", "text": "{text}", "code": "{code}"}',
        LINES,
        "请求短信网关的内容，{to} {text} {code} 会被替换",
        "body of the call to the gateway; {to} {text} {code} are filled in",
        secret=True,
    )
    sms_content_type: str = SMS(
        "application/json", CONTENT_TYPE, "上述内容的类型", "content type of that body"
    )
    sms_hmac_secret: str = SMS(
        "",
        _SECRET,
        "为内容签名（HMAC-SHA-256）的密钥，留空不签名",
        "key that signs the body (HMAC-SHA-256), no signature when empty",
        secret=True,
    )
    sms_hmac_header: str = SMS(
        "X-Signature", HEADER, "放签名的请求头", "header that carries the signature"
    )
    sms_timeout_seconds: int = SMS(
        10, _TIMEOUT, "等待短信网关的最长秒数", "how long to wait for the gateway, in seconds"
    )
    sms_ca_file: str = SMS(
        "",
        FILE,
        "验证短信网关证书的 CA 文件（PEM），留空用系统自带",
        "authorities (PEM) that vouch for the gateway, the system's when empty",
    )

    password_memory_kib: int = PASSWORDS(
        19456,
        whole(8, 4_194_304),
        "argon2id 每次计算的内存（KiB），至少 19456",
        "memory of one argon2id hash in KiB, at least 19456",
    )
    password_passes: int = PASSWORDS(
        2, whole(1, 100), "argon2id 的遍数，至少 2", "passes of one argon2id hash, at least 2"
    )
    password_threads: int = PASSWORDS(
        0,
        whole(0, 256),
        "同时计算密码的线程数，0 为处理器核数",
        "passwords hashed at once, 0 for as many as there are cores",
    )
    password_profile: Literal["asvs", "nist-4"] = PASSWORDS(
        "asvs",
        one_of("asvs", "nist-4"),
        "新密码的长度要求：asvs 至少 8 个字符，nist-4 至少 15 个字符",
        "how long a new password must be: asvs 8 characters, nist-4 15",
    )
    test_profile: bool = PASSWORDS.flag(
        "允许低于下限的 argon2id 参数，仅供测试",
        "allows argon2id parameters below the least ones; for tests only",
        on=False,
    )

    session_idle_days: int = SESSIONS(
        30,
        _DAYS,
        "会话闲置多少天后失效，自最后使用之日的首次请求起算",
        "days without use after which a session ends, from the first request of its last day",
    )
    session_absolute_days: int = SESSIONS(
        180, _DAYS, "会话最长有效天数", "days after which a session ends in any case"
    )
    fresh_session_minutes: int = SESSIONS(
        15, whole(0, 1440), "登录后多少分钟内可直接换绑", "minutes in which contacts change freely"
    )
    step_up_minutes: int = SESSIONS(
        10, whole(1, 60), "验证当前绑定后多少分钟内可换绑", "minutes that proof of a contact counts"
    )
    contact_undo_days: int = SESSIONS(
        7, whole(1, 365), "换绑后多少天内管理员可撤销", "days to undo a change of contacts in"
    )
    sessions_per_account: int = SESSIONS(
        10,
        _LITTLE,
        "每个账号的会话数上限，超出时最旧的失效",
        "sessions that an account may have; one more ends the oldest",
    )

    limits_enabled: bool = LIMITS.flag(
        "是否启用频率限制", "whether rates are limited at all", on=True
    )
    code_lifetime_seconds: int = LIMITS(
        300, whole(1, 600), "验证码有效秒数", "how long a code is good, in seconds"
    )
    captcha_lifetime_seconds: int = LIMITS(
        300, whole(1, 600), "图形验证码有效秒数", "how long a picture code is good, in seconds"
    )
    captcha_pool: int = LIMITS(
        64, whole(1, 10_000), "预先生成的图形验证码数", "picture codes made ahead"
    )
    wrong_codes_per_hour: int = LIMITS(
        10, _COUNT, "每个号码或邮箱每小时可输错验证码的次数", "wrong codes per target and hour"
    )
    wrong_codes_per_day: int = LIMITS(
        20, _COUNT, "每个号码或邮箱每天可输错验证码的次数", "wrong codes per target and day"
    )
    wrong_codes_in_a_row: int = LIMITS(
        100,
        _COUNT,
        "连续输错多少次后该号码或邮箱停用验证码登录 24 小时",
        "wrong codes in a row that stop sign-in by code for that target for 24 hours",
    )
    wrong_passwords_per_hour: int = LIMITS(
        20, _COUNT, "每个账号每小时可输错密码的次数", "wrong passwords per account and hour"
    )
    wrong_passwords_per_day: int = LIMITS(
        100, _COUNT, "每个账号每天可输错密码的次数", "wrong passwords per account and day"
    )
    sends_per_minute: int = LIMITS(
        1, _LITTLE, "每个号码或邮箱每分钟发送的验证码数", "codes sent per target and minute"
    )
    sends_per_hour: int = LIMITS(
        5, _LITTLE, "每个号码或邮箱每小时发送的验证码数", "codes sent per target and hour"
    )
    sends_per_day: int = LIMITS(
        10, _LITTLE, "每个号码或邮箱每天发送的验证码数", "codes sent per target and day"
    )

    log_level: Literal["debug", "info", "warning", "error"] = LOG(
        "info",
        one_of("debug", "info", "warning", "error"),
        "日志级别",
        "least weight that is logged",
    )
    log_format: Literal["text", "json"] = LOG(
        "text", one_of("text", "json"), "日志格式", "form of a line of the log"
    )

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return Path(self.database) if self.database else self.data_dir / "hupan.db"

    @property
    def secret_key_path(self) -> Path:
        """The file of the server's key."""
        return Path(self.secret_key_file) if self.secret_key_file else self.data_dir / "secret.key"

    @property
    def hashing_threads(self) -> int:
        """How many passwords are hashed at once, at least 1."""
        return self.password_threads or os.cpu_count() or 1
