"""Help and usage errors in the language of the terminal, wrapped by cells.

typer's own texts are in English only. Those around our texts are translated here; others, such as a
message about a rare type of parameter, stay English, on a separate line.
"""

import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError
from typer._click.formatting import HelpFormatter
from typer.core import TyperGroup

from hupan.cli.language import ENGLISH, cell_width, move_option_first, pad_cells, say, wrap_cells

_HELP_IN_CHINESE: Final = {
    "Options": "选项",
    "Arguments": "参数",
    "Commands": "命令",
    "Show this message and exit.": "显示本帮助。",
    "Install completion for the current shell.": "为当前 shell 安装命令补全。",
    "Show completion for the current shell, to copy it or customize the installation.": (
        "输出当前 shell 的补全脚本，可自行安装。"
    ),
}
_NOTES: Final = (("[required]", "[必填]"), ("[default: ", "[默认："))
_ERRORS_IN_CHINESE: Final = (
    (r"No such option: (.*) \(Possible options: (.*)\)", r"没有选项 \1，是否想用 \2？"),
    (r"No such option: (.*)", r"没有选项 \1"),
    (r"No such command '(.*)'\. Did you mean (.*)\?", r"没有命令 \1，是否想用 \2？"),
    (r"No such command '(.*)'\.", r"没有命令 \1"),
    (r"Missing command\.", "缺少命令"),
    (r"Missing argument '(.*?)'\.(.*)", r"缺少参数 \1\2"),
    (r"Missing option '(.*?)'\.(.*)", r"缺少选项 \1\2"),
    (r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", r"多余的参数：\1"),
    (r"Option '(.*)' requires an argument\.", r"选项 \1 缺少值"),
    (r"Option '(.*)' does not take a value\.", r"选项 \1 不带值"),
    (r"Invalid value for (.*?): (.*)", r"\1 的值无效：\2"),
    (r"Invalid value: (.*)", r"\1"),
    (r"(.*：)?(.*) is not one of (.*)\.", r"\1\2 须为 \3 之一"),
    (r"(.*：)?(.*) is not in the range (.*)\.", r"\1\2 不在 \3 之内"),
    (r"(.*：)?(.*) is not a valid int(?:eger)?(?: range)?\.", r"\1\2 不是整数"),
)


class TerminalFormatter(HelpFormatter):
    """Formats help: words in one language, lines no wider than the terminal."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line of usage."""
        super().write_usage(prog, args, prefix or say("用法：", "Usage: "))

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section."""
        self.write(f"{'':{self.current_indent}}{_translate(heading)}{say('：', ':')}\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs, which blank lines separate."""
        indent = " " * self.current_indent
        paragraphs = (" ".join(one.split("\n")) for one in text.split("\n\n"))
        lines = (wrap_cells(one, self.width - self.current_indent) for one in paragraphs)
        self.write("\n\n".join(indent + f"\n{indent}".join(one) for one in lines) + "\n")

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write options or commands, one below the other, each with its help."""
        first_width = min(max(cell_width(first) for first, _ in rows), col_max) + col_spacing
        indent = " " * (self.current_indent + first_width)
        for first, second in rows:
            lines = wrap_cells(_translate(second), max(self.width - len(indent), 10))
            start = f"{'':{self.current_indent}}{pad_cells(first, first_width)}"
            if cell_width(first) > first_width - col_spacing:
                self.write(f"{start.rstrip()}\n")
                start = indent
            self.write(f"{start}{lines[0]}".rstrip() + "\n")
            self.write("".join(f"{indent}{line}\n" for line in lines[1:]))


def _translate(text: str) -> str:
    if ENGLISH:
        return text
    text = _HELP_IN_CHINESE.get(text, text)
    for english, chinese in _NOTES:
        text = text.replace(english, chinese)
    return text


def _translate_error(message: str) -> str:
    if ENGLISH:
        return message
    for english, chinese in _ERRORS_IN_CHINESE:
        message = re.sub(f"^(?:{english})$", chinese, message, flags=re.DOTALL)
    return message


class RootGroup(TyperGroup):
    """The whole command line; prints usage errors in the language of the terminal."""

    def main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 # as the framework has it
        """Run the command line and exit."""
        options["standalone_mode"] = False
        given = args[0] if args and args[0] is not None else options.pop("args", None)
        arguments = move_option_first(sys.argv[1:] if given is None else given)
        try:
            status = super().main(arguments, *args[1:], **options)
        except typer.Abort:
            typer.echo(say("已取消。", "Cancelled."), err=True)
            sys.exit(1)
        except ClickException as error:
            _print_usage_error(error)
            sys.exit(error.exit_code)
        sys.exit(status if isinstance(status, int) else 0)


def _print_usage_error(error: ClickException) -> None:
    if isinstance(error, NoArgsIsHelpError):
        typer.echo(error.format_message(), err=True)
        return
    if isinstance(error, UsageError) and error.ctx is not None:
        help_command = f"{error.ctx.command_path} --help"
        hint = say(f"用 {help_command} 查看帮助。", f"Try '{help_command}' for help.")
        typer.echo(f"{error.ctx.get_usage()}\n{hint}\n", err=True)
    label = say("错误：", "Error: ")
    typer.echo(f"{label}{_translate_error(error.format_message())}", err=True)


def make_group(help_text: str, short_help: str) -> typer.Typer:
    """Return a group of commands without commands; it shows its help when run without one."""
    return typer.Typer(
        help=help_text,
        short_help=short_help,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
    )


TyperGroup.context_class.formatter_class = TerminalFormatter
