"""Lays defaults, file, environment and options over one another; a later one wins."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hupan.config.forms import Unfit
from hupan.config.problems import BadSetting, SettingsError, shown
from hupan.config.rules import RULES
from hupan.config.secret_files import SecretFileError, read_secret
from hupan.config.settings import Settings
from hupan.config.sources import (
    Found,
    Given,
    Origin,
    config_file,
    in_environment,
    in_file,
    in_options,
)
from hupan.config.table import SETTINGS
from hupan.config.wording import Wording

_DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where they came from.

    Attributes:
        origins: by the name of the setting, for each of them.
        path: the file that was read, if any.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    path: Path | None


def load(
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
    return load_with_origins(options, environ, config_path).settings


def load_with_origins(
    options: Mapping[str, object], environ: Mapping[str, str], config_path: Path | None = None
) -> Loaded:
    """The same as `load`, telling where each value came from."""
    path = config_file(environ, config_path)
    reading = _Reading()
    if path:
        reading.take(in_file(path))
    reading.take(in_environment(environ))
    reading.take(in_options(options))
    return Loaded(reading.finish(), reading.origins, path)


class _Reading:
    """Collects values and problems, source by source."""

    def __init__(self) -> None:
        # Any, because only the form of each field knows its type.
        self._values: dict[str, Any] = {}
        self._problems: list[BadSetting] = []
        self.origins = dict.fromkeys(SETTINGS, _DEFAULT)

    def take(self, found: Found) -> None:
        """Reads one source."""
        seen: set[str] = set()
        for item in found:
            if isinstance(item, BadSetting):
                self._problems.append(item)
                continue
            name = item.setting.name
            if name in seen:
                once = Wording("同一来源中只设置一次", "to be set once in one place")
                self._problems.append(BadSetting(name, item.origin.wording, once))
            seen.add(name)
            self._read(item)

    def finish(self) -> Settings:
        """The settings, or every problem."""
        settings = Settings(**self._values)
        self._problems.extend(self._broken_rules(settings))
        if self._problems:
            raise SettingsError(self._problems)
        return settings

    def _read(self, given: Given) -> None:
        setting = given.setting
        try:
            raw = read_secret(given.raw) if given.from_file else given.raw
            self._values[setting.name] = setting.read(raw)
            self.origins[setting.name] = given.origin
        except SecretFileError as error:
            name = setting.file_twin or setting.name
            value = shown(given.raw, secret=False)
            self._problems.append(BadSetting(name, given.origin.wording, error.expected, value))
        except ValueError as error:
            # A wrong address shows nothing of itself: no reader knows where its password is.
            is_hidden = setting.secret or setting.name == "database"
            value = shown(given.raw, secret=is_hidden)
            expected = error.expected if isinstance(error, Unfit) else setting.expected
            problem = BadSetting(setting.name, given.origin.wording, expected, value)
            self._problems.append(problem)

    def _broken_rules(self, settings: Settings) -> Iterator[BadSetting]:
        """Leaves out the rules about values that could not be read: they would only confuse."""
        unread = {problem.name for problem in self._problems}
        for rule in RULES:
            if unread.isdisjoint(rule.names) and not rule.holds(settings):
                name = rule.names[0]
                value = SETTINGS[name].shown(getattr(settings, name))
                yield BadSetting(
                    name, self.origins[name].wording, rule.expected, shown(value, secret=False)
                )
