"""The settings of rate limits, codes and captchas, a part of the table in settings.py."""

from dataclasses import dataclass

from hupan.config.types import (
    CONTACT_ADDRESSES,
    COUNTRY_CODES,
    TIMESTAMP,
    SettingSection,
    integer,
    optional,
    to_unix_seconds,
)

LIMITS = SettingSection("限制", "Limits")
_SMALL_COUNT = integer(1, 1000)
_COUNT = integer(1, 100_000)
_LARGE_COUNT_OR_ZERO = integer(0, 10_000_000)
_PERCENT = integer(0, 100)


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """The value of each of these settings."""

    limits_enabled: bool = LIMITS.boolean("是否启用频率限制", "Whether rate limits apply", on=True)
    code_lifetime_seconds: int = LIMITS(
        300, integer(1, 600), "验证码的有效期（秒）", "Lifetime of a code in seconds"
    )
    captcha_lifetime_seconds: int = LIMITS(
        300, integer(1, 600), "图形验证码的有效期（秒）", "Lifetime of a captcha in seconds"
    )
    captcha_length: int = LIMITS(
        4,
        integer(4, 6),
        "图形验证码的位数；有的客户端只能输入四位",
        "Digits of a captcha; some clients accept no more than four",
    )
    captcha_pool: int = LIMITS(
        64, integer(1, 10_000), "预先生成的图形验证码数", "Number of captchas rendered in advance"
    )
    wrong_codes_per_hour: int = LIMITS(
        10,
        _COUNT,
        "每个手机号或邮箱每小时可输错验证码的次数",
        "Maximum wrong codes per phone number or e-mail address per hour",
    )
    wrong_codes_per_day: int = LIMITS(
        20,
        _COUNT,
        "每个手机号或邮箱每天可输错验证码的次数",
        "Maximum wrong codes per phone number or e-mail address per day",
    )
    wrong_codes_in_a_row: int = LIMITS(
        100,
        _COUNT,
        "连续输错多少次后，该手机号或邮箱停用验证码登录 24 小时",
        "Consecutive wrong codes after which login by code is disabled for a phone number or "
        "e-mail address for 24 hours",
    )
    wrong_passwords_per_hour: int = LIMITS(
        20,
        _COUNT,
        "每个账号每小时从同一网段（IPv4 /24、IPv6 /48）可输错密码的次数，本人设备单独计数",
        "Maximum wrong passwords per account per hour from one network (IPv4 /24, IPv6 /48); each "
        "device of the owner is counted separately",
    )
    wrong_passwords_per_day: int = LIMITS(
        100,
        _COUNT,
        "每个账号每天从同一网段（IPv4 /24、IPv6 /48）可输错密码的次数，本人设备单独计数",
        "Maximum wrong passwords per account per day from one network (IPv4 /24, IPv6 /48); each "
        "device of the owner is counted separately",
    )
    wrong_passwords_anywhere_per_hour: int = LIMITS(
        100,
        _COUNT,
        "每个账号每小时从所有网段合计可输错密码的次数",
        "Maximum wrong passwords per account per hour from all networks together",
    )
    wrong_passwords_anywhere_per_day: int = LIMITS(
        500,
        _COUNT,
        "每个账号每天从所有网段合计可输错密码的次数",
        "Maximum wrong passwords per account per day from all networks together",
    )
    sign_ins_per_hour: int = LIMITS(
        120,
        _LARGE_COUNT_OR_ZERO,
        "每个账号每小时可用正确密码登录的次数，0 表示不限",
        "Maximum logins with the right password per account per hour (0 = unlimited)",
    )
    sends_per_minute: int = LIMITS(
        1,
        _SMALL_COUNT,
        "每个手机号或邮箱每分钟可发送的验证码数",
        "Maximum codes sent per phone number or e-mail address per minute",
    )
    sends_per_hour: int = LIMITS(
        5,
        _SMALL_COUNT,
        "每个手机号或邮箱每小时可发送的验证码数",
        "Maximum codes sent per phone number or e-mail address per hour",
    )
    sends_per_day: int = LIMITS(
        10,
        _SMALL_COUNT,
        "每个手机号或邮箱每天可发送的验证码数",
        "Maximum codes sent per phone number or e-mail address per day",
    )
    adjacent_numbers_per_ten_minutes: int = LIMITS(
        9,
        _LARGE_COUNT_OR_ZERO,
        "每十分钟内可发送验证码的、前七位相同的手机号数，0 表示不限",
        "Maximum phone numbers with the same first seven digits that are sent a code in ten "
        "minutes (0 = unlimited)",
    )
    sms_countries: tuple[str, ...] = LIMITS(
        (),
        COUNTRY_CODES,
        "开启 international_numbers 时，中国以外可发送短信的国家或地区（ISO 3166，如 HK, SG）",
        "Countries other than China to which SMS are sent, with international_numbers (ISO 3166: "
        "HK, SG)",
    )
    sms_price_cents: int = LIMITS(
        5,
        _SMALL_COUNT,
        "每条短信的价格（分），用于计算每日预算",
        "Price of an SMS in cents, for the daily budget",
    )
    sms_budget_cents_per_day: int = LIMITS(
        10_000,
        _LARGE_COUNT_OR_ZERO,
        "每天的短信预算（分），含通知短信；用完即停发并告警，0 表示不限",
        "Daily SMS budget in cents, notices included; when it is spent, sending stops and an "
        "alarm is raised (0 = unlimited)",
    )
    emails_per_day: int = LIMITS(
        10_000,
        _LARGE_COUNT_OR_ZERO,
        "整个服务器每天可发送的邮件数，含验证码与通知，0 表示不限",
        "Maximum e-mails of the server per day, codes and notices (0 = unlimited)",
    )
    account_codes_percent: int = LIMITS(
        50,
        integer(0, 90),
        "每天的验证码中为已有账号的手机号和邮箱保留的百分比，其他人不能占用",
        "Percentage of each day's codes reserved for phone numbers and e-mail addresses with an "
        "account",
    )
    notices_percent: int = LIMITS(
        20,
        integer(1, 90),
        "每天的短信和邮件中用于通知（如换绑、改密）的百分比，其余用于验证码",
        "Percentage of each day's SMS and e-mails for notices, such as of a new password; the "
        "rest is for codes",
    )
    address_wrong_tries_per_hour: int = LIMITS(
        60,
        _LARGE_COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每小时可输错验证码、密码、图形验证码的总次数，0 表示不限",
        "Maximum wrong codes, passwords and captchas per IP (IPv6: per /64) per hour (0 = "
        "unlimited)",
    )
    subnet_wrong_tries_per_hour: int = LIMITS(
        90,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv6 /56 网段每小时可输错验证码、密码、图形验证码的总次数，0 表示不限",
        "Maximum wrong codes, passwords and captchas per IPv6 /56 per hour (0 = unlimited)",
    )
    site_wrong_tries_per_hour: int = LIMITS(
        120,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv6 /48 网段每小时可输错验证码、密码、图形验证码的总次数，0 表示不限",
        "Maximum wrong codes, passwords and captchas per IPv6 /48 per hour (0 = unlimited)",
    )
    network_wrong_tries_per_hour: int = LIMITS(
        600,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv4 /24 网段每小时可输错验证码、密码、图形验证码的总次数，0 表示不限",
        "Maximum wrong codes, passwords and captchas per IPv4 /24 per hour (0 = unlimited)",
    )
    address_sends_per_hour: int = LIMITS(
        20,
        _LARGE_COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每小时可请求发送的验证码数，0 表示不限",
        "Maximum codes requested per IP (IPv6: per /64) per hour (0 = unlimited)",
    )
    network_sends_per_hour: int = LIMITS(
        100,
        _LARGE_COUNT_OR_ZERO,
        "每个网段（IPv4 /24、IPv6 /48）每小时可请求发送的验证码数，0 表示不限",
        "Maximum codes requested per network (IPv4 /24, IPv6 /48) per hour (0 = unlimited)",
    )
    address_captchas_per_minute: int = LIMITS(
        30,
        _LARGE_COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每分钟可获取的图形验证码数，0 表示不限",
        "Maximum captchas requested per IP (IPv6: per /64) per minute (0 = unlimited)",
    )
    network_captchas_per_minute: int = LIMITS(
        300,
        _LARGE_COUNT_OR_ZERO,
        "每个网段（IPv4 /24、IPv6 /48）每分钟可获取的图形验证码数，0 表示不限",
        "Maximum captchas requested per network (IPv4 /24, IPv6 /48) per minute (0 = unlimited)",
    )
    address_views_per_minute: int = LIMITS(
        60,
        _LARGE_COUNT_OR_ZERO,
        "每个网段（IPv4 /24、IPv6 /64）每分钟可查看用户资料的次数，0 表示不限",
        "Maximum profile views per network (IPv4 /24, IPv6 /64) per minute (0 = unlimited)",
    )
    address_views_per_day: int = LIMITS(
        2000,
        _LARGE_COUNT_OR_ZERO,
        "每个网段（IPv4 /24、IPv6 /64）每天可查看用户资料的次数，0 表示不限",
        "Maximum profile views per network (IPv4 /24, IPv6 /64) per day (0 = unlimited)",
    )
    site_views_per_minute: int = LIMITS(
        120,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv6 /48 网段每分钟可查看用户资料的次数，0 表示不限",
        "Maximum profile views per IPv6 /48 per minute (0 = unlimited)",
    )
    site_views_per_day: int = LIMITS(
        4000,
        _LARGE_COUNT_OR_ZERO,
        "每个 IPv6 /48 网段每天可查看用户资料的次数，0 表示不限",
        "Maximum profile views per IPv6 /48 per day (0 = unlimited)",
    )
    account_views_per_minute: int = LIMITS(
        60,
        _LARGE_COUNT_OR_ZERO,
        "每个账号每分钟可查看用户资料的次数，0 表示不限",
        "Maximum profile views per account per minute (0 = unlimited)",
    )
    account_views_per_day: int = LIMITS(
        2000,
        _LARGE_COUNT_OR_ZERO,
        "每个账号每天可查看用户资料的次数，0 表示不限",
        "Maximum profile views per account per day (0 = unlimited)",
    )
    address_invitation_codes_per_hour: int = LIMITS(
        30,
        _LARGE_COUNT_OR_ZERO,
        "每个 IP（IPv6 为 /64）每小时可尝试更换邀请码的次数，0 表示不限",
        "Maximum attempts to change an invitation code per IP (IPv6: per /64) per hour (0 = "
        "unlimited)",
    )
    account_invitation_codes_per_hour: int = LIMITS(
        10,
        _LARGE_COUNT_OR_ZERO,
        "每个账号每小时可尝试更换邀请码的次数，0 表示不限",
        "Maximum attempts to change an invitation code per account per hour (0 = unlimited)",
    )
    wrong_tries_alarm_percent: int = LIMITS(
        50,
        _PERCENT,
        "最近一千次验证码与密码的错误率超过此百分比时告警，0 表示不告警",
        "Percentage of wrong ones among the last 1,000 codes and passwords above which an alarm "
        "is raised (0 = never)",
    )
    unused_codes_alarm_percent: int = LIMITS(
        20,
        _PERCENT,
        "一小时内所发验证码的使用率低于此百分比时告警，0 表示不告警",
        "Percentage of an hour's codes that are used below which an alarm is raised (0 = never)",
    )
    limits_exempt: tuple[str, ...] = LIMITS(
        (),
        CONTACT_ADDRESSES,
        "不受自身频率限制的测试手机号与邮箱，如应用商店审核所用",
        "Test phone numbers and e-mail addresses without limits of their own, such as for an app "
        "store review",
        secret=True,
    )
    limits_exempt_until: str = LIMITS(
        "",
        optional(TIMESTAMP),
        "上述豁免的截止时间，至多 90 天后；留空或已过去则不豁免",
        "End of that exemption, at most 90 days ahead; if empty or past, nothing is exempt",
    )

    @property
    def max_sms_per_day(self) -> int:
        """The number of SMS that the daily budget allows, 0 for no limit."""
        if not self.sms_budget_cents_per_day:
            return 0
        return max(1, self.sms_budget_cents_per_day // self.sms_price_cents)

    @property
    def limits_exempt_ends_at(self) -> int:
        """The end of the exemption in unix seconds, 0 without one."""
        return to_unix_seconds(self.limits_exempt_until) if self.limits_exempt_until else 0
