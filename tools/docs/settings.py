"""The page of all settings, docs/settings.md."""

import json
from collections.abc import Iterable
from html import escape
from itertools import groupby

from hupan.config.settings import SETTINGS
from hupan.config.types import Setting, to_json_value
from hupan.localized import LocalizedText

_HEAD = """\
# 设置 / Settings

本页由 `make docs` 根据设置表生成，请勿手动修改。
Generated from the table of settings by `make docs`; do not edit.

取值的来源，后者优先：默认值，配置文件，环境变量，命令行参数。
Values come from the defaults, the file, the environment and the command line; later ones win.

- 配置文件：`--config`，否则 `HUPAN_CONFIG`，否则当前目录下的 `hupan.toml`（若存在）。
  可写 `smtp_host = "…"`，也可写在表 `[smtp]` 下：`host = "…"`。
  The file: `--config`, else `HUPAN_CONFIG`, else `hupan.toml` in the working directory, if present.
  Write `smtp_host = "…"`, or `host = "…"` in a table `[smtp]`.
- 环境变量：`HUPAN_` 加大写的名称，如 `HUPAN_SMTP_HOST`；列表以逗号分隔，表写作 JSON 对象。
  未知的 `HUPAN_*` 变量会被拒绝；在 Kubernetes 中请设 `enableServiceLinks: false`。
  The environment: `HUPAN_` and the name in upper case, such as `HUPAN_SMTP_HOST`; lists are
  separated by commas, tables are JSON objects. Unknown `HUPAN_*` variables are rejected; in
  Kubernetes, set `enableServiceLinks: false`.
- 🔒 为机密：显示时以 •••• 代替，不接受命令行参数；可放入单独的文件，用 `名称_file` 或
  `HUPAN_名称_FILE` 指定。该文件以及含有机密的配置文件，权限须为 0600；
  属主为 root 时可为 0640。
  🔒 marks secrets: shown as ••••, rejected on the command line. A secret can be in a separate file
  that `<name>_file` or `HUPAN_<NAME>_FILE` names. That file, and a configuration file with secrets,
  must have mode 0600, or 0640 if root owns it.

`hupan config show` 显示当前取值与来源，`hupan config check` 检查设置。
`hupan config show` prints the effective values and their sources; `hupan config check` checks them.
"""

_TABLE_HEAD = """
| 名称 Name | 默认 Default | 应为 Expected | 说明 Meaning |
|---|---|---|---|
"""


def render_settings_page() -> str:
    sections = groupby(SETTINGS.values(), key=lambda setting: setting.section)
    return _HEAD + "".join(
        f"\n## {title.zh} / {title.en}\n{_TABLE_HEAD}{_rows(settings)}"
        for title, settings in sections
    )


def _rows(settings: Iterable[Setting]) -> str:
    return "".join(f"| {' | '.join(map(_cell, _columns(setting)))} |\n" for setting in settings)


def _columns(setting: Setting) -> tuple[str, ...]:
    default = json.dumps(to_json_value(setting.default), ensure_ascii=False)
    return (
        f"`{setting.name}`{' 🔒' if setting.secret else ''}",
        f"`{default}`",
        _bilingual_cell(setting.expected),
        _bilingual_cell(setting.help),
    )


def _bilingual_cell(wording: LocalizedText) -> str:
    return "<br>".join(
        escape(text, quote=False).replace("*", "\\*") for text in (wording.zh, wording.en)
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
