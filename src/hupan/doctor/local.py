"""The checks of the settings with which a server would start here."""

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from hupan.addresses import is_loopback_host
from hupan.admin.config_check import find_problems
from hupan.config import Settings, SettingsError, load_with_sources
from hupan.doctor.checks import Advice, Finding, Status
from hupan.localized import LocalizedText

_SETTINGS = "docs/settings.md"
_CONFIG_CHECK = LocalizedText("运行 hupan config check", "run hupan config check")
_ADVICE: Final = {
    "settings": Advice(
        LocalizedText("设置有效", "the settings are valid"),
        LocalizedText("有的设置无效", "a setting is not valid"),
        _CONFIG_CHECK,
        _SETTINGS,
    ),
    "store": Advice(
        LocalizedText("数据库可用", "the store can be used"),
        LocalizedText("目录不可写，或数据库不符", "the folder or the database cannot be used"),
        _CONFIG_CHECK,
        "docs/operations.md",
    ),
    "key": Advice(
        LocalizedText("密钥可用", "the key can be used"),
        LocalizedText("密钥文件损坏或权限不当", "the key file is damaged or its mode is wrong"),
        _CONFIG_CHECK,
        "docs/operations.md",
    ),
    "sender": Advice(
        LocalizedText("验证码会发给用户", "codes reach users"),
        LocalizedText("发送方式未配置好", "a sender is not set up"),
        LocalizedText("运行 hupan config send-test", "run hupan config send-test"),
        "docs/operations.md",
    ),
    "client-address": Advice(
        LocalizedText("前置代理传递客户端 IP", "the proxy passes on the client's address"),
        LocalizedText(
            "未设置 trusted_proxies，所有客户端看上去是同一个 IP",
            "trusted_proxies is not set, so all clients appear to be one",
        ),
        LocalizedText(
            "设置 trusted_proxies 与 client_ip_header", "set trusted_proxies and client_ip_header"
        ),
        _SETTINGS,
    ),
}
_AREAS: Final = {
    "data_dir": "store",
    "database": "store",
    "secret_key_file": "key",
    "sms_": "sender",
    "email_": "sender",
    "smtp_": "sender",
}


def examine_settings(config: Path | None) -> list[Finding]:
    """Run all checks of the settings; a finding names settings, never their values."""
    try:
        settings = load_with_sources({}, os.environ, config).settings
    except SettingsError as error:
        wrong = _group_by_area(problem.name for problem in error.problems)
        return _findings(wrong, "skipped")  # nothing else was checked
    wrong = _group_by_area(problem.name for problem in find_problems(settings))
    if _trusts_no_proxy(settings):
        wrong["client-address"] = {"trusted_proxies"}
    return _findings(wrong, "ok")


def _group_by_area(names: Iterable[str]) -> dict[str, set[str]]:
    grouped: dict[str, set[str]] = {}
    for name in names:
        area = next((area for start, area in _AREAS.items() if name.startswith(start)), "settings")
        grouped.setdefault(area, set()).add(name)
    return grouped


def _findings(wrong: Mapping[str, Collection[str]], otherwise: Status) -> list[Finding]:
    return [
        Finding(
            name,
            "failed" if name in wrong else otherwise,
            ", ".join(sorted(wrong.get(name, ()))),
            advice,
        )
        for name, advice in _ADVICE.items()
    ]


def _trusts_no_proxy(settings: Settings) -> bool:
    """Return whether a server that only a proxy can reach trusts no proxy."""
    return bool(
        settings.public_url and is_loopback_host(settings.host) and not settings.trusted_proxies
    )
