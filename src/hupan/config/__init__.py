"""The one table of settings, and how its values are found.

`Settings` (settings.py) is the table. Defaults, the file, the environment and the command line are
laid over one another by `load_settings`; `hupan config show` and docs/settings.md are made from the table.
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
