"""Where values come from: the file, the environment, the command line."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias

from hupan.config.database_form import NO_PASSWORD_IN_OPTION, holds_password
from hupan.config.problems import BadSetting, printable
from hupan.config.secret_files import MUST_BE_PRIVATE, is_private
from hupan.config.table import SETTINGS, Setting
from hupan.config.wording import Wording

PREFIX = "HUPAN_"
CONFIG_VARIABLE = "HUPAN_CONFIG"
DEFAULT_FILE = Path("hupan.toml")

_NO_SECRETS_HERE = Wording(
    "文件或环境变量中的值（命令行参数会被其他用户看到）",
    "a value in a file or in the environment (others can see the command line)",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Attributes:
        kind: the source; a later one of these four wins over an earlier one.
        place: path of the file, name of the variable or option, "" for a default.
    """

    kind: Literal["default", "file", "environment", "option"]
    place: str = ""

    @property
    def wording(self) -> Wording:
        """The origin in words."""
        zh, en = {
            "default": ("默认值", "the default"),
            "file": ("配置文件 ", "the file "),
            "environment": ("环境变量 ", "the variable "),
            "option": ("命令行参数 ", "the option "),
        }[self.kind]
        place = printable(self.place)
        return Wording(f"{zh}{place}", f"{en}{place}")


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave.

    Attributes:
        from_file: `raw` is the path of a file that holds the value.
    """

    setting: Setting
    raw: object
    origin: Origin
    from_file: bool = False


Found: TypeAlias = Iterator[Given | BadSetting]

_BY_KEY: Mapping[str, tuple[Setting, bool]] = {
    **{name: (setting, False) for name, setting in SETTINGS.items()},
    **{setting.file_twin: (setting, True) for setting in SETTINGS.values() if setting.file_twin},
}


def config_file(environ: Mapping[str, str], chosen: Path | None) -> Path | None:
    """The file to read: the chosen one, that of `HUPAN_CONFIG`, `hupan.toml` if it is there."""
    if chosen:
        return chosen
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    return None if _is_absent(DEFAULT_FILE) else DEFAULT_FILE


def _is_absent(path: Path) -> bool:
    """Whether nothing is there; what cannot be looked at is not passed over."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def in_file(path: Path) -> Found:
    """What a file gives: flat keys, or tables whose name begins the names of their keys."""
    origin = Origin("file", str(path))
    try:
        with path.open("rb") as file:
            is_open_to_others = not is_private(os.fstat(file.fileno()))
            # Some editors begin a text with a byte order mark.
            table = tomllib.loads(file.read().decode("utf-8-sig"))
    except OSError as error:
        readable = Wording(f"可读的文件（{error.strerror}）", f"a readable file ({error.strerror})")
        yield BadSetting("config", origin.wording, readable)
        return
    except (ValueError, RecursionError) as error:
        reason = printable(str(error))
        toml = Wording(f"有效的 TOML（{reason}）", f"valid TOML ({reason})")
        yield BadSetting("config", origin.wording, toml)
        return
    for name, raw in _flat(table):
        found = _given(name, raw, origin, name)
        if isinstance(found, Given) and is_open_to_others and _is_private_in_file(found):
            yield BadSetting(name, origin.wording, MUST_BE_PRIVATE)
        yield found


def in_environment(environ: Mapping[str, str]) -> Found:
    """What the variables `HUPAN_*` give."""
    for variable, raw in environ.items():
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            name = variable.removeprefix(PREFIX)
            key = name.lower() if name.isupper() else ""
            yield _given(key, raw, Origin("environment", variable), variable)


def in_options(options: Mapping[str, object]) -> Found:
    """What the command line gives; None stands for an option that was not given."""
    for name, raw in options.items():
        if raw is not None:
            origin = Origin("option", f"--{name.replace('_', '-')}")
            found = _given(name, raw, origin, name)
            if isinstance(found, Given) and _holds_secret(found):
                yield BadSetting(name, origin.wording, _NO_SECRETS_HERE)
            elif name == "database" and holds_password(raw):
                yield BadSetting(name, origin.wording, NO_PASSWORD_IN_OPTION)
            else:
                yield found


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        name = prefix + key
        begins_names = any(known.startswith(f"{name}_") for known in _BY_KEY)
        if isinstance(value, dict) and name not in _BY_KEY and (value or begins_names):
            yield from _flat(value, f"{name}_")
        else:
            yield name, value


def _given(key: str, raw: object, origin: Origin, written: str) -> Given | BadSetting:
    """The value of a known key; of an unknown one the name alone, its value may be a secret."""
    if key in _BY_KEY:
        setting, from_file = _BY_KEY[key]
        return Given(setting, raw, origin, from_file)
    near = get_close_matches(key or written.removeprefix(PREFIX).lower(), _BY_KEY, n=1)
    zh, en = "已有的设置名", "the name of a setting"
    if near:
        name = PREFIX + near[0].upper() if origin.kind == "environment" else near[0]
        zh, en = f"{zh}（是否想写 {name}？）", f"{en} (did you mean {name}?)"
    return BadSetting(written, origin.wording, Wording(zh, en))


def _is_private_in_file(given: Given) -> bool:
    """Whether the file that holds this value must be private: a URL may hold a password."""
    if given.setting.name == "database":
        return holds_password(given.raw)
    return _holds_secret(given)


def _holds_secret(given: Given) -> bool:
    return given.setting.secret and not given.from_file and given.raw != given.setting.default
