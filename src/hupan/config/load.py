"""Load settings from defaults, file, environment and command line, and report every problem."""

import os
import stat
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hupan.config.settings import SETTINGS, Settings
from hupan.config.types import (
    NO_PASSWORD_IN_OPTION,
    SECRET_MASK,
    InvalidValue,
    Setting,
    database_may_contain_password,
    mask_database_url,
    mask_password,
)
from hupan.library_errors import localize_reason
from hupan.localized import LocalizedError, LocalizedText
from hupan.rules import DAY_SECONDS

_MAX_SHOWN_CHARACTERS = 80
_GROUP_READ = stat.S_IRGRP
_ROOT = 0


@dataclass(frozen=True, slots=True)
class InvalidSetting:
    """One value that cannot be used.

    Attributes:
        name: the setting, or the unknown name.
        source: where the value came from.
        expected: completes the sentence "expected …".
        masked_value: the value as it may be shown, "" if it may not or there is none.
    """

    name: str
    source: LocalizedText
    expected: LocalizedText
    masked_value: str = ""

    @property
    def message(self) -> LocalizedText:
        """The whole message about it."""
        name, value = escape_unprintable(self.name), self.masked_value
        zh = f"{name}：应为 {self.expected.zh}；来自 {self.source.zh}"
        en = f"{name}: expected {self.expected.en}; from {self.source.en}"
        if value:
            zh, en = f"{zh}，其值为 {value}", f"{en}, where it is {value}"
        return LocalizedText(zh, en)


class SettingsError(LocalizedError):
    """The settings cannot be used; the message has a line for every problem."""

    def __init__(self, problems: Sequence[InvalidSetting]) -> None:
        messages = [problem.message for problem in problems]
        super().__init__(
            "\n".join(message.zh for message in messages),
            "\n".join(message.en for message in messages),
        )
        self.problems = tuple(problems)


class UnusableSetting(ValueError):
    """A valid value with which the server cannot start."""

    def __init__(self, name: str, expected: LocalizedText) -> None:
        super().__init__(f"{name}: {expected.en}")
        self.name = name
        self.expected = expected


def escape_unprintable(text: str) -> str:
    """Return a text on one line, with control characters as escapes.

    A name or a path that may contain a password is masked.
    """
    text = mask_password(text)
    return text if text.isprintable() else ascii(text)


def format_value(value: object, *, secret: bool) -> str:
    """Return a value as a message may show it: a secret masked, a long value truncated."""
    if secret:
        return SECRET_MASK
    text = mask_password(value if isinstance(value, str) else repr(value))
    text = text if text == SECRET_MASK else repr(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}…"


ENVIRONMENT_PREFIX = "HUPAN_"
CONFIG_VARIABLE = "HUPAN_CONFIG"
_VARIABLES_THAT_ARE_NO_SETTINGS = (CONFIG_VARIABLE, "HUPAN_LANG")
DEFAULT_CONFIG_FILE = Path("hupan.toml")

_NO_SECRETS_IN_OPTIONS = LocalizedText(
    "文件或环境变量中的值（命令行参数会被其他用户看到）",
    "a value in a file or in the environment (other users can see the command line)",
)


@dataclass(frozen=True, slots=True)
class ValueSource:
    """Where a value comes from.

    Attributes:
        kind: one of these four; a later one takes precedence.
        location: path of the file, name of the variable or option, "" for a default.
    """

    kind: Literal["default", "file", "environment", "option"]
    location: str = ""

    @property
    def description(self) -> LocalizedText:
        zh, en = {
            "default": ("默认值", "the default"),
            "file": ("配置文件 ", "the file "),
            "environment": ("环境变量 ", "the variable "),
            "option": ("命令行参数 ", "the option "),
        }[self.kind]
        location = escape_unprintable(self.location)
        return LocalizedText(f"{zh}{location}", f"{en}{location}")


@dataclass(frozen=True, slots=True)
class RawValue:
    """A value from a source, not parsed yet.

    Attributes:
        is_secret_file: `raw` is the path of a file that contains the value.
    """

    setting: Setting
    raw: object
    source: ValueSource
    is_secret_file: bool = False


RawValues: TypeAlias = Iterator[RawValue | InvalidSetting]

_SETTINGS_BY_KEY: Mapping[str, tuple[Setting, bool]] = {
    **{name: (setting, False) for name, setting in SETTINGS.items()},
    **{
        setting.secret_file_name: (setting, True)
        for setting in SETTINGS.values()
        if setting.secret_file_name
    },
}


def find_config_file(environ: Mapping[str, str], requested: Path | None) -> Path | None:
    """Return the requested file, else that of `HUPAN_CONFIG`, else `hupan.toml` if present."""
    if requested:
        return requested
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    return None if _is_absent(DEFAULT_CONFIG_FILE) else DEFAULT_CONFIG_FILE


def _is_absent(path: Path) -> bool:
    # A file that cannot be accessed is not absent: reading it must fail, not be skipped.
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def values_from_file(path: Path) -> RawValues:
    """Return the values of a file: flat keys, or tables whose name is the prefix of their keys."""
    origin = ValueSource("file", str(path))
    try:
        with path.open("rb") as file:
            is_open_to_others = not has_private_mode(os.fstat(file.fileno()))
            # Some editors write a byte order mark.
            table = tomllib.loads(file.read().decode("utf-8-sig"))
    except OSError as error:
        reason = localize_reason(error)
        readable = LocalizedText(f"可读的文件（{reason.zh}）", f"a readable file ({reason.en})")
        yield InvalidSetting("config", origin.description, readable)
        return
    except (ValueError, RecursionError) as error:
        reason = localize_reason(error)
        shown = escape_unprintable(reason.en)
        toml = LocalizedText(f"有效的 TOML（{reason.zh}）", f"valid TOML ({shown})")
        yield InvalidSetting("config", origin.description, toml)
        return
    for name, raw in _flatten_table(table):
        found = _resolve_key(name, raw, origin, name)
        if isinstance(found, RawValue) and is_open_to_others and _requires_private_file(found):
            yield InvalidSetting(name, origin.description, PRIVATE_FILE_EXPECTED)
        yield found


def values_from_environment(environ: Mapping[str, str]) -> RawValues:
    """Return the values of the variables `HUPAN_*`."""
    for variable, raw in environ.items():
        if (
            variable.startswith(ENVIRONMENT_PREFIX)
            and variable not in _VARIABLES_THAT_ARE_NO_SETTINGS
        ):
            name = variable.removeprefix(ENVIRONMENT_PREFIX)
            key = name.lower() if name.isupper() else ""
            yield _resolve_key(key, raw, ValueSource("environment", variable), variable)


def values_from_options(options: Mapping[str, object]) -> RawValues:
    """Return the values of the command line; None is an option that was not given."""
    for name, raw in options.items():
        if raw is not None:
            origin = ValueSource("option", f"--{name.replace('_', '-')}")
            found = _resolve_key(name, raw, origin, name)
            if isinstance(found, RawValue) and _contains_secret(found):
                yield InvalidSetting(name, origin.description, _NO_SECRETS_IN_OPTIONS)
            elif name == "database" and database_may_contain_password(raw):
                yield InvalidSetting(name, origin.description, NO_PASSWORD_IN_OPTION)
            else:
                yield found


def _flatten_table(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        name = prefix + key
        begins_names = any(known.startswith(f"{name}_") for known in _SETTINGS_BY_KEY)
        if isinstance(value, dict) and name not in _SETTINGS_BY_KEY and (value or begins_names):
            yield from _flatten_table(value, f"{name}_")
        else:
            yield name, value


def _resolve_key(
    key: str, raw: object, origin: ValueSource, original_name: str
) -> RawValue | InvalidSetting:
    """Return the value of a known key; of an unknown one only the name, as it may be a secret."""
    if key in _SETTINGS_BY_KEY:
        setting, from_file = _SETTINGS_BY_KEY[key]
        return RawValue(setting, raw, origin, from_file)
    close_matches = get_close_matches(
        key or original_name.removeprefix(ENVIRONMENT_PREFIX).lower(), _SETTINGS_BY_KEY, n=1
    )
    zh, en = "已有的设置名", "the name of a setting"
    if close_matches:
        name = (
            ENVIRONMENT_PREFIX + close_matches[0].upper()
            if origin.kind == "environment"
            else close_matches[0]
        )
        zh, en = f"{zh}（是否想写 {name}？）", f"{en} (did you mean {name}?)"
    return InvalidSetting(original_name, origin.description, LocalizedText(zh, en))


def _requires_private_file(given: RawValue) -> bool:
    """Return whether the value's file must be private: a database URL may contain a password."""
    if given.setting.name == "database":
        return database_may_contain_password(given.raw)
    return _contains_secret(given)


def _contains_secret(given: RawValue) -> bool:
    return given.setting.secret and not given.is_secret_file and given.raw != given.setting.default


_MIN_PASSWORD_MEMORY_KIB = 19_456
_MIN_PASSWORD_PASSES = 2
_MAX_EXEMPT_DAYS = 90


@dataclass(frozen=True, slots=True)
class ConsistencyRule:
    """A rule about several settings, or one that depends on the system.

    Attributes:
        names: the settings it reads; the first is the one to correct.
        expected: completes the sentence "expected …" for the first setting.
    """

    names: tuple[str, ...]
    is_satisfied: Callable[[Settings], bool]
    expected: LocalizedText


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a directory
        return False
    return True


def _is_within_max_exemption(unix_seconds: int) -> bool:
    """Return whether an exemption ends soon enough: a forgotten one must not stay open forever."""
    return unix_seconds <= time.time() + _MAX_EXEMPT_DAYS * DAY_SECONDS


def _has_time_zone_data() -> bool:
    return _is_time_zone("UTC")


def _cloud_rule(name: str, *senders: str) -> ConsistencyRule:
    return ConsistencyRule(
        (name, "sms_sender"),
        lambda settings: settings.sms_sender not in senders or bool(getattr(settings, name)),
        LocalizedText(
            f"非空的值（sms_sender 为 {' 或 '.join(senders)}）",
            f"a value, because sms_sender is {' or '.join(senders)}",
        ),
    )


def _bucket_rule(name: str) -> ConsistencyRule:
    url = f"{name.partition('_')[0]}_s3_url"
    return ConsistencyRule(
        (name, url),
        lambda settings: not getattr(settings, url) or bool(getattr(settings, name)),
        LocalizedText(f"非空的值（已设置 {url}）", f"a value, because {url} is set"),
    )


CONSISTENCY_RULES = (
    ConsistencyRule(
        ("time_zone",),
        lambda settings: _has_time_zone_data() or settings.time_zone == "UTC",
        LocalizedText(
            "系统提供的时区，但系统缺少时区数据，请安装 tzdata",
            "a time zone of the system, but it has no time zone data: install tzdata",
        ),
    ),
    ConsistencyRule(
        ("time_zone",),
        lambda settings: _is_time_zone(settings.time_zone) or not _has_time_zone_data(),
        LocalizedText("时区名，如 Asia/Shanghai", "a time zone such as Asia/Shanghai"),
    ),
    ConsistencyRule(
        ("trusted_proxies", "client_ip_header"),
        lambda settings: bool(settings.trusted_proxies) or not settings.client_ip_header,
        LocalizedText(
            "非空的列表（已设置 client_ip_header）", "at least one, because client_ip_header is set"
        ),
    ),
    ConsistencyRule(
        ("client_ip_header", "trusted_proxies"),
        lambda settings: bool(settings.client_ip_header) or not settings.trusted_proxies,
        LocalizedText(
            "非空的值（已设置 trusted_proxies）", "a header, because trusted_proxies is set"
        ),
    ),
    ConsistencyRule(
        ("smtp_host", "email_sender"),
        lambda settings: bool(settings.smtp_host) or settings.email_sender != "smtp",
        LocalizedText("非空的值（email_sender 为 smtp）", "a host, because email_sender is smtp"),
    ),
    ConsistencyRule(
        ("smtp_from", "email_sender"),
        lambda settings: bool(settings.smtp_from) or settings.email_sender != "smtp",
        LocalizedText(
            "非空的值（email_sender 为 smtp）", "an address, because email_sender is smtp"
        ),
    ),
    ConsistencyRule(
        ("sms_url", "sms_sender"),
        lambda settings: bool(settings.sms_url) or settings.sms_sender != "http",
        LocalizedText("非空的值（sms_sender 为 http）", "an address, because sms_sender is http"),
    ),
    _cloud_rule("sms_access_key", "aliyun", "tencent"),
    _cloud_rule("sms_secret_key", "aliyun", "tencent"),
    _cloud_rule("sms_templates", "aliyun", "tencent"),
    _cloud_rule("sms_app_id", "tencent"),
    *map(_bucket_rule, ("media_s3_bucket", "media_s3_access_key", "media_s3_secret_key")),
    *map(_bucket_rule, ("backup_s3_bucket", "backup_s3_access_key", "backup_s3_secret_key")),
    ConsistencyRule(  # security L6
        ("backup_public_key", "backup_hours"),
        lambda settings: (
            not settings.backup_hours
            or bool(settings.backup_public_key or settings.backup_passphrase)
        ),
        LocalizedText(
            "公钥，或设置 backup_passphrase（已设置 backup_hours）",
            "a public key, or backup_passphrase to be set, because backup_hours is set",
        ),
    ),
    ConsistencyRule(
        ("upstream_secret", "upstream"),
        lambda settings: bool(settings.upstream_secret) or not settings.upstream,
        LocalizedText("非空的值（已设置 upstream）", "a key, because upstream is set"),
    ),
    ConsistencyRule(
        ("upstream_secret", "upstream_ws"),
        lambda settings: bool(settings.upstream_secret) or not settings.upstream_ws,
        LocalizedText("非空的值（已设置 upstream_ws）", "a key, because upstream_ws is set"),
    ),
    ConsistencyRule(
        ("upstream", "upstream_ws"),
        lambda settings: bool(settings.upstream) or settings.upstream_ws != "true",
        LocalizedText("非空的值（upstream_ws 为 true）", "a URL, because upstream_ws is true"),
    ),
    ConsistencyRule(  # security C12
        ("sms_countries", "international_numbers"),
        lambda settings: bool(settings.sms_countries) or not settings.international_numbers,
        LocalizedText(
            "非空的列表（已开启 international_numbers）",
            "at least one, because international_numbers is set",
        ),
    ),
    ConsistencyRule(
        ("limits_exempt_until",),
        lambda settings: _is_within_max_exemption(settings.limits_exempt_ends_at),
        LocalizedText(
            f"至多 {_MAX_EXEMPT_DAYS} 天之后的时间（豁免必须有期限）",
            f"a time at most {_MAX_EXEMPT_DAYS} days ahead, because every exemption must end",
        ),
    ),
    ConsistencyRule(  # security P4
        ("password_memory_kib", "test_profile"),
        lambda settings: (
            settings.test_profile or settings.password_memory_kib >= _MIN_PASSWORD_MEMORY_KIB
        ),
        LocalizedText(
            f"不小于 {_MIN_PASSWORD_MEMORY_KIB} 的整数（test_profile 除外）",
            f"at least {_MIN_PASSWORD_MEMORY_KIB}, unless test_profile is set",
        ),
    ),
    ConsistencyRule(  # security P4
        ("password_passes", "test_profile"),
        lambda settings: settings.test_profile or settings.password_passes >= _MIN_PASSWORD_PASSES,
        LocalizedText(
            f"不小于 {_MIN_PASSWORD_PASSES} 的整数（test_profile 除外）",
            f"at least {_MIN_PASSWORD_PASSES}, unless test_profile is set",
        ),
    ),
)


_DEFAULT_SOURCE = ValueSource("default")


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings and their sources.

    Attributes:
        sources: the source of each setting, by its name.
        path: the file that was read, if any.
    """

    settings: Settings
    sources: Mapping[str, ValueSource]
    path: Path | None


def load_settings(
    options: Mapping[str, object], environ: Mapping[str, str], config_path: Path | None = None
) -> Settings:
    """Load the settings of a server.

    Args:
        options: the options by the name of their setting; None if an option was not given.
        environ: the environment; only `HUPAN_*` is read.
        config_path: the file; without it that of `HUPAN_CONFIG`, else `hupan.toml` if present.

    Raises:
        SettingsError: values are invalid, even if a later source overrides them; it lists all.
    """
    return load_with_sources(options, environ, config_path).settings


def load_with_sources(
    options: Mapping[str, object], environ: Mapping[str, str], config_path: Path | None = None
) -> LoadedSettings:
    """Load the settings like `load_settings`, with the source of each value."""
    path = find_config_file(environ, config_path)
    loader = _SettingsLoader()
    if path:
        loader.add_source(values_from_file(path))
    loader.add_source(values_from_environment(environ))
    loader.add_source(values_from_options(options))
    return LoadedSettings(loader.build(), loader.sources, path)


class _SettingsLoader:
    """Collects values and problems, source by source."""

    def __init__(self) -> None:
        # Any, because only the parser of each setting knows its type.
        self._values: dict[str, Any] = {}
        self._problems: list[InvalidSetting] = []
        self.sources = dict.fromkeys(SETTINGS, _DEFAULT_SOURCE)

    def add_source(self, raw_values: RawValues) -> None:
        names: set[str] = set()
        for item in raw_values:
            if isinstance(item, InvalidSetting):
                self._problems.append(item)
                continue
            name = item.setting.name
            if name in names:
                once = LocalizedText("同一来源中只设置一次", "to be set once in a source")
                self._problems.append(InvalidSetting(name, item.source.description, once))
            names.add(name)
            self._add_value(item)

    def build(self) -> Settings:
        """Return the settings.

        Raises:
            SettingsError: values are invalid.
        """
        settings = Settings(**self._values)
        self._problems.extend(self._violated_rules(settings))
        if self._problems:
            raise SettingsError(self._problems)
        return settings

    def _add_value(self, given: RawValue) -> None:
        setting = given.setting
        try:
            raw = read_secret_file(given.raw) if given.is_secret_file else given.raw
            self._values[setting.name] = setting.parse(raw)
            self.sources[setting.name] = given.source
        except SecretFileError as error:
            name = setting.secret_file_name or setting.name
            value = format_value(given.raw, secret=False)
            self._problems.append(
                InvalidSetting(name, given.source.description, error.expected, value)
            )
        except ValueError as error:
            # An invalid URL is not shown at all: it is unclear where its password is.
            is_hidden = setting.secret or setting.name == "database"
            value = format_value(given.raw, secret=is_hidden)
            expected = error.expected if isinstance(error, InvalidValue) else setting.expected
            problem = InvalidSetting(setting.name, given.source.description, expected, value)
            self._problems.append(problem)

    def _violated_rules(self, settings: Settings) -> Iterator[InvalidSetting]:
        """Return the violated rules, except those about values that could not be read."""
        unreadable = {problem.name for problem in self._problems}
        for rule in CONSISTENCY_RULES:
            if unreadable.isdisjoint(rule.names) and not rule.is_satisfied(settings):
                name = rule.names[0]
                value = SETTINGS[name].masked_value(getattr(settings, name))
                yield InvalidSetting(
                    name,
                    self.sources[name].description,
                    rule.expected,
                    format_value(value, secret=False),
                )


PRIVATE_FILE_EXPECTED = LocalizedText(
    "仅所有者可读写的文件（权限 0600；属主为 root 时可为 0640，由服务的用户组读取）",
    "a file with mode 0600, or 0640 if root owns it and the service's group reads it",
)


class SecretFileError(Exception):
    """A file with a secret cannot be used; `expected` completes the sentence "expected …"."""

    def __init__(self, expected: LocalizedText) -> None:
        super().__init__(expected.en)
        self.expected = expected


def has_private_mode(status: os.stat_result) -> bool:
    """Return whether only the owner can access a file, or root lets one group read it.

    A user's files often belong to a group that all users share, root's files never do; and root
    owns what a package or `install -g hupan` puts into /etc.
    """
    others = stat.S_IRWXG | stat.S_IRWXO
    if status.st_uid == _ROOT:
        others &= ~_GROUP_READ
    return not status.st_mode & others


def read_secret_file(file_name: object) -> str:
    """Return the text of the file without the trailing line break.

    Raises:
        SecretFileError: it is not a readable text file, is empty, or other users can read it.
    """
    if not isinstance(file_name, str):
        raise SecretFileError(LocalizedText("文件路径", "the path of a file"))
    try:
        # Some editors write a byte order mark.
        text = _read_private_file(file_name).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise SecretFileError(LocalizedText("可读的文本文件", "a readable text file")) from error
    if not text.strip():
        raise SecretFileError(LocalizedText("非空的文件", "a file that is not empty"))
    return text.removesuffix("\n").removesuffix("\r")


def _read_private_file(file_name: str) -> bytes:
    path = Path(file_name)
    if not path.is_file():  # opening a pipe would block forever
        raise FileNotFoundError(file_name)
    with path.open("rb") as file:
        if not has_private_mode(os.fstat(file.fileno())):
            raise SecretFileError(PRIVATE_FILE_EXPECTED)
        return file.read()


def masked_database(settings: Settings) -> str:
    """Return the database as it may be shown."""
    if settings.is_postgres:
        return mask_database_url(settings.database)
    return str(settings.database_path.absolute())
