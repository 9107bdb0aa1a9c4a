"""Make docs/settings.md and its Chinese twin from the table of settings."""

import json
from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import Literal, TypeAlias

from hupan.config.settings import SETTINGS
from hupan.config.types import Setting, to_json_value
from hupan.localized import LocalizedText

Language: TypeAlias = Literal["en", "zh"]

_HEAD: dict[Language, str] = {
    "en": """\
# Settings

English · [中文](settings.zh-CN.md)

Generated from the table of settings by `make docs`; do not edit.

Values come from the defaults, the file, the environment and the command line; later ones win.

- The file: `--config`, else `HUPAN_CONFIG`, else `hupan.toml` in the working directory, if present.
  Write `smtp_host = "…"`, or `host = "…"` in a table `[smtp]`.
- The environment: `HUPAN_` and the name in upper case, such as `HUPAN_SMTP_HOST`; lists are
  separated by commas, tables are JSON objects. Unknown `HUPAN_*` variables are rejected; in
  Kubernetes, set `enableServiceLinks: false`.
- 🔒 marks secrets: shown as ••••, rejected on the command line. A secret can be in a separate file
  that `<name>_file` or `HUPAN_<NAME>_FILE` names. That file, and a configuration file with secrets,
  must have mode 0600, or 0640 if root owns it.

`hupan config show` prints the effective values and their sources; `hupan config check` checks them.
""",
    "zh": """\
# 设置

中文 · [English](settings.md)

本页由 `make docs` 根据设置表生成，请勿手动修改。

取值的来源，后者优先：默认值、配置文件、环境变量、命令行参数。

- 配置文件：`--config`，否则 `HUPAN_CONFIG`，否则当前目录下的 `hupan.toml`（若存在）。
  可写 `smtp_host = "…"`，也可写在表 `[smtp]` 下：`host = "…"`。
- 环境变量：`HUPAN_` 加大写的名称，如 `HUPAN_SMTP_HOST`；列表以逗号分隔，表写作 JSON 对象。
  未知的 `HUPAN_*` 变量会被拒绝；在 Kubernetes 中请设置 `enableServiceLinks: false`。
- 🔒 表示机密：显示为 ••••，不能写在命令行中；可放入单独的文件，用 `名称_file` 或
  `HUPAN_名称_FILE` 指定。该文件以及含有机密的配置文件，权限须为 0600；
  属主为 root 时可为 0640。

`hupan config show` 显示当前取值与来源，`hupan config check` 检查设置。
""",
}
_COLUMNS: dict[Language, str] = {
    "en": "| Name | Default | Expected | Meaning |",
    "zh": "| 名称 | 默认值 | 取值 | 说明 |",
}


def settings_page(language: Language) -> str:
    """Return the page in one language."""
    sections = groupby(SETTINGS.values(), key=lambda setting: setting.section)
    return _HEAD[language] + "".join(
        f"\n## {_text(title, language)}\n\n{_COLUMNS[language]}\n|---|---|---|---|\n"
        + _rows(settings, language)
        for title, settings in sections
    )


def _rows(settings: Iterable[Setting], language: Language) -> str:
    rows = (map(_cell, _columns(setting, language)) for setting in settings)
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _columns(setting: Setting, language: Language) -> tuple[str, ...]:
    default = json.dumps(to_json_value(setting.default), ensure_ascii=False)
    return (
        f"`{setting.name}`{' 🔒' if setting.secret else ''}",
        f"`{default}`",
        _escaped(_text(setting.expected, language)),
        _escaped(_text(setting.help, language)),
    )


def _text(localized: LocalizedText, language: Language) -> str:
    return localized.text(language == "en")


def _escaped(text: str) -> str:
    return escape(text, quote=False).replace("*", "\\*")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
