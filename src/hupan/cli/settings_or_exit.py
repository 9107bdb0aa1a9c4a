"""Reads the settings for a command, or ends it with every problem told."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from hupan.app.checking import problems
from hupan.config import Loaded, SettingsError, load_with_origins
from hupan.config.problems import BadSetting, Unusable, shown
from hupan.config.table import SETTINGS

ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="配置文件，默认为环境变量 HUPAN_CONFIG 所指，或当前目录下的 hupan.toml。 "
        "The file of settings; by default that of HUPAN_CONFIG, or hupan.toml in this directory.",
        show_default=False,
    ),
]
DatabaseOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="PLACE",
        help="SQLite 文件，或 postgresql://用户@主机/库名（密码请用 HUPAN_DATABASE_PASSWORD）。 "
        "A SQLite file, or postgresql://user@host/name (its password: HUPAN_DATABASE_PASSWORD).",
        show_default=False,
    ),
]


def settings_or_exit(config: Path | None, options: Mapping[str, object] | None = None) -> Loaded:
    """The settings from all sources; the problems go to standard error.

    Raises:
        typer.Exit: with 1, when values cannot be used.
    """
    try:
        return load_with_origins(options or {}, os.environ, config)
    except SettingsError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error


def startable_settings_or_exit(
    config: Path | None,
    options: Mapping[str, object] | None = None,
    *,
    with_senders: bool = True,
) -> Loaded:
    """The settings, with which a server can start; the problems go to standard error.

    Raises:
        typer.Exit: with 1, when it cannot.
    """
    loaded = settings_or_exit(config, options)
    found = problems(loaded.settings, with_senders=with_senders)
    if not found:
        return loaded
    told = [_located(loaded, problem) for problem in found]
    typer.echo("\n".join(map(str, told)), err=True)
    raise typer.Exit(1)


def _located(loaded: Loaded, problem: Unusable) -> BadSetting:
    """The problem with the source and the value of its setting."""
    setting, origin = SETTINGS[problem.name], loaded.origins[problem.name]
    value = setting.shown(getattr(loaded.settings, problem.name))
    is_hidden = setting.secret or problem.name == "database"
    told = str(value) if is_hidden else shown(value, secret=False)
    return BadSetting(problem.name, origin.wording, problem.expected, told)
