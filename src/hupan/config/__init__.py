"""The one table of settings, and how its values are found.

`Settings` (settings.py) is the table. Defaults, the file, the environment and the command line are
laid over one another by `load`; `hupan config show` and docs/settings.md are made from the table.
"""

from hupan.config.loading import Loaded, load, load_with_origins
from hupan.config.problems import BadSetting, SettingsError
from hupan.config.settings import Settings

__all__ = ["BadSetting", "Loaded", "Settings", "SettingsError", "load", "load_with_origins"]
