import pickle
import sys
import zoneinfo
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from hupan.config import SettingsError, load_settings
from hupan.config.settings import SETTINGS

pytestmark = pytest.mark.slow

LONG = "x" * 5000
NOT_WHOLE = ("", "x", "1.5", "1e3", " 1", "+1", "-1", "١", "9" * 5000, True, 8.0, None, [1])
FLAGS = ("", "yes", "1", 1, "t", "是")
ADDRESSES = (
    "ftp://a",
    "//a",
    "http://",
    "javascript:x",
    "http://u:p@a",
    "http://a:x",
    "http://a b",
)

NOWHERE: tuple[object, ...] = (
    *("", "a b", "http://a", "a/b", "a\n", 1, [], ["a", 1]),
    *("*,a", "**", "a,", ",a", "[a", "[]", "[[::]]", ",".join("abcdefghi")),
)

BAD_VALUES: Mapping[str, tuple[object, ...]] = {
    "host": NOWHERE,
    "port": (*NOT_WHOLE, -1, 65_536),
    "workers": (*NOT_WHOLE, 0, 65),
    "connection_idle_seconds": (*NOT_WHOLE, 0, 3601),
    "web_host_prefix": ("", "a b", "a/", 1),
    "public_url": (*ADDRESSES, "https://a?b", "https://a#b"),
    "media_url": ADDRESSES,
    "websocket_url": ("http://a", "ws://", "wss://u:p@a", 1),
    "file_limit_mb": (*NOT_WHOLE, -1, 10_001),
    "image_limit_mb": (*NOT_WHOLE, -1, 10_001),
    "video_limit_mb": (*NOT_WHOLE, -1, 10_001),
    "invite_progress": ("", "everybody", 1),
    "vip_page_file": ("missing.json", "/", 1),
    "upstream": (*ADDRESSES, "http://a/b", "http://a?b", "http://a#b", "http://湖.example"),
    "upstream_ws": ("ws://", "ws://u:p@a", "ws://a#b", "ws://湖.example", "ftp://a", "yes", 1),
    "upstream_secret": ("short", "a\nb" * 8, LONG, 1),
    "upstream_ca_file": ("missing.pem", "/", 1),
    "upstream_public_paths": ("/", "/v2/a", "/v1/*/a", "/v1/a?b", "v1/a", 1),
    "upstream_timeout_seconds": (*NOT_WHOLE, 0, 301),
    "upstream_max_seconds": (*NOT_WHOLE, 0, 86_401),
    "upstream_requests": (*NOT_WHOLE, 0, 10_001),
    "upstream_body_mb": (*NOT_WHOLE, 0, 10_001),
    "upstream_answer_mb": (*NOT_WHOLE, 0, 100_001),
    "address_upstream_per_minute": (*NOT_WHOLE, -1, 10_000_001),
    "address_introspections_per_minute": (*NOT_WHOLE, -1, 10_000_001),
    "account_upstream_per_minute": (*NOT_WHOLE, -1, 10_000_001),
    "show_in_search": FLAGS,
    "cors_origins": (
        "*, https://a",
        ["*", "*"],
        "https://a/",
        "https://*.a",
        "a.example",
        "null",
        "https://u@a",
        "https://a:",
        ["https://a", 1],
        True,
        1,
    ),
    "trusted_proxies": ("10.0.0.1/8", "x", "10.0.0.0/33", [8], "1.2.3.4/", 1, "::1%eth0/128"),
    "client_ip_header": ("x y", "x:", "头", 1),
    "metrics_host": NOWHERE,
    "metrics_port": (*NOT_WHOLE, -1, 65_536),
    "data_dir": ("", "a\0", 1),
    "database": ("a\0", 1, "postgresql://", "postgresql://h /d", "postgres://u@h/d?x y"),
    "database_password": ("a\nb", LONG, 1),
    "database_ca_file": ("missing.pem", "/", 1),
    "database_pool": (*NOT_WHOLE, 0, 1001),
    "database_statements": (*NOT_WHOLE, -1, 10_001),
    "database_timeout_seconds": (*NOT_WHOLE, 0, 301),
    "database_connect_seconds": (*NOT_WHOLE, 0, 301),
    "backup_hours": (*NOT_WHOLE, -1, 8761),
    "backup_keep": (*NOT_WHOLE, 0, 10_001),
    "backup_public_key": ("age1", "AGE-SECRET-KEY-1", f"age1{'q' * 58}", 1),
    "backup_passphrase": ("a" * 11, "a\n" + "b" * 20, "a" * 1025, 1),
    "backup_dir": ("a\0", 1),
    "backup_s3_url": ADDRESSES,
    "backup_s3_bucket": ("a", "A" * 4, "a/b", "湖湖湖", 1),
    "backup_s3_region": ("", "a\n", 1),
    "backup_s3_access_key": ("a\nb", LONG, 1),
    "backup_s3_secret_key": ("a\nb", LONG, 1),
    "backup_pictures": FLAGS,
    "backup_max_age_hours": (*NOT_WHOLE, -1, 8761),
    "media_dir": ("a\0", 1),
    "media_s3_url": ADDRESSES,
    "media_s3_bucket": ("a", "A" * 4, "a/b", "湖湖湖", 1),
    "media_s3_region": ("", "a\n", 1),
    "media_s3_access_key": ("a\nb", LONG, 1),
    "media_s3_secret_key": ("a\nb", LONG, 1),
    "pictures_per_account": (*NOT_WHOLE, 0, 1001),
    "uploads_per_day": (*NOT_WHOLE, -1, 10_000_001),
    "sockets_max": (*NOT_WHOLE, -1, 1_000_001),
    "sockets_per_address": (*NOT_WHOLE, -1, 1_000_001),
    "secret_key_file": ("a\n", 1),
    "country_database": ("missing.mmdb", "/", LONG, 1),
    "time_zone": ("", "Asia/Atlantis", "Asia", "../etc/passwd", "/etc/localtime", LONG, "a\0", 8),
    "trust_clock": FLAGS,
    "integrity_check_hours": (*NOT_WHOLE, -1, 8761),
    "sign_up_open": FLAGS,
    "international_numbers": FLAGS,
    "email_profile": ("", "Strict", "loose", 1),
    "default_avatar_url": ADDRESSES,
    "avatar_hosts": (
        "*",
        "a b",
        "https://a",
        "a/b",
        "a:80",
        "*.",
        "*.*.a",
        "头像.example",
        ["a", 1],
    ),
    "first_nickname_coins": (*NOT_WHOLE, -1, 100_001),
    "first_avatar_coins": (*NOT_WHOLE, -1, 100_001),
    "show_birthday": FLAGS,
    "show_address": FLAGS,
    "show_last_active": FLAGS,
    "show_country": FLAGS,
    "adverts_shown": FLAGS,
    "adverts_android_code_id": ("a\nb", "x" * 129, 1),
    "adverts_ios_code_id": ("a\nb", "x" * 129, 1),
    "adverts_bottom_height": (*NOT_WHOLE, -1, 10_001),
    "invitation_target_day": (*NOT_WHOLE, 0, 1_000_000_001),
    "invitation_target_total": (*NOT_WHOLE, 0, 1_000_000_001),
    "inviter_reward_coins": (*NOT_WHOLE, -1, 100_001),
    "invited_reward_coins": (*NOT_WHOLE, -1, 100_001),
    "sms_sender": ("", "smtp", 1),
    "email_sender": ("", "http", 1),
    "brand": ("", "x" * 41, "a\nb", "a\x1b", "\udcff", 1),
    "smtp_host": ("a b", "a\n", 1),
    "smtp_port": (*NOT_WHOLE, 0, 65_536),
    "smtp_user": ("a\r\nb", "x" * 256, 1),
    "smtp_password": ("a\nb", LONG, 1),
    "smtp_security": ("", "ssl", True),
    "smtp_from": ("a", "a@b,c@d", "a@b\nBcc: c@d", "A <a@b", "@b", "a@", 1),
    "smtp_timeout_seconds": (*NOT_WHOLE, 0, 301),
    "smtp_ca_file": ("missing.pem", 1),
    "sms_url": ADDRESSES,
    "sms_method": ("", "post", "DELETE"),
    "sms_headers": (
        "x",
        "[]",
        '{"a": 1}',
        '{"a b": "c"}',
        '{"a": "b\\n"}',
        {"a": 1},
        "[" * 9999,
        1,
    ),
    "sms_body": ("a\0", "a\x1b", 1),
    "sms_content_type": ("", "json", "a/b\n", 1),
    "sms_hmac_secret": ("a\nb", LONG, 1),
    "sms_hmac_header": ("", "a b", 1),
    "sms_success_text": ("a\r\nb", "x" * 256, 1),
    "sms_success_pattern": ("a\n", "x" * 5000, 1),
    "sms_success_json_path": ("a\n", "x" * 5000, 1),
    "sms_success_json_value": ("a\n", "x" * 5000, 1),
    "sms_answer_charset": ("", "utf-7", 1),
    "sms_timeout_seconds": (*NOT_WHOLE, 0, 301),
    "sms_ca_file": ("missing.pem", 1),
    "sms_access_key": ("a\nb", "x" * 129, 1),
    "sms_secret_key": ("a\nb", LONG, 1),
    "sms_sign_name": ("a\nb", "x" * 65, 1),
    "sms_templates": ("x", "[]", '{"code": 1}', '{"a b": "c"}', {"code": 1}, "[" * 9999, 1),
    "sms_template_params": ("text", "a b=code", "=code", ["code", 1], 1),
    "sms_app_id": ("a\nb", "1" * 33, 1),
    "sms_region": ("", "a\nb", "x" * 65, 1),
    "password_memory_kib": (*NOT_WHOLE, 7, 19_455, 2**40),
    "password_passes": (*NOT_WHOLE, 0, 1, 101),
    "password_threads": (*NOT_WHOLE, 257),
    "password_profile": ("", "nist", 15, True),
    "test_profile": FLAGS,
    "account_erasure_days": (*NOT_WHOLE, -1, 3651),
    "session_idle_days": (*NOT_WHOLE, 0, 3651),
    "session_absolute_days": (*NOT_WHOLE, 0, 3651),
    "fresh_session_minutes": (*NOT_WHOLE, -1, 1441),
    "step_up_minutes": (*NOT_WHOLE, 0, 61),
    "contact_undo_days": (*NOT_WHOLE, 0, 366),
    "sessions_per_account": (*NOT_WHOLE, 0, 1001),
    "limits_enabled": FLAGS,
    "limits_exempt": ("110", "a b@c.example", "13911112222, x", "a@", ",", 1),
    "limits_exempt_until": (
        *("tomorrow", "2026-12-31", "2026-12-31T18:00:00"),
        *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00+24:00", 1, True),
    ),
    "code_lifetime_seconds": (*NOT_WHOLE, 0, 601),
    "captcha_lifetime_seconds": (*NOT_WHOLE, 0, 601),
    "captcha_kinds": ("", "none", "picture,slide", 1),
    "captcha_length": (*NOT_WHOLE, 3, 7),
    "captcha_pool": (*NOT_WHOLE, 0, 10_001),
    "wrong_codes_per_hour": (*NOT_WHOLE, 0, 100_001),
    "wrong_codes_per_day": (*NOT_WHOLE, 0, 100_001),
    "wrong_codes_in_a_row": (*NOT_WHOLE, 0, 100_001),
    "wrong_passwords_per_hour": (*NOT_WHOLE, 0, 100_001),
    "wrong_passwords_per_day": (*NOT_WHOLE, 0, 100_001),
    "sends_per_minute": (*NOT_WHOLE, 0, 1001),
    "sends_per_hour": (*NOT_WHOLE, 0, 1001),
    "sends_per_day": (*NOT_WHOLE, 0, 1001),
    "adjacent_numbers_per_ten_minutes": (*NOT_WHOLE, 10_000_001),
    "sms_countries": ("hk", "HKG", "852", "香港", ["HK", 1], 1),
    "sms_price_cents": (*NOT_WHOLE, 0, 1001),
    "sms_budget_cents_per_day": (*NOT_WHOLE, 10_000_001),
    "emails_per_day": (*NOT_WHOLE, 10_000_001),
    "account_codes_percent": (*NOT_WHOLE, 91),
    "notices_percent": (*NOT_WHOLE, 0, 91),
    "address_wrong_tries_per_hour": (*NOT_WHOLE, 10_000_001),
    "address_sends_per_hour": (*NOT_WHOLE, 10_000_001),
    "network_sends_per_hour": (*NOT_WHOLE, 10_000_001),
    "address_captchas_per_minute": (*NOT_WHOLE, 10_000_001),
    "address_views_per_minute": (*NOT_WHOLE, 10_000_001),
    "address_views_per_day": (*NOT_WHOLE, 10_000_001),
    "account_views_per_minute": (*NOT_WHOLE, 10_000_001),
    "account_views_per_day": (*NOT_WHOLE, 10_000_001),
    "wrong_passwords_anywhere_per_hour": (*NOT_WHOLE, 0, 100_001),
    "wrong_passwords_anywhere_per_day": (*NOT_WHOLE, 0, 100_001),
    "sign_ins_per_hour": (*NOT_WHOLE, 10_000_001),
    "subnet_wrong_tries_per_hour": (*NOT_WHOLE, 10_000_001),
    "site_wrong_tries_per_hour": (*NOT_WHOLE, 10_000_001),
    "network_wrong_tries_per_hour": (*NOT_WHOLE, 10_000_001),
    "network_captchas_per_minute": (*NOT_WHOLE, 10_000_001),
    "site_views_per_minute": (*NOT_WHOLE, 10_000_001),
    "site_views_per_day": (*NOT_WHOLE, 10_000_001),
    "address_invitation_codes_per_hour": (*NOT_WHOLE, 10_000_001),
    "account_invitation_codes_per_hour": (*NOT_WHOLE, 10_000_001),
    "wrong_tries_alarm_percent": (*NOT_WHOLE, 101),
    "unused_codes_alarm_percent": (*NOT_WHOLE, 101),
    "log_level": ("", "INFO", "trace"),
    "log_format": ("", "xml"),
}


def refused(options: Mapping[str, object], environ: Mapping[str, str]) -> list[str]:
    """Return the names of the settings that are refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings(options, environ)
    return [problem.name for problem in caught.value.problems]


def test_every_setting_has_values_that_are_refused() -> None:
    """The list has invalid values for each setting."""
    assert set(BAD_VALUES) == set(SETTINGS)


def test_bad_text_is_refused_by_name(subtests: pytest.Subtests) -> None:
    """Invalid text is refused by the name of its setting, with any characters."""
    for name in BAD_VALUES:
        with subtests.test(name=name):
            for value in BAD_VALUES[name]:
                if isinstance(value, str):
                    assert set(refused({}, {f"HUPAN_{name.upper()}": value})) == {name}, value


def test_a_bad_type_is_refused_by_name(subtests: pytest.Subtests) -> None:
    """A value of the wrong type, or past its bounds, names its setting."""
    for name in [name for name in BAD_VALUES if not SETTINGS[name].secret]:
        with subtests.test(name=name):
            for value in BAD_VALUES[name]:
                if not isinstance(value, str | None):
                    assert set(refused({name: value}, {})) == {name}, value


@pytest.mark.parametrize("text", ["smtp_password = 1", "sms_url = 1", "sms_headers = {a = 1}"])
def test_a_bad_secret_in_the_file_is_refused_by_name(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets have types too."""
    monkeypatch.chdir(tmp_path)
    Path("hupan.toml").write_text(text, encoding="utf-8")
    Path("hupan.toml").chmod(0o600)
    assert refused({}, {}) == [text.split(" ", maxsplit=1)[0]]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"email_sender": "smtp", "smtp_from": "a@b.example"}, "smtp_host"),
        ({"email_sender": "smtp", "smtp_host": "a"}, "smtp_from"),
        ({"sms_sender": "http"}, "sms_url"),
        ({"upstream": "http://127.0.0.1:9000"}, "upstream_secret"),
        ({"upstream_ws": "ws://127.0.0.1:9000"}, "upstream_secret"),
        ({"trusted_proxies": "::1/128"}, "client_ip_header"),
        ({"client_ip_header": "x-real-ip"}, "trusted_proxies"),
        ({"international_numbers": True}, "sms_countries"),
        ({"backup_hours": 24}, "backup_public_key"),
    ],
)
def test_settings_that_need_each_other(options: Mapping[str, object], name: str) -> None:
    """A setting that another one requires is named when it is missing."""
    assert refused(options, {}) == [name]


def test_sockets_at_the_message_server_need_its_address() -> None:
    """`true` means the address of `upstream`."""
    environ = {"HUPAN_UPSTREAM_SECRET": "0123456789abcdef"}
    assert refused({"upstream_ws": True}, environ) == ["upstream"]


@pytest.mark.parametrize("purpose", ["MEDIA", "BACKUP"])
def test_a_bucket_needs_its_name_and_keys(purpose: str) -> None:
    """The missing settings of a bucket are named."""
    bucket = {
        f"HUPAN_{purpose}_S3_URL": "https://s3.example",
        f"HUPAN_{purpose}_S3_BUCKET": "pictures",
        f"HUPAN_{purpose}_S3_ACCESS_KEY": "key",
        f"HUPAN_{purpose}_S3_SECRET_KEY": "secret",
    }
    settings = load_settings({}, bucket)
    assert "pictures" in (settings.media_s3_bucket, settings.backup_s3_bucket)
    for name in tuple(bucket)[1:]:
        environ = {other: value for other, value in bucket.items() if other != name}
        assert refused({}, environ) == [name.removeprefix("HUPAN_").lower()]


@pytest.mark.parametrize("sender", ["aliyun", "tencent"])
def test_a_cloud_needs_its_key_and_templates(sender: str) -> None:
    """The missing settings of an SMS provider are named."""
    cloud = {
        "HUPAN_SMS_SENDER": sender,
        "HUPAN_SMS_ACCESS_KEY": "key",
        "HUPAN_SMS_SECRET_KEY": "secret",
        "HUPAN_SMS_TEMPLATES": '{"code": "1"}',
    }
    if sender == "tencent":
        cloud["HUPAN_SMS_APP_ID"] = "1400006666"
    assert load_settings({}, cloud).sms_templates == {"code": "1"}
    for name in tuple(cloud)[1:]:
        environ = {other: value for other, value in cloud.items() if other != name}
        assert refused({}, environ) == [name.removeprefix("HUPAN_").lower()]


def test_settings_that_need_each_other_are_taken_together() -> None:
    """The same settings pass once nothing is missing."""
    settings = load_settings(
        {
            "email_sender": "smtp",
            "smtp_host": "mail.example",
            "smtp_from": "湖畔 <no-reply@mail.example>",
            "sms_sender": "http",
            "trusted_proxies": "::1/128",
            "client_ip_header": "x-real-ip",
        },
        {"HUPAN_SMS_URL": "https://sms.example/send?to={to}"},
    )
    assert settings.smtp_from == "湖畔 <no-reply@mail.example>"


def test_a_rule_about_an_unreadable_value_is_not_reported() -> None:
    """One mistake causes one problem."""
    assert refused({"email_sender": "smtp", "smtp_from": "a@b", "smtp_host": "a b"}, {}) == [
        "smtp_host"
    ]


def test_weak_hashing_is_for_tests_alone() -> None:
    """Parameters below the minimum need the test profile (security P4)."""
    weak = {"password_memory_kib": 8, "password_passes": 1}
    assert refused(weak, {}) == ["password_memory_kib", "password_passes"]
    assert load_settings({**weak, "test_profile": True}, {}).password_memory_kib == 8


def test_missing_time_zone_data_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without time zone data the message says what to install."""
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        with pytest.raises(SettingsError) as caught:
            load_settings({}, {})
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()
    assert [problem.name for problem in caught.value.problems] == ["time_zone"]
    assert "tzdata" in str(caught.value)


def test_settings_travel_between_processes() -> None:
    """Settings can be pickled, because workers are started with those of their parent."""
    settings = load_settings({"workers": 2}, {"HUPAN_SMS_HEADERS": '{"X-Key": "k"}'})
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - pickled on this line


@pytest.mark.parametrize(
    ("now", "problems"),
    [
        ("2026-09-02T00:00:00+00:00", []),
        ("2026-09-01T23:59:59+00:00", ["limits_exempt_until"]),
        ("2027-01-01T00:00:00+00:00", []),
    ],
)
def test_an_exemption_ends_within_ninety_days(
    now: str, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later end is refused; a past one is no error, and exempts nothing."""
    clock = datetime.fromisoformat(now).timestamp()
    monkeypatch.setattr("hupan.config.load.time", SimpleNamespace(time=lambda: clock))
    given = {"limits_exempt_until": "2026-12-01T08:00:00+08:00"}
    environ = {"HUPAN_LIMITS_EXEMPT": "13900000001"}
    if problems:
        assert refused(given, environ) == problems
    else:
        assert load_settings(given, environ).limits_exempt_ends_at == 1_796_083_200


@pytest.mark.parametrize("name", ["host", "metrics_host"])
@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("*", "*"),
        ("::", "::"),
        ("[::1]", "::1"),
        ("127.0.0.1, ::1", "127.0.0.1,::1"),
        (["127.0.0.1", "[::]"], "127.0.0.1,::"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("chat.example", "chat.example"),
    ],
)
def test_a_server_may_listen_on_several_addresses(name: str, given: object, value: str) -> None:
    """One word listens on all of IPv4 and IPv6, or addresses are named."""
    assert getattr(load_settings({name: given}, {}), name) == value
