"""Refusals of commands are only in the language of the terminal (names.md rule 9)."""

import os
import re
from pathlib import Path

import pytest

from tests.support.commands import run_all
from tests.support.languages import CHINESE, english_in_chinese

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

COMMANDS = re.compile(r"hupan(?: [a-z-]+)+")


def cases(folder: Path) -> list[tuple[list[str], dict[str, str]]]:
    """Return commands with their variables; each meets an error of the system or a library."""
    files: dict[str, str | bytes] = {
        "broken.toml": "port = ?\n",
        "twice.toml": "port = 1\nport = 2\n",
        "no-text.toml": b"\xff",
        "vip.json": '{"products": [{"id": "x"}], "benefits": 1}',
        "vip-key.json": '{"goods": []}',
        "no.mmdb": "x" * 100,
        "no.pem": "x",
        "text": "x" * 100,
    }
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    check = ["config", "check"]
    lists = ["account", "list"]
    return [
        (["config", "check", "--config", str(folder / "broken.toml")], {}),
        (["config", "check", "--config", str(folder / "twice.toml")], {}),
        (["config", "check", "--config", str(folder / "no-text.toml")], {}),
        (["config", "check", "--config", str(folder)], {}),
        (["config", "check", "--config", str(folder / "none.toml")], {}),
        (check, {"HUPAN_VIP_PAGE_FILE": str(folder / "vip.json")}),
        (check, {"HUPAN_VIP_PAGE_FILE": str(folder / "vip-key.json")}),
        (check, {"HUPAN_VIP_PAGE_FILE": str(folder / "none.json")}),
        (check, {"HUPAN_COUNTRY_DATABASE": str(folder / "no.mmdb")}),
        (check, {"HUPAN_COUNTRY_DATABASE": str(folder / "none.mmdb")}),
        (check, {"HUPAN_DATABASE": "postgresql://127.0.0.1:1/x?sslmode=nope"}),
        (check, {"HUPAN_DATA_DIR": str(folder / "text" / "data")}),
        (check, {"HUPAN_DATABASE": str(folder)}),
        (lists, {"HUPAN_DATABASE": "postgresql://u@127.0.0.1:1/x?sslmode=disable"}),
        (lists, {"HUPAN_DATABASE": str(folder / "text")}),
        (lists, {"HUPAN_DATA_DIR": "/proc/none"}),
        (["group", "import", str(folder / "none.csv"), "--format", "csv"], {}),
        (["group", "import", str(folder), "--format", "csv"], {}),
        (["backup", "verify", str(folder / "text")], {}),
        (["database", "check"], {"HUPAN_DATABASE": str(folder / "text")}),
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_refusal_is_in_one_language(
    tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This covers files, folders, settings and databases that cannot be used (rule 9)."""
    for variable in os.environ:
        if variable.startswith("HUPAN_"):
            monkeypatch.delenv(variable)
    asked = cases(tmp_path)
    variables = {"HUPAN_LANG": language, "HUPAN_DATA_DIR": str(tmp_path / "data")}
    for (words, own), (status, _, told) in zip(
        asked, run_all(asked, variables, tmp_path), strict=True
    ):
        assert status in {1, 2}, (words, own, told)
        shown = COMMANDS.sub("", told.replace(str(tmp_path), ""))
        if language == "zh":
            assert CHINESE.search(shown), (words, own, told)
            assert english_in_chinese(shown) == [], (words, own, told)
        else:
            assert not CHINESE.search(shown), (words, own, told)
