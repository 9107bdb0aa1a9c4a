"""`hupan config show` and `hupan config check`."""

import json
import sys
import time
from typing import Annotated

import typer

from hupan.app.exempt import exempt_lines
from hupan.app.storing import refuse_lost_parts
from hupan.app.warnings import warning_lines
from hupan.cli import send_test
from hupan.cli.refusing import refused_plainly
from hupan.cli.settings_or_exit import (
    ConfigOption,
    settings_or_exit,
    startable_settings_or_exit,
)
from hupan.config import Loaded
from hupan.config.problems import printable
from hupan.config.table import SETTINGS

_PIPE_WIDTH = 240
_CONFIG = """查看或检查设置。

Show or check the settings.

取值依次来自默认值、配置文件、环境变量 HUPAN_* 与命令行参数，后者优先。

Values come from defaults, the file, the variables HUPAN_* and the options; a later one wins.
"""
_SHOW = """显示每项设置的值、来源与说明，机密以 •••• 代替。

Show each setting: its value, where that came from and what it does. Secrets appear as ••••.
"""
_CHECK = """检查设置，列出全部问题与警告；服务器无法启动时以状态 1 结束。

Check the settings and tell each problem and warning; ends with status 1 if no server can start.
"""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    group.command("show", help=_SHOW, short_help="显示设置 Show the settings")(show)
    group.command("check", help=_CHECK, short_help="检查设置 Check the settings")(check)
    group.command("send-test", help=send_test.HELP, short_help="发送测试消息 Send a test message")(
        send_test.send_test
    )
    app.add_typer(
        group, name="config", help=_CONFIG, short_help="查看或检查设置 Show or check the settings"
    )


def show(
    *,
    config: ConfigOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="输出 JSON。 Write JSON, for programs.")
    ] = False,
) -> None:
    """Writes every setting as a table, or as a JSON object."""
    loaded = settings_or_exit(config)
    if as_json:
        typer.echo(json.dumps(_rows(loaded), ensure_ascii=False, indent=2))
    else:
        _print_table(loaded)


def check(*, config: ConfigOption = None) -> None:
    """Says that all is well, or ends with status 1."""
    loaded = startable_settings_or_exit(config)
    with refused_plainly():
        refuse_lost_parts(loaded.settings)
    for line in warning_lines(loaded.settings):
        typer.echo(line, err=True)
    for line in exempt_lines(loaded.settings, time.time()):
        typer.echo(line, err=True)
    path = printable(str(loaded.path))
    zh, en = (f"设置正确：{path}", f"the settings are right: {path}")
    if loaded.path is None:
        zh, en = "设置正确（没有配置文件）", "the settings are right (there is no file)"
    typer.echo(f"OK {zh}\nOK {en}")


def _rows(loaded: Loaded) -> dict[str, dict[str, object]]:
    """One object per setting, by its name; `place` is a path, a variable, or "" for a default."""
    return {
        name: {
            "value": setting.shown(getattr(loaded.settings, name)),
            "source": loaded.origins[name].kind,
            "place": loaded.origins[name].place,
            "secret": setting.secret,
            "help": setting.help._asdict(),
        }
        for name, setting in SETTINGS.items()
    }


def _print_table(loaded: Loaded) -> None:
    # Here, because rich takes longer to import than every other command takes to run.
    from rich.console import Console  # noqa: PLC0415 # as said above
    from rich.table import Table  # noqa: PLC0415 # as said above

    table = Table("设置\nSetting", "值\nValue", "来源\nSource", "说明\nMeaning", show_lines=True)
    for name, setting in SETTINGS.items():
        value = json.dumps(setting.shown(getattr(loaded.settings, name)), ensure_ascii=False)
        table.add_row(name, value, "\n".join(loaded.origins[name].wording), "\n".join(setting.help))
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)
