"""Reads the settings for a command, or ends it with every problem told."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from hupan.config import Loaded, SettingsError, load_with_origins

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
