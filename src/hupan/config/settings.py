"""The table of settings: the name, type, default and help text of each, in one declaration.

The configuration file, the environment, the command line, `hupan config show` and docs/settings.md
are all based on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hupan.config.types import (
    CONTENT_TYPE,
    CORS_ORIGINS,
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
    PUBLIC_URL,
    IPNetwork,
    Setting,
    SettingSection,
    choice,
    collect_settings,
    integer,
    is_postgres_url,
    lowercase,
    optional,
    printable_line,
    single_line,
)
from hupan.config.upstream_settings import UpstreamSettings

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
LOG = SettingSection("日志", "Log")

_SMALL_COUNT = integer(1, 1000)
_TARGET = integer(1, 1_000_000_000)
_DAYS = integer(1, 3650)
_REWARD = integer(0, 100_000)
_TIMEOUT = integer(1, 300)
_SECRET = single_line(max_length=4096)


@dataclass(frozen=True, slots=True)
class Settings(UpstreamSettings):
    """The value of every setting, such as `settings.port`.

    Durations carry their unit in the name. An empty text means that there is none.
    """

    host: str = NETWORK("127.0.0.1", LISTEN_HOSTS, "监听地址", "Address to listen on")
    port: int = NETWORK(
        8480,
        integer(0, 65535),
        "监听端口，0 表示任选空闲端口",
        "Port to listen on (0 = any free port)",
    )
    workers: int = NETWORK(1, integer(1, 64), "服务器进程数", "Number of server processes")
    connection_idle_seconds: int = NETWORK(
        5,
        integer(1, 3600),
        "空闲连接的保持时间（秒），须长于前置代理的保持时间",
        "Seconds an idle connection stays open; must exceed the reverse proxy's keep-alive time",
    )
    web_host_prefix: str = NETWORK(
        "chat-web-go.",
        HOST_PREFIX,
        "Web 接口的主机名前缀",
        "Prefix of the host names that serve the web API",
    )
    public_url: str = NETWORK(
        "",
        optional(PUBLIC_URL),
        "客户端访问本服务器的地址，如 https://chat.example.com；图片等的地址由此生成",
        "URL at which clients reach this server, such as https://chat.example.com; addresses of "
        "pictures begin with it",
    )
    cors_origins: tuple[str, ...] = NETWORK(
        ("*",), CORS_ORIGINS, "允许跨域请求的来源", "Origins that may send cross-origin requests"
    )
    trusted_proxies: tuple[IPNetwork, ...] = NETWORK(
        (), NETWORKS, "可信代理的网段", "Networks of trusted reverse proxies"
    )
    client_ip_header: str = NETWORK(
        "",
        optional(lowercase(HEADER_NAME)),
        "可信代理传递客户端 IP 的请求头，如 x-forwarded-for、x-real-ip",
        "Header in which trusted proxies pass the client IP, such as x-forwarded-for or x-real-ip",
    )
    metrics_host: str = NETWORK(
        "127.0.0.1", LISTEN_HOSTS, "指标的监听地址", "Address to listen on for metrics"
    )
    metrics_port: int = NETWORK(
        0,
        integer(0, 65535),
        "指标（/metrics）的监听端口，0 表示不提供；多个进程依次使用其后的端口",
        "Port to listen on for metrics at /metrics (0 = off); further processes use the ports "
        "after it",
    )

    data_dir: Path = STORAGE(Path("data"), PATH, "数据目录", "Data directory")  # noqa: RUF009 # this call declares a field, as `field` does
    database: str = STORAGE(
        "",
        DATABASE,
        "SQLite 文件，或 PostgreSQL 地址（可列出多个主机）；留空则使用数据目录下的 hupan.db",
        "SQLite file, or PostgreSQL URL, which may list several hosts; if empty, hupan.db in the "
        "data directory",
        in_repr=False,
    )  # its URL may hold a password
    database_password: str = STORAGE(
        "",
        _SECRET,
        "PostgreSQL 密码，也可写在地址中",
        "PostgreSQL password, unless the URL contains it",
        secret=True,
    )
    database_ca_file: str = STORAGE(
        "",
        OPTIONAL_FILE,
        "验证 PostgreSQL 服务器证书的 CA 文件（PEM）；留空则使用系统自带的 CA",
        "CA certificates (PEM) that verify the PostgreSQL server; if empty, those of the system",
    )
    database_pool: int = STORAGE(
        10,
        integer(1, 1000),
        "每个进程的 PostgreSQL 连接数上限",
        "Maximum PostgreSQL connections per process",
    )
    database_statements: int = STORAGE(
        512,
        integer(0, 10_000),
        "每个连接缓存的预编译语句数；使用事务模式的连接池时须设为 0",
        "Prepared statements cached per connection; must be 0 behind a pooler in transaction mode",
    )
    database_timeout_seconds: int = STORAGE(
        5,
        _TIMEOUT,
        "PostgreSQL 执行语句、等待锁或空闲连接的超时时间（秒）",
        "Timeout in seconds for a PostgreSQL statement, a lock or a free connection",
    )
    database_connect_seconds: int = STORAGE(
        3,
        _TIMEOUT,
        "连接一个 PostgreSQL 主机的超时时间（秒）",
        "Timeout in seconds for connecting to one PostgreSQL host",
    )
    secret_key_file: str = STORAGE(
        "",
        OPTIONAL_PATH,
        "服务器密钥文件，不存在时自动生成；留空则使用数据目录下的 secret.key",
        "File of the server key, created if missing; if empty, secret.key in the data directory",
    )
    country_database: str = STORAGE(
        "",
        OPTIONAL_FILE,
        "IP 归属地数据库（.mmdb）；留空则使用内置数据",
        "Database of IP countries (.mmdb); if empty, the built-in one",
    )
    time_zone: str = STORAGE(
        "Asia/Shanghai",
        single_line(1, 64),
        "服务器时区，用于文本中的时间以及划分在线天数",
        "Server time zone, for times in text and for the start of each day",
    )
    trust_clock: bool = STORAGE.boolean(
        "启动时信任系统时钟：即使它早于数据库记录的最晚时间（说明时钟曾被误调快，此后签发的会话与"
        "验证码作废），或远晚于该时间（立即采用，无需等待一小时）；用后请移除此设置",
        "Trust the system clock at startup, even if it is behind the latest time in the database "
        "(the clock was once ahead by mistake; sessions and codes issued since then are revoked) "
        "or far ahead of it (it is followed at once, not after an hour); remove this setting "
        "afterwards",
        on=False,
    )
    integrity_check_hours: int = STORAGE(
        24,
        integer(0, 8760),
        "数据完整性检查的间隔（小时），0 表示不检查",
        "Hours between integrity checks of all data (0 = never)",
    )

    sign_up_open: bool = ACCOUNTS.boolean(
        "是否开放注册", "Whether new accounts can be created", on=True
    )
    international_numbers: bool = ACCOUNTS.boolean(
        "是否接受国际手机号", "Whether phone numbers of other countries are accepted", on=False
    )
    email_profile: Literal["strict", "lenient"] = ACCOUNTS(
        "strict",
        choice("strict", "lenient"),
        "邮箱地址的校验方式：strict 为严格，lenient 为宽松",
        "Validation of e-mail addresses: strict or lenient",
    )
    account_erasure_days: int = ACCOUNTS(
        15,
        integer(0, 3650),
        "账号注销多少天后清除数据并释放手机号和邮箱",
        "Days after cancellation until an account is erased and its phone number and e-mail "
        "address become free",
    )
    default_avatar_url: str = ACCOUNTS(
        "", optional(HTTP_URL), "新账号的头像地址", "Avatar URL of new accounts"
    )

    invitation_target_day: int = INVITATIONS(
        10, _TARGET, "每日人数的目标（见 invite_progress）", "Target per day (see invite_progress)"
    )
    invitation_target_total: int = INVITATIONS(
        100, _TARGET, "总人数的目标（见 invite_progress）", "Target in total (see invite_progress)"
    )
    inviter_reward_coins: int = INVITATIONS(
        0,
        _REWARD,
        "每邀请一人奖励邀请人的金币数，0 表示不奖励",
        "Coins for the inviter of each new account (0 = none)",
    )
    invited_reward_coins: int = INVITATIONS(
        0,
        _REWARD,
        "奖励受邀新账号的金币数，0 表示不奖励",
        "Coins for each new account that was invited (0 = none)",
    )

    avatar_hosts: tuple[str, ...] = PROFILES(
        (),
        HOST_PATTERNS,
        "头像地址允许的主机名；留空则不限",
        "Hosts allowed in avatar URLs; if empty, any host",
    )
    first_nickname_coins: int = PROFILES(
        0,
        _REWARD,
        "首次修改昵称奖励的金币数，0 表示不奖励",
        "Coins for the first change of the nickname (0 = none)",
    )
    first_avatar_coins: int = PROFILES(
        0,
        _REWARD,
        "首次修改头像奖励的金币数，0 表示不奖励",
        "Coins for the first change of the avatar (0 = none)",
    )
    show_birthday: bool = PROFILES.boolean(
        "他人能否看到生日（适用于未自行设置的账号）",
        "Whether others can see the birthday, for accounts without their own setting",
        on=True,
    )
    show_address: bool = PROFILES.boolean(
        "他人能否看到所在地（适用于未自行设置的账号）",
        "Whether others can see the address, for accounts without their own setting",
        on=True,
    )
    show_last_active: bool = PROFILES.boolean(
        "他人能否看到上次活跃时间（适用于未自行设置的账号）",
        "Whether others can see the time of last activity, for accounts without their own setting",
        on=True,
    )
    show_country: bool = PROFILES.boolean(
        "他人能否看到 IP 归属地（适用于未自行设置的账号）",
        "Whether others can see the country of the last login, for accounts without their own "
        "setting",
        on=True,
    )

    adverts_shown: bool = ADVERTS.boolean(
        "客户端是否显示广告；会员始终不显示",
        "Whether clients show advertisements; VIP users never see them",
        on=False,
    )
    adverts_android_code_id: str = ADVERTS(
        "", single_line(max_length=128), "安卓广告位 ID", "ID of the ad slot on Android"
    )
    adverts_ios_code_id: str = ADVERTS(
        "", single_line(max_length=128), "iOS 广告位 ID", "ID of the ad slot on iOS"
    )
    adverts_bottom_height: int = ADVERTS(
        0,
        integer(0, 10_000),
        "底部广告的高度，单位由客户端决定",
        "Height of the ad at the bottom, in the client's own unit",
    )

    sms_sender: Literal["console", "http", "aliyun", "tencent"] = DELIVERY(
        "console",
        choice("console", "http", "aliyun", "tencent"),
        "短信发送方式：console 打印到终端，http 通过短信网关，aliyun 与 tencent 通过阿里云与腾讯云",
        "How SMS are sent: console prints them, http uses an SMS gateway, aliyun and tencent use "
        "Aliyun and Tencent Cloud",
    )
    email_sender: Literal["console", "smtp"] = DELIVERY(
        "console",
        choice("console", "smtp"),
        "邮件发送方式：console 打印到终端，smtp 通过邮件服务器发送",
        "How e-mails are sent: console prints them, smtp uses a mail server",
    )
    brand: str = DELIVERY(
        "湖畔",
        printable_line(1, 40),
        "短信与邮件中的服务名称",
        "Name of the service in SMS and e-mails",
    )

    smtp_host: str = EMAIL("", optional(HOST), "邮件服务器的主机名", "Host name of the mail server")
    smtp_port: int = EMAIL(465, integer(1, 65535), "邮件服务器的端口", "Port of the mail server")
    smtp_user: str = EMAIL("", single_line(), "邮件服务器的用户名", "User name at the mail server")
    smtp_password: str = EMAIL(
        "", _SECRET, "邮件服务器的密码", "Password at the mail server", secret=True
    )
    smtp_security: Literal["tls", "starttls", "none"] = EMAIL(
        "tls",
        choice("tls", "starttls", "none"),
        "连接加密方式：tls（端口一般为 465）、starttls（端口一般为 587）或 none（不加密）",
        "Encryption of the connection: tls (usually port 465), starttls (usually port 587) or none",
    )
    smtp_from: str = EMAIL("", optional(EMAIL_SENDER), "发件人地址", "Sender address of e-mails")
    smtp_timeout_seconds: int = EMAIL(
        20, _TIMEOUT, "等待邮件服务器的超时时间（秒）", "Timeout in seconds for the mail server"
    )
    smtp_ca_file: str = EMAIL(
        "",
        OPTIONAL_FILE,
        "验证邮件服务器证书的 CA 文件（PEM）；留空则使用系统自带的 CA",
        "CA certificates (PEM) that verify the mail server; if empty, those of the system",
    )

    sms_url: str = SMS(
        "",
        optional(HTTP_URL),
        "短信网关的地址，使用阿里云或腾讯云时可留空",
        "URL of the SMS gateway; Aliyun and Tencent Cloud need none",
        secret=True,
    )
    sms_method: Literal["POST", "PUT", "GET"] = SMS(
        "POST",
        choice("POST", "PUT", "GET"),
        "请求短信网关的 HTTP 方法",
        "HTTP method of requests to the gateway",
    )
    sms_headers: Mapping[str, str] = SMS(
        {}, HEADERS, "请求短信网关时附带的请求头", "Headers of requests to the gateway", secret=True
    )
    sms_body: str = SMS(
        '{"to": "{to}", "text": "{text}", "code": "{code}"}',
        MULTILINE_TEXT,
        "请求短信网关的正文，其中 {to}、{text}、{code} 会被替换",
        "Body of requests to the gateway; {to}, {text} and {code} are replaced",
        secret=True,
    )
    sms_content_type: str = SMS(
        "application/json", CONTENT_TYPE, "请求正文的内容类型", "Content type of the request body"
    )
    sms_hmac_secret: str = SMS(
        "",
        _SECRET,
        "请求正文的签名密钥（HMAC-SHA-256）；留空则不签名",
        "Key that signs the request body (HMAC-SHA-256); if empty, the body is not signed",
        secret=True,
    )
    sms_hmac_header: str = SMS(
        "X-Signature", HEADER_NAME, "存放签名的请求头", "Header that carries the signature"
    )
    sms_success_text: str = SMS(
        "",
        single_line(),
        "表示成功的网关响应，须完全相同（忽略首尾空白）；留空则不检查",
        "Exact response of the gateway on success, surrounding whitespace aside; if empty, it is "
        "not checked",
    )
    sms_success_pattern: str = SMS(
        "",
        single_line(),
        "或者：与成功的网关响应完整匹配的正则表达式，如 0,[0-9]+ 或 .*成功.*",
        "Alternatively: regular expression that matches the whole response on success, such as "
        "0,[0-9]+ or .*OK.*",
    )
    sms_success_json_path: str = SMS(
        "",
        single_line(),
        "或者：网关的 JSON 响应中结果的位置，如 code 或 data.list[0].status",
        "Alternatively: path of the result in a JSON response, such as code or data.list[0].status",
    )
    sms_success_json_value: str = SMS(
        "",
        single_line(),
        "该位置上表示成功的值，如 0 或 OK",
        "Value at that path on success, such as 0 or OK",
    )
    sms_answer_charset: Literal["auto", "utf-8", "gb18030", "gbk", "big5"] = SMS(
        "auto",
        choice("auto", "utf-8", "gb18030", "gbk", "big5"),
        "网关响应的字符编码；auto 依次采用 Content-Type、UTF-8、GB18030",
        "Charset of gateway responses; auto uses Content-Type, else UTF-8, else GB18030",
    )
    sms_timeout_seconds: int = SMS(
        10, _TIMEOUT, "等待短信网关的超时时间（秒）", "Timeout in seconds for the gateway"
    )
    sms_ca_file: str = SMS(
        "",
        OPTIONAL_FILE,
        "验证短信网关证书的 CA 文件（PEM）；留空则使用系统自带的 CA",
        "CA certificates (PEM) that verify the gateway; if empty, those of the system",
    )

    password_memory_kib: int = PASSWORDS(
        19456,
        integer(8, 4_194_304),
        "argon2id 每次计算的内存（KiB），至少 19456",
        "Memory of one argon2id hash in KiB, at least 19456",
    )
    password_passes: int = PASSWORDS(
        2, integer(1, 100), "argon2id 的迭代次数，至少 2", "Passes of one argon2id hash, at least 2"
    )
    password_threads: int = PASSWORDS(
        0,
        integer(0, 256),
        "同时计算的密码数，0 表示与 CPU 核心数相同",
        "Passwords hashed in parallel (0 = number of CPU cores)",
    )
    password_profile: Literal["asvs", "nist-4"] = PASSWORDS(
        "asvs",
        choice("asvs", "nist-4"),
        "新密码的最小长度：asvs 为 8 个字符，nist-4 为 15 个字符",
        "Minimum length of new passwords: 8 characters with asvs, 15 with nist-4",
    )
    test_profile: bool = PASSWORDS.boolean(
        "允许低于下限的 argon2id 参数，仅供测试",
        "Allow argon2id parameters below the minimum; for tests only",
        on=False,
    )

    session_idle_days: int = SESSIONS(
        30,
        _DAYS,
        "会话闲置多少天后失效，自最后使用之日的首次请求起算",
        "Days without use after which a session ends, from the first request of its last day",
    )
    session_absolute_days: int = SESSIONS(
        180, _DAYS, "会话的最长有效期（天）", "Maximum lifetime of a session in days"
    )
    fresh_session_minutes: int = SESSIONS(
        15,
        integer(0, 1440),
        "登录后多少分钟内可直接换绑手机号或邮箱",
        "Minutes after login in which the phone number and e-mail address can be changed directly",
    )
    step_up_minutes: int = SESSIONS(
        10,
        integer(1, 60),
        "验证当前手机号或邮箱后多少分钟内可换绑",
        "Minutes after verifying a bound phone number or e-mail address in which it can be changed",
    )
    contact_undo_days: int = SESSIONS(
        7,
        integer(1, 365),
        "换绑手机号或邮箱后多少天内管理员可撤销",
        "Days in which operators can undo a change of the phone number or e-mail address",
    )
    sessions_per_account: int = SESSIONS(
        10,
        _SMALL_COUNT,
        "每个账号的会话数上限，超出时最旧的会话失效",
        "Maximum sessions per account; one more ends the oldest",
    )

    log_level: Literal["debug", "info", "warning", "error"] = LOG(
        "info", choice("debug", "info", "warning", "error"), "最低的日志级别", "Minimum log level"
    )
    log_format: Literal["text", "json"] = LOG(
        "text", choice("text", "json"), "日志格式", "Log format"
    )

    @property
    def is_postgres(self) -> bool:
        """Whether the database is on a PostgreSQL server."""
        return is_postgres_url(self.database)

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return Path(self.database) if self.database else self.data_dir / "hupan.db"

    @property
    def secret_key_path(self) -> Path:
        """The file of the server's key."""
        return Path(self.secret_key_file) if self.secret_key_file else self.data_dir / "secret.key"

    @property
    def media_path(self) -> Path:
        """The folder of uploaded pictures."""
        return Path(self.media_dir) if self.media_dir else self.data_dir / "media"

    @property
    def backup_path(self) -> Path:
        """The folder of backups."""
        return Path(self.backup_dir) if self.backup_dir else self.data_dir / "backups"


SETTINGS: Mapping[str, Setting] = collect_settings(Settings)
"""Every setting by its name, in the order of the table."""
