"""The table of settings: the name, type, default and help text of each, in one declaration.

The configuration file, the environment, the command line, `hupan config show` and docs/settings.md
are all based on it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hupan.config.types import (
    CONTACT_ADDRESSES,
    CONTENT_TYPE,
    CORS_ORIGINS,
    COUNTRY_CODES,
    DATABASE,
    EMAIL_SENDER,
    HEADER_NAME,
    HEADERS,
    HOST,
    HOST_PATTERNS,
    HOST_PREFIX,
    HTTP_URL,
    LISTEN_HOSTS,
    MULTILINE_TEXT,
    NETWORKS,
    OPTIONAL_FILE,
    OPTIONAL_PATH,
    PATH,
    TIMESTAMP,
    IPNetwork,
    Setting,
    SettingSection,
    choice,
    collect_settings,
    integer,
    is_postgres_url,
    lowercase,
    mask_database_url,
    optional,
    printable_line,
    single_line,
    to_unix_seconds,
)

NETWORK = SettingSection("网络", "Network")
STORAGE = SettingSection("存储", "Storage")
ACCOUNTS = SettingSection("账号", "Accounts")
INVITATIONS = SettingSection("邀请", "Invitations")
PROFILES = SettingSection("资料", "Profiles")
ADVERTS = SettingSection("广告", "Advertisements")
DELIVERY = SettingSection("发送", "Delivery")
EMAIL = SettingSection("邮件", "E-mail (SMTP)")
SMS = SettingSection("短信", "SMS (HTTP gateway)")
PASSWORDS = SettingSection("密码", "Passwords")
SESSIONS = SettingSection("会话", "Sessions")
LIMITS = SettingSection("限制", "Limits")
LOG = SettingSection("日志", "Log")

_SMALL_COUNT = integer(1, 1000)
_COUNT = integer(1, 100_000)
_LARGE_COUNT_OR_ZERO = integer(0, 10_000_000)
_PERCENT = integer(0, 100)
_DAYS = integer(1, 3650)
_REWARD = integer(0, 100_000)
_TIMEOUT = integer(1, 300)
_SECRET = single_line(max_length=4096)


@dataclass(frozen=True, slots=True)
class Settings:
    """The value of every setting, such as `settings.port`.

    Durations carry their unit in the name. An empty text means that there is none.
    """

    host: str = NETWORK("127.0.0.1", LISTEN_HOSTS, "监听地址", "address to listen on")
    port: int = NETWORK(
        8480,
        integer(0, 65535),
        "监听端口，0 为任一空闲端口",
        "port to listen on, 0 for any free one",
    )
    workers: int = NETWORK(1, integer(1, 64), "服务器进程数", "number of server processes")
    connection_idle_seconds: int = NETWORK(
        5,
        integer(1, 3600),
        "空闲连接保持多久；须长于前置代理保持的时间",
        "how long an idle connection stays open; longer than the front keeps it",
    )
    web_host_prefix: str = NETWORK(
        "chat-web-go.",
        HOST_PREFIX,
        "网页版接口的主机名前缀",
        "host names of the web surface begin so",
    )
    cors_origins: tuple[str, ...] = NETWORK(
        ("*",), CORS_ORIGINS, "允许跨域访问的来源", "origins whose pages may call the server"
    )
    trusted_proxies: tuple[IPNetwork, ...] = NETWORK(
        (), NETWORKS, "可信反向代理的网段", "networks of the reverse proxies that are trusted"
    )
    client_ip_header: str = NETWORK(
        "",
        optional(lowercase(HEADER_NAME)),
        "可信代理写入客户端 IP 的请求头，如 x-forwarded-for、x-real-ip",
        "header in which trusted proxies tell the client's IP: x-forwarded-for, x-real-ip",
    )
    metrics_host: str = NETWORK(
        "127.0.0.1", LISTEN_HOSTS, "指标的监听地址", "address to listen on for metrics"
    )
    metrics_port: int = NETWORK(
        0,
        integer(0, 65535),
        "指标（/metrics）的监听端口，0 为不提供；多个进程依次使用其后的端口",
        "port to listen on for metrics (/metrics), 0 for none; several processes use those after "
        "it, one each",
    )

    data_dir: Path = STORAGE(Path("data"), PATH, "数据目录", "directory of the data")  # noqa: RUF009 # this call declares a field, as `field` does
    database: str = STORAGE(
        "",
        DATABASE,
        "SQLite 文件或 PostgreSQL 地址（可列多个主机），留空为数据目录下的 hupan.db",
        "SQLite file or URL of PostgreSQL (of several hosts too), hupan.db in the data's "
        "directory when empty",
        in_repr=False,
    )  # its URL may hold a password
    database_password: str = STORAGE(
        "",
        _SECRET,
        "PostgreSQL 密码，也可写在地址里",
        "password of PostgreSQL, unless the URL has it",
        secret=True,
    )
    database_ca_file: str = STORAGE(
        "",
        OPTIONAL_FILE,
        "签发 PostgreSQL 证书的 CA，留空为系统信任的 CA",
        "CA of PostgreSQL's certificate, those the system trusts when empty",
    )
    database_pool: int = STORAGE(
        10,
        integer(1, 1000),
        "每个进程的 PostgreSQL 连接数上限",
        "connections to PostgreSQL of a process, at most",
    )
    database_statements: int = STORAGE(
        512,
        integer(0, 10_000),
        "每个连接缓存的预备语句数，事务模式的连接池后须为 0",
        "prepared statements that a connection keeps, 0 behind a pooler in transaction mode",
    )
    database_timeout_seconds: int = STORAGE(
        5,
        _TIMEOUT,
        "PostgreSQL 语句、锁与等待连接的时限",
        "time for a statement of PostgreSQL, a lock, or a free connection",
    )
    database_connect_seconds: int = STORAGE(
        3, _TIMEOUT, "连接一个 PostgreSQL 主机的时限", "time to connect to one host of PostgreSQL"
    )
    secret_key_file: str = STORAGE(
        "",
        OPTIONAL_PATH,
        "服务器密钥文件，留空为数据目录下的 secret.key，不存在时自动生成",
        "file of the server's key, made if absent; secret.key in the data's directory when empty",
    )
    country_database: str = STORAGE(
        "",
        OPTIONAL_FILE,
        "IP 归属地数据库（.mmdb），留空用内置数据",
        "database of the countries of IPs (.mmdb), the built-in one when empty",
    )
    time_zone: str = STORAGE(
        "Asia/Shanghai",
        single_line(1, 64),
        "服务器时区，决定文本时间与在线天数的起点",
        "the server's time zone, for times as text and for where a day begins",
    )
    trust_clock: bool = STORAGE.boolean(
        "启动时以本机时钟为准，无论它早于数据库记录的最晚时间（此前时钟曾错误调快，其后发出的会话"
        "与验证码作废）还是远晚于它（立即采用，无需等待一小时）；用后请移除",
        "at a start the machine's clock is right, also where it is behind the store's latest time "
        "(it was wrong before; sessions and codes of later times end) or far ahead of it (it is "
        "followed without waiting for an hour); take it out again afterwards",
        on=False,
    )
    integrity_check_hours: int = STORAGE(
        24,
        integer(0, 8760),
        "每隔多少小时检查一次全部数据是否完好，0 为不检查",
        "hours between two looks at whether all data are sound, 0 for never",
    )

    sign_up_open: bool = ACCOUNTS.boolean(
        "是否开放注册", "whether new accounts may be made", on=True
    )
    international_numbers: bool = ACCOUNTS.boolean(
        "是否接受国际手机号", "whether numbers of other countries are taken", on=False
    )
    email_profile: Literal["strict", "lenient"] = ACCOUNTS(
        "strict",
        choice("strict", "lenient"),
        "邮箱地址校验：strict 严格，lenient 宽松",
        "how e-mail addresses are checked: strict, or lenient",
    )
    account_erasure_days: int = ACCOUNTS(
        15,
        integer(0, 3650),
        "账号注销多少天后清除数据并释放号码和邮箱",
        "days after which a cancelled account is erased, its number and address free again",
    )
    default_avatar_url: str = ACCOUNTS(
        "", optional(HTTP_URL), "新账号的头像地址", "address of the picture of a new account"
    )

    invitation_target_day: int = INVITATIONS(
        10, _COUNT, "每天邀请人数的目标", "how many an account is meant to invite in a day"
    )
    invitation_target_total: int = INVITATIONS(
        100, _COUNT, "邀请总人数的目标", "how many an account is meant to invite in all"
    )
    inviter_reward_coins: int = INVITATIONS(
        0,
        _REWARD,
        "每邀请一人奖励邀请人的金币，0 为不奖励",
        "coins for who invited a new account, 0 for none",
    )
    invited_reward_coins: int = INVITATIONS(
        0,
        _REWARD,
        "奖励受邀新账号的金币，0 为不奖励",
        "coins for a new account that was invited, 0 for none",
    )

    avatar_hosts: tuple[str, ...] = PROFILES(
        (),
        HOST_PATTERNS,
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
    show_birthday: bool = PROFILES.boolean(
        "未自行选择的账号，他人可否看到生日",
        "whether others see the birthday of an account that made no choice of its own",
        on=True,
    )
    show_address: bool = PROFILES.boolean(
        "未自行选择的账号，他人可否看到所在地", "likewise for where it says it lives", on=True
    )
    show_last_active: bool = PROFILES.boolean(
        "未自行选择的账号，他人可否看到上次活跃时间",
        "likewise for when it was last active",
        on=True,
    )
    show_country: bool = PROFILES.boolean(
        "未自行选择的账号，他人可否看到 IP 归属地",
        "likewise for the country of its last sign-in",
        on=True,
    )

    adverts_shown: bool = ADVERTS.boolean(
        "客户端是否显示广告，VIP 用户从不显示",
        "whether clients show advertisements, to VIP users never",
        on=False,
    )
    adverts_android_code_id: str = ADVERTS(
        "",
        single_line(max_length=128),
        "安卓广告位 ID",
        "id of the place for advertisements on Android",
    )
    adverts_ios_code_id: str = ADVERTS(
        "",
        single_line(max_length=128),
        "iOS 广告位 ID",
        "id of the place for advertisements on iOS",
    )
    adverts_bottom_height: int = ADVERTS(
        0, integer(0, 10_000), "底部广告的高度", "height of advertisements at the bottom"
    )

    sms_sender: Literal["console", "http"] = DELIVERY(
        "console",
        choice("console", "http"),
        "短信发送方式：console 打印到终端，http 经短信网关",
        "how SMS leave: printed on the console, or by an HTTP gateway",
    )
    email_sender: Literal["console", "smtp"] = DELIVERY(
        "console",
        choice("console", "smtp"),
        "邮件发送方式：console 打印到终端，smtp 经邮件服务器",
        "how e-mails leave: printed on the console, or by an SMTP server",
    )
    brand: str = DELIVERY(
        "湖畔",
        printable_line(1, 40),
        "短信与邮件中的署名",
        "name of the service in SMS and e-mails",
    )

    smtp_host: str = EMAIL("", optional(HOST), "邮件服务器", "mail server")
    smtp_port: int = EMAIL(465, integer(1, 65535), "邮件服务器端口", "port of the mail server")
    smtp_user: str = EMAIL(
        "", single_line(), "登录邮件服务器的用户名", "user name at the mail server"
    )
    smtp_password: str = EMAIL(
        "", _SECRET, "登录邮件服务器的密码", "password at the mail server", secret=True
    )
    smtp_security: Literal["tls", "starttls", "none"] = EMAIL(
        "tls",
        choice("tls", "starttls", "none"),
        "连接加密：tls 一般为端口 465，starttls 一般为 587，none 不加密",
        "encryption: tls (mostly port 465), starttls (mostly 587), or none",
    )
    smtp_from: str = EMAIL(
        "", optional(EMAIL_SENDER), "发件人地址", "address that e-mails come from"
    )
    smtp_timeout_seconds: int = EMAIL(
        20, _TIMEOUT, "等待邮件服务器的最长秒数", "how long to wait for the mail server, in seconds"
    )
    smtp_ca_file: str = EMAIL(
        "",
        OPTIONAL_FILE,
        "验证邮件服务器证书的 CA 文件（PEM），留空用系统自带",
        "authorities (PEM) that vouch for the mail server, the system's when empty",
    )

    sms_url: str = SMS(
        "", optional(HTTP_URL), "短信网关地址", "address of the SMS gateway", secret=True
    )
    sms_method: Literal["POST", "PUT", "GET"] = SMS(
        "POST",
        choice("POST", "PUT", "GET"),
        "请求短信网关的方法",
        "method of the call to the gateway",
    )
    sms_headers: Mapping[str, str] = SMS(
        {}, HEADERS, "请求短信网关时附带的请求头", "headers of the call to the gateway", secret=True
    )
    sms_body: str = SMS(
        '{"to": "{to}", "text": "{text}", "code": "{code}"}',
        MULTILINE_TEXT,
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
        "X-Signature", HEADER_NAME, "放签名的请求头", "header that carries the signature"
    )
    sms_success_text: str = SMS(
        "",
        single_line(),
        "网关答复须与此完全相同（首尾空白除外）才算成功，空为不检查",
        "what the whole answer of a gateway must be, but for blanks around it, to be a success; "
        "empty for no check",
    )
    sms_success_pattern: str = SMS(
        "",
        single_line(),
        "或者：网关答复须整体符合的正则表达式，如 0,[0-9]+ 或 .*成功.*",
        "instead of that: a regular expression for the whole answer, such as 0,[0-9]+ or .*OK.*",
    )
    sms_success_json_path: str = SMS(
        "",
        single_line(),
        "或者：网关的 JSON 答复中结果的位置，如 code 或 data.list[0].status",
        "instead of that: where a JSON answer has its outcome, such as code or data.list[0].status",
    )
    sms_success_json_value: str = SMS(
        "",
        single_line(),
        "上述位置表示成功的值，如 0 或 OK",
        "the value there that is a success, such as 0 or OK",
    )
    sms_answer_charset: Literal["auto", "utf-8", "gb18030", "gbk", "big5"] = SMS(
        "auto",
        choice("auto", "utf-8", "gb18030", "gbk", "big5"),
        "网关答复的编码；auto 依次按 Content-Type、UTF-8、GB18030",
        "charset of the gateway's answers; auto goes by Content-Type, else UTF-8, else GB18030",
    )
    sms_timeout_seconds: int = SMS(
        10, _TIMEOUT, "等待短信网关的最长秒数", "how long to wait for the gateway, in seconds"
    )
    sms_ca_file: str = SMS(
        "",
        OPTIONAL_FILE,
        "验证短信网关证书的 CA 文件（PEM），留空用系统自带",
        "authorities (PEM) that vouch for the gateway, the system's when empty",
    )

    password_memory_kib: int = PASSWORDS(
        19456,
        integer(8, 4_194_304),
        "argon2id 每次计算的内存（KiB），至少 19456",
        "memory of one argon2id hash in KiB, at least 19456",
    )
    password_passes: int = PASSWORDS(
        2, integer(1, 100), "argon2id 的遍数，至少 2", "passes of one argon2id hash, at least 2"
    )
    password_threads: int = PASSWORDS(
        0,
        integer(0, 256),
        "同时计算的密码个数，0 为处理器核数",
        "passwords hashed at once, 0 for as many as there are cores",
    )
    password_profile: Literal["asvs", "nist-4"] = PASSWORDS(
        "asvs",
        choice("asvs", "nist-4"),
        "新密码的长度要求：asvs 至少 8 个字符，nist-4 至少 15 个字符",
        "how long a new password must be: asvs 8 characters, nist-4 15",
    )
    test_profile: bool = PASSWORDS.boolean(
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
        15,
        integer(0, 1440),
        "登录后多少分钟内可直接换绑",
        "minutes in which contacts change freely",
    )
    step_up_minutes: int = SESSIONS(
        10,
        integer(1, 60),
        "验证当前绑定后多少分钟内可换绑",
        "minutes that proof of a contact counts",
    )
    contact_undo_days: int = SESSIONS(
        7, integer(1, 365), "换绑后多少天内管理员可撤销", "days to undo a change of contacts in"
    )
    sessions_per_account: int = SESSIONS(
        10,
        _SMALL_COUNT,
        "每个账号的会话数上限，超出时最旧的失效",
        "sessions that an account may have; one more ends the oldest",
    )

    limits_enabled: bool = LIMITS.boolean(
        "是否启用频率限制", "whether rates are limited at all", on=True
    )
    code_lifetime_seconds: int = LIMITS(
        300, integer(1, 600), "验证码有效秒数", "how long a code is good, in seconds"
    )
    captcha_lifetime_seconds: int = LIMITS(
        300, integer(1, 600), "图形验证码有效秒数", "how long a picture code is good, in seconds"
    )
    captcha_length: int = LIMITS(
        4,
        integer(4, 6),
        "图形验证码的位数；有的客户端只能输入四位",
        "digits of a picture code; one client's field takes no more than four",
    )
    captcha_pool: int = LIMITS(
        64, integer(1, 10_000), "预先生成的图形验证码数", "picture codes made ahead"
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
        20,
        _COUNT,
        "每个账号每小时从同一网段（/24，IPv6 为 /48）可输错密码的次数，本人设备另计",
        "wrong passwords per account and hour from one network (/24, of IPv6 /48); each device of "
        "the owner has as many of its own",
    )
    wrong_passwords_per_day: int = LIMITS(
        100,
        _COUNT,
        "每个账号每天从同一网段（/24，IPv6 为 /48）可输错密码的次数，本人设备另计",
        "wrong passwords per account and day from one network (/24, of IPv6 /48); each device of "
        "the owner has as many of its own",
    )
    wrong_passwords_anywhere_per_hour: int = LIMITS(
        100,
        _COUNT,
        "每个账号每小时从所有网段合计可输错密码的次数",
        "wrong passwords per account and hour from all networks together",
    )
    wrong_passwords_anywhere_per_day: int = LIMITS(
        500,
        _COUNT,
        "每个账号每天从所有网段合计可输错密码的次数",
        "wrong passwords per account and day from all networks together",
    )
    sign_ins_per_hour: int = LIMITS(
        120,
        _LARGE_COUNT_OR_ZERO,
        "每个账号每小时用正确密码登录的次数，0 为不限",
        "sign-ins with the right password per account and hour, 0 for any",
    )
    sends_per_minute: int = LIMITS(
        1, _SMALL_COUNT, "每个号码或邮箱每分钟发送的验证码数", "codes sent per target and minute"
    )
    sends_per_hour: int = LIMITS(
        5, _SMALL_COUNT, "每个号码或邮箱每小时发送的验证码数", "codes sent per target and hour"
    )
    sends_per_day: int = LIMITS(
        10, _SMALL_COUNT, "每个号码或邮箱每天发送的验证码数", "codes sent per target and day"
    )
    adjacent_numbers_per_ten_minutes: int = LIMITS(
        9,
        _LARGE_COUNT_OR_ZERO,
        "每十分钟内可发送验证码的、前七位相同的号码数，0 为不限",
        "numbers with the same first seven digits that are sent a code in ten minutes, 0 for any",
    )
    sms_countries: tuple[str, ...] = LIMITS(
        (),
        COUNTRY_CODES,
        "开启 international_numbers 时，中国以外可发送短信的国家或地区（ISO 3166，如 HK, SG）",
        "with international_numbers, where SMS are sent to other than China (ISO 3166: HK, SG)",
    )
    sms_price_cents: int = LIMITS(
        5,
        _SMALL_COUNT,
        "一条短信的价格（分），用于计算每日预算",
        "price of an SMS in cents, for the budget of a day",
    )
    sms_budget_cents_per_day: int = LIMITS(
        10_000,
        _LARGE_COUNT_OR_ZERO,
        "每天短信预算（分），含通知短信，用完即停发并告警，0 为不限",
        "what SMS may cost in a day, in cents, notices too; then none is sent, and an alarm "
        "rings; 0 for any",
    )
    emails_per_day: int = LIMITS(
        10_000,
        _LARGE_COUNT_OR_ZERO,
        "全服务器每天发送的邮件数（验证码与通知），0 为不限",
        "e-mails of the server and day, codes and notices, 0 for any",
    )
    account_codes_percent: int = LIMITS(
        50,
        integer(0, 90),
        "每天的验证码中，为已有账号的号码和邮箱保留百分之几，其他人不能占用",
        "percent of a day's codes that are kept for numbers and addresses with an account",
    )
    notices_percent: int = LIMITS(
        20,
        integer(1, 90),
        "每天的短信和邮件中，百分之几用于通知（如换绑、改密），其余用于验证码",
        "percent of a day's SMS and e-mails that are for notices; the others are for codes",
    )
    address_wrong_tries_per_hour: int = LIMITS(
        60,
        _LARGE_COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每小时可输错验证码、密码、图形验证码的总次数，0 为不限",
        "wrong codes, passwords and picture codes of an IP (a /64 of IPv6) and hour, 0 for any",
    )
    subnet_wrong_tries_per_hour: int = LIMITS(
        90,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv6 的 /56 每小时可输错验证码、密码、图形验证码的总次数，0 为不限",
        "wrong codes, passwords and picture codes of a /56 of IPv6 and hour, 0 for any",
    )
    site_wrong_tries_per_hour: int = LIMITS(
        120,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv6 的 /48 每小时可输错验证码、密码、图形验证码的总次数，0 为不限",
        "wrong codes, passwords and picture codes of a /48 of IPv6 and hour, 0 for any",
    )
    network_wrong_tries_per_hour: int = LIMITS(
        600,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv4 的 /24 每小时可输错验证码、密码、图形验证码的总次数，0 为不限",
        "wrong codes, passwords and picture codes of a /24 of IPv4 and hour, 0 for any",
    )
    address_sends_per_hour: int = LIMITS(
        20,
        _LARGE_COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每小时请求发送的验证码数，0 为不限",
        "codes sent at the wish of an IP (a /64 of IPv6) and hour, 0 for any",
    )
    network_sends_per_hour: int = LIMITS(
        100,
        _LARGE_COUNT_OR_ZERO,
        "每个网段（/24，IPv6 为 /48）每小时请求发送的验证码数，0 为不限",
        "codes sent at the wish of a network (/24, of IPv6 /48) and hour, 0 for any",
    )
    address_captchas_per_minute: int = LIMITS(
        30,
        _LARGE_COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每分钟获取的图形验证码数，0 为不限",
        "picture codes made for an IP (a /64 of IPv6) and minute, 0 for any",
    )
    network_captchas_per_minute: int = LIMITS(
        300,
        _LARGE_COUNT_OR_ZERO,
        "每个网段（/24，IPv6 为 /48）每分钟获取的图形验证码数，0 为不限",
        "picture codes made for a network (/24, of IPv6 /48) and minute, 0 for any",
    )
    address_views_per_minute: int = LIMITS(
        60,
        _LARGE_COUNT_OR_ZERO,
        "每个网段（/24，IPv6 为 /64）每分钟查看用户资料的次数，0 为不限",
        "looks at users of a network (/24, of IPv6 /64) and minute, 0 for any",
    )
    address_views_per_day: int = LIMITS(
        2000,
        _LARGE_COUNT_OR_ZERO,
        "每个网段（/24，IPv6 为 /64）每天查看用户资料的次数，0 为不限",
        "looks at users of a network (/24, of IPv6 /64) and day, 0 for any",
    )
    site_views_per_minute: int = LIMITS(
        120,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv6 的 /48 每分钟查看用户资料的次数，0 为不限",
        "looks at users of a /48 of IPv6 and minute, 0 for any",
    )
    site_views_per_day: int = LIMITS(
        4000,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv6 的 /48 每天查看用户资料的次数，0 为不限",
        "looks at users of a /48 of IPv6 and day, 0 for any",
    )
    account_views_per_minute: int = LIMITS(
        60,
        _LARGE_COUNT_OR_ZERO,
        "每个账号每分钟查看用户资料的次数，0 为不限",
        "looks at users of an account and minute, 0 for any",
    )
    account_views_per_day: int = LIMITS(
        2000,
        _LARGE_COUNT_OR_ZERO,
        "每个账号每天查看用户资料的次数，0 为不限",
        "looks at users of an account and day, 0 for any",
    )
    address_invitation_codes_per_hour: int = LIMITS(
        30,
        _LARGE_COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每小时更换邀请码的尝试次数，0 为不限",
        "attempts to change an invitation code of an IP (a /64 of IPv6) and hour, 0 for any",
    )
    account_invitation_codes_per_hour: int = LIMITS(
        10,
        _LARGE_COUNT_OR_ZERO,
        "每个账号每小时更换邀请码的尝试次数，0 为不限",
        "attempts to change an invitation code of an account and hour, 0 for any",
    )
    wrong_tries_alarm_percent: int = LIMITS(
        50,
        _PERCENT,
        "最近一千次验证码与密码中，错误超过百分之几时告警，0 为不告警",
        "percent of wrong ones among the last 1,000 codes and passwords that ring an alarm, 0 none",
    )
    unused_codes_alarm_percent: int = LIMITS(
        20,
        _PERCENT,
        "一小时内发出的验证码，使用不足百分之几时告警，0 为不告警",
        "percent of an hour's codes; an alarm rings when fewer were used, 0 for none",
    )
    limits_exempt: tuple[str, ...] = LIMITS(
        (),
        CONTACT_ADDRESSES,
        "不受自身频率限制的测试号码与邮箱，如应用商店审核所用",
        "numbers and addresses without limits of their own, for tests such as an app store's",
        secret=True,
    )
    limits_exempt_until: str = LIMITS(
        "",
        optional(TIMESTAMP),
        "上述豁免到何时为止，至多 90 天后；留空或已过去则不豁免",
        "when that ends, at most 90 days ahead; empty or past for no exemption at all",
    )

    log_level: Literal["debug", "info", "warning", "error"] = LOG(
        "info",
        choice("debug", "info", "warning", "error"),
        "日志级别",
        "least weight that is logged",
    )
    log_format: Literal["text", "json"] = LOG(
        "text", choice("text", "json"), "日志格式", "form of a line of the log"
    )

    @property
    def is_postgres(self) -> bool:
        """Whether the store lies on a PostgreSQL server."""
        return is_postgres_url(self.database)

    @property
    def masked_database(self) -> str:
        """Where the store lies, for people."""
        if self.is_postgres:
            return mask_database_url(self.database)
        return str(self.database_path.absolute())

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return Path(self.database) if self.database else self.data_dir / "hupan.db"

    @property
    def secret_key_path(self) -> Path:
        """The file of the server's key."""
        return Path(self.secret_key_file) if self.secret_key_file else self.data_dir / "secret.key"

    @property
    def max_sms_per_day(self) -> int:
        """How many SMS the budget of a day pays, 0 for as many as are asked for."""
        if not self.sms_budget_cents_per_day:
            return 0
        return max(1, self.sms_budget_cents_per_day // self.sms_price_cents)

    @property
    def limits_exempt_ends_at(self) -> int:
        """When the exemption ends, in unix seconds, 0 when there is none."""
        return to_unix_seconds(self.limits_exempt_until) if self.limits_exempt_until else 0

    @property
    def hashing_threads(self) -> int:
        """How many passwords are hashed at once, at least 1."""
        return self.password_threads or os.cpu_count() or 1


SETTINGS: Mapping[str, Setting] = collect_settings(Settings)
"""Every setting by its name, in the order of the table."""
