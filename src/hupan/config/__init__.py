"""The settings of a server: their table (`Settings`) and how their values are loaded.

`load_settings` merges the defaults, the file, the environment and the command line.
"""

from hupan.config.load import (
    InvalidSetting,
    LoadedSettings,
    SettingsError,
    load_settings,
    load_with_sources,
)
from hupan.config.settings import Settings

__all__ = [
    "InvalidSetting",
    "LoadedSettings",
    "Settings",
    "SettingsError",
    "load_settings",
    "load_with_sources",
]
