"""The table of settings: one line each with its type, default and form.

Environment, file, command line, `hupan config show` and docs/settings.md are all made from it. What
each of them does is told in meanings.py.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hupan.config.database_form import DATABASE, names_postgres, shown_database
from hupan.config.declare import Section
from hupan.config.forms import (
    FILE,
    LINES,
    PATH,
    PLACE,
    lower,
    one_of,
    or_empty,
    printable,
    text,
    whole,
)
from hupan.config.limit_forms import COUNTRIES, MOMENT, TARGETS, unix_seconds
from hupan.config.web_forms import (
    CONTENT_TYPE,
    HEADER,
    HEADERS,
    HOST,
    HOST_PREFIX,
    HOSTS,
    LISTENS_ON,
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
_MANY = whole(0, 10_000_000)
_PERCENT = whole(0, 100)
_DAYS = whole(1, 3650)
_REWARD = whole(0, 100_000)
_TIMEOUT = whole(1, 300)
_SECRET = text(most=4096)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a server; read as `settings.port`.

    Times carry their unit in the name. Text that is "" says that there is none.
    """

    host: str = NETWORK("127.0.0.1", LISTENS_ON)
    port: int = NETWORK(8480, whole(0, 65535))
    workers: int = NETWORK(1, whole(1, 64))
    connection_idle_seconds: int = NETWORK(5, whole(1, 3600))
    web_host_prefix: str = NETWORK("chat-web-go.", HOST_PREFIX)
    cors_origins: tuple[str, ...] = NETWORK(("*",), ORIGINS)
    trusted_proxies: tuple[Network, ...] = NETWORK((), NETWORKS)
    client_ip_header: str = NETWORK("", or_empty(lower(HEADER)))
    metrics_host: str = NETWORK("127.0.0.1", LISTENS_ON)
    metrics_port: int = NETWORK(0, whole(0, 65535))

    data_dir: Path = STORAGE(Path("data"), PATH)  # noqa: RUF009 # this call declares a field, as `field` does
    database: str = STORAGE("", DATABASE, in_repr=False)  # its URL may hold a password
    database_password: str = STORAGE("", _SECRET, secret=True)
    database_ca_file: str = STORAGE("", FILE)
    database_pool: int = STORAGE(10, whole(1, 1000))
    database_statements: int = STORAGE(512, whole(0, 10_000))
    database_timeout_seconds: int = STORAGE(5, _TIMEOUT)
    database_connect_seconds: int = STORAGE(3, _TIMEOUT)
    secret_key_file: str = STORAGE("", PLACE)
    country_database: str = STORAGE("", FILE)
    time_zone: str = STORAGE("Asia/Shanghai", text(1, 64))
    trust_clock: bool = STORAGE.flag(on=False)
    integrity_check_hours: int = STORAGE(24, whole(0, 8760))

    sign_up_open: bool = ACCOUNTS.flag(on=True)
    international_numbers: bool = ACCOUNTS.flag(on=False)
    email_profile: Literal["strict", "lenient"] = ACCOUNTS("strict", one_of("strict", "lenient"))
    account_erasure_days: int = ACCOUNTS(15, whole(0, 3650))
    default_avatar_url: str = ACCOUNTS("", or_empty(URL))

    invitation_target_day: int = INVITATIONS(10, _COUNT)
    invitation_target_total: int = INVITATIONS(100, _COUNT)
    inviter_reward_coins: int = INVITATIONS(0, _REWARD)
    invited_reward_coins: int = INVITATIONS(0, _REWARD)

    avatar_hosts: tuple[str, ...] = PROFILES((), HOSTS)
    first_nickname_coins: int = PROFILES(0, _REWARD)
    first_avatar_coins: int = PROFILES(0, _REWARD)
    show_birthday: bool = PROFILES.flag(on=True)
    show_address: bool = PROFILES.flag(on=True)
    show_last_active: bool = PROFILES.flag(on=True)
    show_country: bool = PROFILES.flag(on=True)

    adverts_shown: bool = ADVERTS.flag(on=False)
    adverts_android_code_id: str = ADVERTS("", text(most=128))
    adverts_ios_code_id: str = ADVERTS("", text(most=128))
    adverts_bottom_height: int = ADVERTS(0, whole(0, 10_000))

    sms_sender: Literal["console", "http"] = DELIVERY("console", one_of("console", "http"))
    email_sender: Literal["console", "smtp"] = DELIVERY("console", one_of("console", "smtp"))
    brand: str = DELIVERY("湖畔", printable(1, 40))

    smtp_host: str = EMAIL("", or_empty(HOST))
    smtp_port: int = EMAIL(465, whole(1, 65535))
    smtp_user: str = EMAIL("", text())
    smtp_password: str = EMAIL("", _SECRET, secret=True)
    smtp_security: Literal["tls", "starttls", "none"] = EMAIL(
        "tls", one_of("tls", "starttls", "none")
    )
    smtp_from: str = EMAIL("", or_empty(SENDER))
    smtp_timeout_seconds: int = EMAIL(20, _TIMEOUT)
    smtp_ca_file: str = EMAIL("", FILE)

    sms_url: str = SMS("", or_empty(URL), secret=True)
    sms_method: Literal["POST", "PUT", "GET"] = SMS("POST", one_of("POST", "PUT", "GET"))
    sms_headers: Mapping[str, str] = SMS({}, HEADERS, secret=True)
    sms_body: str = SMS('{"to": "{to}", "text": "{text}", "code": "{code}"}', LINES, secret=True)
    sms_content_type: str = SMS("application/json", CONTENT_TYPE)
    sms_hmac_secret: str = SMS("", _SECRET, secret=True)
    sms_hmac_header: str = SMS("X-Signature", HEADER)
    sms_success_text: str = SMS("", text())
    sms_success_pattern: str = SMS("", text())
    sms_success_json_path: str = SMS("", text())
    sms_success_json_value: str = SMS("", text())
    sms_answer_charset: Literal["auto", "utf-8", "gb18030", "gbk", "big5"] = SMS(
        "auto", one_of("auto", "utf-8", "gb18030", "gbk", "big5")
    )
    sms_timeout_seconds: int = SMS(10, _TIMEOUT)
    sms_ca_file: str = SMS("", FILE)

    password_memory_kib: int = PASSWORDS(19456, whole(8, 4_194_304))
    password_passes: int = PASSWORDS(2, whole(1, 100))
    password_threads: int = PASSWORDS(0, whole(0, 256))
    password_profile: Literal["asvs", "nist-4"] = PASSWORDS("asvs", one_of("asvs", "nist-4"))
    test_profile: bool = PASSWORDS.flag(on=False)

    session_idle_days: int = SESSIONS(30, _DAYS)
    session_absolute_days: int = SESSIONS(180, _DAYS)
    fresh_session_minutes: int = SESSIONS(15, whole(0, 1440))
    step_up_minutes: int = SESSIONS(10, whole(1, 60))
    contact_undo_days: int = SESSIONS(7, whole(1, 365))
    sessions_per_account: int = SESSIONS(10, _LITTLE)

    limits_enabled: bool = LIMITS.flag(on=True)
    code_lifetime_seconds: int = LIMITS(300, whole(1, 600))
    captcha_lifetime_seconds: int = LIMITS(300, whole(1, 600))
    captcha_length: int = LIMITS(4, whole(4, 6))
    captcha_pool: int = LIMITS(64, whole(1, 10_000))
    wrong_codes_per_hour: int = LIMITS(10, _COUNT)
    wrong_codes_per_day: int = LIMITS(20, _COUNT)
    wrong_codes_in_a_row: int = LIMITS(100, _COUNT)
    wrong_passwords_per_hour: int = LIMITS(20, _COUNT)
    wrong_passwords_per_day: int = LIMITS(100, _COUNT)
    wrong_passwords_anywhere_per_hour: int = LIMITS(100, _COUNT)
    wrong_passwords_anywhere_per_day: int = LIMITS(500, _COUNT)
    sign_ins_per_hour: int = LIMITS(120, _MANY)
    sends_per_minute: int = LIMITS(1, _LITTLE)
    sends_per_hour: int = LIMITS(5, _LITTLE)
    sends_per_day: int = LIMITS(10, _LITTLE)
    adjacent_numbers_per_ten_minutes: int = LIMITS(9, _MANY)
    sms_countries: tuple[str, ...] = LIMITS((), COUNTRIES)
    sms_price_cents: int = LIMITS(5, _LITTLE)
    sms_budget_cents_per_day: int = LIMITS(10_000, _MANY)
    emails_per_day: int = LIMITS(10_000, _MANY)
    account_codes_percent: int = LIMITS(50, whole(0, 90))
    notices_percent: int = LIMITS(20, whole(1, 90))
    address_wrong_tries_per_hour: int = LIMITS(60, _MANY)
    subnet_wrong_tries_per_hour: int = LIMITS(90, _MANY)
    site_wrong_tries_per_hour: int = LIMITS(120, _MANY)
    network_wrong_tries_per_hour: int = LIMITS(600, _MANY)
    address_sends_per_hour: int = LIMITS(20, _MANY)
    network_sends_per_hour: int = LIMITS(100, _MANY)
    address_captchas_per_minute: int = LIMITS(30, _MANY)
    network_captchas_per_minute: int = LIMITS(300, _MANY)
    address_views_per_minute: int = LIMITS(60, _MANY)
    address_views_per_day: int = LIMITS(2000, _MANY)
    site_views_per_minute: int = LIMITS(120, _MANY)
    site_views_per_day: int = LIMITS(4000, _MANY)
    account_views_per_minute: int = LIMITS(60, _MANY)
    account_views_per_day: int = LIMITS(2000, _MANY)
    address_invitation_codes_per_hour: int = LIMITS(30, _MANY)
    account_invitation_codes_per_hour: int = LIMITS(10, _MANY)
    wrong_tries_alarm_percent: int = LIMITS(50, _PERCENT)
    unused_codes_alarm_percent: int = LIMITS(20, _PERCENT)
    limits_exempt: tuple[str, ...] = LIMITS((), TARGETS, secret=True)
    limits_exempt_until: str = LIMITS("", or_empty(MOMENT))

    log_level: Literal["debug", "info", "warning", "error"] = LOG(
        "info", one_of("debug", "info", "warning", "error")
    )
    log_format: Literal["text", "json"] = LOG("text", one_of("text", "json"))

    @property
    def is_postgres(self) -> bool:
        """Whether the store lies on a PostgreSQL server."""
        return names_postgres(self.database)

    @property
    def store_shown(self) -> str:
        """Where the store lies, for people."""
        if self.is_postgres:
            return shown_database(self.database)
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
    def sms_per_day(self) -> int:
        """How many SMS the budget of a day pays, 0 for as many as are asked for."""
        if not self.sms_budget_cents_per_day:
            return 0
        return max(1, self.sms_budget_cents_per_day // self.sms_price_cents)

    @property
    def limits_exempt_ends_at(self) -> int:
        """When the exemption ends, in unix seconds, 0 when there is none."""
        return unix_seconds(self.limits_exempt_until) if self.limits_exempt_until else 0

    @property
    def hashing_threads(self) -> int:
        """How many passwords are hashed at once, at least 1."""
        return self.password_threads or os.cpu_count() or 1
