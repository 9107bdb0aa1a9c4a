"""Load settings from defaults, file, environment and command line, and report every problem."""

import os
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
    PRIVATE_FILE_EXPECTED,
    SECRET_MASK,
    InvalidValue,
    SecretFileError,
    Setting,
    database_may_contain_password,
    has_private_mode,
    mask_password,
    read_secret_file,
)
from hupan.localized import LocalizedText

_MAX_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class InvalidSetting:
    """One value that cannot be used.

    Attributes:
        name: the setting, or the name that no setting has.
        source: where the value came from.
        expected: what would have been right.
        masked_value: the value as it may be shown, "" where it may not or there is none.
    """

    name: str
    source: LocalizedText
    expected: LocalizedText
    masked_value: str = ""

    def __str__(self) -> str:
        """Two lines, Chinese and English."""
        zh_value, en_value = ("", "")
        if self.masked_value:
            zh_value, en_value = (
                f"，其值为 {self.masked_value}",
                f", where it is {self.masked_value}",
            )
        name = escape_unprintable(self.name)
        return (
            f"{name}：应为 {self.expected.zh}；来自 {self.source.zh}{zh_value}\n"
            f"{name}: expected {self.expected.en}; from {self.source.en}{en_value}"
        )


class SettingsError(Exception):
    """The settings cannot be used; tells every problem at once."""

    def __init__(self, problems: Sequence[InvalidSetting]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class UnusableSetting(ValueError):
    """A value of the right form with which the server cannot start; its setting is named."""

    def __init__(self, name: str, expected: LocalizedText) -> None:
        super().__init__(f"{name}: {expected.en}")
        self.name = name
        self.expected = expected


def escape_unprintable(text: str) -> str:
    """The text on one line, with what a terminal would act on written as escapes.

    A name or a path that may hold a password is masked.
    """
    text = mask_password(text)
    return text if text.isprintable() else ascii(text)


def format_value(value: object, *, secret: bool) -> str:
    """A value as a message may show it: a mask for a secret, cut when it is long."""
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
    "a value in a file or in the environment (others can see the command line)",
)


@dataclass(frozen=True, slots=True)
class ValueSource:
    """Where a value comes from.

    Attributes:
        kind: the source; a later one of these four wins over an earlier one.
        location: path of the file, name of the variable or option, "" for a default.
    """

    kind: Literal["default", "file", "environment", "option"]
    location: str = ""

    @property
    def description(self) -> LocalizedText:
        """The origin in words."""
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
    """A value that somebody gave.

    Attributes:
        is_secret_file: `raw` is the path of a file that holds the value.
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
    """The file to read: the chosen one, that of `HUPAN_CONFIG`, `hupan.toml` if it is there."""
    if requested:
        return requested
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    return None if _is_absent(DEFAULT_CONFIG_FILE) else DEFAULT_CONFIG_FILE


def _is_absent(path: Path) -> bool:
    """Whether nothing is there; what cannot be looked at is not passed over."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def values_from_file(path: Path) -> RawValues:
    """What a file gives: flat keys, or tables whose name begins the names of their keys."""
    origin = ValueSource("file", str(path))
    try:
        with path.open("rb") as file:
            is_open_to_others = not has_private_mode(os.fstat(file.fileno()))
            # Some editors begin a text with a byte order mark.
            table = tomllib.loads(file.read().decode("utf-8-sig"))
    except OSError as error:
        readable = LocalizedText(
            f"可读的文件（{error.strerror}）", f"a readable file ({error.strerror})"
        )
        yield InvalidSetting("config", origin.description, readable)
        return
    except (ValueError, RecursionError) as error:
        reason = escape_unprintable(str(error))
        toml = LocalizedText(f"有效的 TOML（{reason}）", f"valid TOML ({reason})")
        yield InvalidSetting("config", origin.description, toml)
        return
    for name, raw in _flatten_table(table):
        found = _resolve_key(name, raw, origin, name)
        if isinstance(found, RawValue) and is_open_to_others and _requires_private_file(found):
            yield InvalidSetting(name, origin.description, PRIVATE_FILE_EXPECTED)
        yield found


def values_from_environment(environ: Mapping[str, str]) -> RawValues:
    """What the variables `HUPAN_*` give."""
    for variable, raw in environ.items():
        if (
            variable.startswith(ENVIRONMENT_PREFIX)
            and variable not in _VARIABLES_THAT_ARE_NO_SETTINGS
        ):
            name = variable.removeprefix(ENVIRONMENT_PREFIX)
            key = name.lower() if name.isupper() else ""
            yield _resolve_key(key, raw, ValueSource("environment", variable), variable)


def values_from_options(options: Mapping[str, object]) -> RawValues:
    """What the command line gives; None stands for an option that was not given."""
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
    """The value of a known key; of an unknown one the name alone, its value may be a secret."""
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
    """Whether the file that holds this value must be private: a URL may hold a password."""
    if given.setting.name == "database":
        return database_may_contain_password(given.raw)
    return _contains_secret(given)


def _contains_secret(given: RawValue) -> bool:
    return given.setting.secret and not given.is_secret_file and given.raw != given.setting.default


_MIN_PASSWORD_MEMORY_KIB = 19_456
_MIN_PASSWORD_PASSES = 2
_MAX_EXEMPT_DAYS = 90
_SECONDS_IN_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class ConsistencyRule:
    """One rule.

    Attributes:
        names: the settings it looks at; the first is the one to mend.
        is_satisfied: whether it is kept.
        expected: completes the sentence "expected …" for the first setting.
    """

    names: tuple[str, ...]
    is_satisfied: Callable[[Settings], bool]
    expected: LocalizedText


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a directory
        return False
    return True


def _is_within_max_exemption(unix_seconds: int) -> bool:
    """Whoever forgets that a target is exempt must not leave a hole for good."""
    return unix_seconds <= time.time() + _MAX_EXEMPT_DAYS * _SECONDS_IN_A_DAY


def _has_time_zone_data() -> bool:
    return _is_time_zone("UTC")


CONSISTENCY_RULES = (
    ConsistencyRule(
        ("time_zone",),
        lambda it: _has_time_zone_data() or it.time_zone == "UTC",
        LocalizedText(
            "系统提供的时区，但系统缺少时区数据，请安装 tzdata",
            "a time zone of the system, but it has no time zone data: install tzdata",
        ),
    ),
    ConsistencyRule(
        ("time_zone",),
        lambda it: _is_time_zone(it.time_zone) or not _has_time_zone_data(),
        LocalizedText("时区名，如 Asia/Shanghai", "a time zone such as Asia/Shanghai"),
    ),
    ConsistencyRule(
        ("trusted_proxies", "client_ip_header"),
        lambda it: bool(it.trusted_proxies) or not it.client_ip_header,
        LocalizedText(
            "非空的列表（已设置 client_ip_header）", "at least one, because client_ip_header is set"
        ),
    ),
    ConsistencyRule(
        ("client_ip_header", "trusted_proxies"),
        lambda it: bool(it.client_ip_header) or not it.trusted_proxies,
        LocalizedText(
            "非空的值（已设置 trusted_proxies）", "a header, because trusted_proxies is set"
        ),
    ),
    ConsistencyRule(
        ("smtp_host", "email_sender"),
        lambda it: bool(it.smtp_host) or it.email_sender != "smtp",
        LocalizedText("非空的值（email_sender 为 smtp）", "a host, because email_sender is smtp"),
    ),
    ConsistencyRule(
        ("smtp_from", "email_sender"),
        lambda it: bool(it.smtp_from) or it.email_sender != "smtp",
        LocalizedText(
            "非空的值（email_sender 为 smtp）", "an address, because email_sender is smtp"
        ),
    ),
    ConsistencyRule(
        ("sms_url", "sms_sender"),
        lambda it: bool(it.sms_url) or it.sms_sender != "http",
        LocalizedText("非空的值（sms_sender 为 http）", "an address, because sms_sender is http"),
    ),
    ConsistencyRule(  # security C12
        ("sms_countries", "international_numbers"),
        lambda it: bool(it.sms_countries) or not it.international_numbers,
        LocalizedText(
            "非空的列表（已开启 international_numbers）",
            "at least one, because international_numbers is set",
        ),
    ),
    ConsistencyRule(
        ("limits_exempt_until",),
        lambda it: _is_within_max_exemption(it.limits_exempt_ends_at),
        LocalizedText(
            f"至多 {_MAX_EXEMPT_DAYS} 天之后的时间（豁免必须有期限）",
            f"a time at most {_MAX_EXEMPT_DAYS} days ahead, for every exemption must end",
        ),
    ),
    ConsistencyRule(  # security P4
        ("password_memory_kib", "test_profile"),
        lambda it: it.test_profile or it.password_memory_kib >= _MIN_PASSWORD_MEMORY_KIB,
        LocalizedText(
            f"不小于 {_MIN_PASSWORD_MEMORY_KIB} 的整数（test_profile 除外）",
            f"at least {_MIN_PASSWORD_MEMORY_KIB}, unless test_profile is set",
        ),
    ),
    ConsistencyRule(  # security P4
        ("password_passes", "test_profile"),
        lambda it: it.test_profile or it.password_passes >= _MIN_PASSWORD_PASSES,
        LocalizedText(
            f"不小于 {_MIN_PASSWORD_PASSES} 的整数（test_profile 除外）",
            f"at least {_MIN_PASSWORD_PASSES}, unless test_profile is set",
        ),
    ),
)


_DEFAULT_SOURCE = ValueSource("default")


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and where they came from.

    Attributes:
        sources: by the name of the setting, for each of them.
        path: the file that was read, if any.
    """

    settings: Settings
    sources: Mapping[str, ValueSource]
    path: Path | None


def load_settings(
    options: Mapping[str, object], environ: Mapping[str, str], config_path: Path | None = None
) -> Settings:
    """The settings of a server.

    Args:
        options: by name of the setting; None stands for an option that was not given.
        environ: of which `HUPAN_*` is read.
        config_path: the file; without it that of `HUPAN_CONFIG`, else `hupan.toml` if present.

    Raises:
        SettingsError: values cannot be used; it tells all of them. A value counts even where a
            later source wins over it.
    """
    return load_with_sources(options, environ, config_path).settings


def load_with_sources(
    options: Mapping[str, object], environ: Mapping[str, str], config_path: Path | None = None
) -> LoadedSettings:
    """The same as `load`, telling where each value came from."""
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
        # Any, because only the form of each field knows its type.
        self._values: dict[str, Any] = {}
        self._problems: list[InvalidSetting] = []
        self.sources = dict.fromkeys(SETTINGS, _DEFAULT_SOURCE)

    def add_source(self, raw_values: RawValues) -> None:
        """Reads one source."""
        seen: set[str] = set()
        for item in raw_values:
            if isinstance(item, InvalidSetting):
                self._problems.append(item)
                continue
            name = item.setting.name
            if name in seen:
                once = LocalizedText("同一来源中只设置一次", "to be set once in one place")
                self._problems.append(InvalidSetting(name, item.source.description, once))
            seen.add(name)
            self._add_value(item)

    def build(self) -> Settings:
        """The settings, or every problem."""
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
            # A wrong address shows nothing of itself: no reader knows where its password is.
            is_hidden = setting.secret or setting.name == "database"
            value = format_value(given.raw, secret=is_hidden)
            expected = error.expected if isinstance(error, InvalidValue) else setting.expected
            problem = InvalidSetting(setting.name, given.source.description, expected, value)
            self._problems.append(problem)

    def _violated_rules(self, settings: Settings) -> Iterator[InvalidSetting]:
        """Leaves out the rules about values that could not be read: they would only confuse."""
        unread = {problem.name for problem in self._problems}
        for rule in CONSISTENCY_RULES:
            if unread.isdisjoint(rule.names) and not rule.is_satisfied(settings):
                name = rule.names[0]
                value = SETTINGS[name].masked_value(getattr(settings, name))
                yield InvalidSetting(
                    name,
                    self.sources[name].description,
                    rule.expected,
                    format_value(value, secret=False),
                )
