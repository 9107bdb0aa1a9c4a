import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.config.settings import SETTINGS
from tests.support.commands import run_hupan

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

CANARY = "k3-canary-9f"
SECRETS = {
    "HUPAN_SMTP_PASSWORD": CANARY,
    "HUPAN_SMS_HMAC_SECRET": CANARY,
    "HUPAN_SMS_URL": f"https://sms.example/{CANARY}",
    "HUPAN_SMS_HEADERS": f'{{"Authorization": "{CANARY}"}}',
    "HUPAN_SMS_BODY": f"key={CANARY}",
}

runner = CliRunner()


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in os.environ:
        if variable.startswith("HUPAN_"):
            monkeypatch.delenv(variable)


def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Return exit status, standard output and standard error."""
    result = runner.invoke(app, arguments, env=variables)
    return result.exit_code, result.stdout, result.stderr


def test_check_without_a_file() -> None:
    """The defaults alone are valid."""
    status, told, _ = run("config", "check")
    assert status == 0
    assert told == "OK 设置正确（没有配置文件）\n"


def test_check_names_the_file() -> None:
    """The output names the file that was read."""
    Path("mine.toml").write_text("port = 1\n", encoding="utf-8")
    status, told, _ = run("config", "check", "--config", "mine.toml")
    assert (status, told) == (0, "OK 设置正确：mine.toml\n")


def test_check_reports_every_problem() -> None:
    """All problems are on standard error, a line each; the status is 1."""
    Path("hupan.toml").write_text("[smtp]\nprot = 1\n", encoding="utf-8")
    status, told, problems = run("config", "check", HUPAN_PORT="x", HUPAN_BRAND="")
    assert (status, told) == (1, "")
    lines = problems.splitlines()
    assert [line.split("：")[0] for line in lines] == ["smtp_prot", "port", "brand"]
    assert "是否想写 smtp_port？" in lines[0]
    assert "Traceback" not in problems


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"]])
def test_show_refuses_what_check_refuses(arguments: list[str]) -> None:
    """Values that cannot be used are not shown as effective."""
    status, told, problems = run("config", *arguments, HUPAN_PORT="x")
    assert (status, told) == (1, "")
    assert "port：应为" in problems


def test_show_as_json() -> None:
    """There is one object per setting: value, source, place, secrecy, help in two languages."""
    Path("hupan.toml").write_text("port = 1\n", encoding="utf-8")
    status, told, _ = run(
        "config", "show", "--json", HUPAN_TRUSTED_PROXIES="::1", HUPAN_CLIENT_IP_HEADER="x"
    )
    rows = json.loads(told)
    assert status == 0
    assert list(rows) == list(SETTINGS)
    assert rows["port"] == {
        "value": 1,
        "source": "file",
        "place": "hupan.toml",
        "secret": False,
        "help": {
            "zh": "监听端口，0 表示任选空闲端口",
            "en": "Port to listen on (0 = any free port)",
        },
    }
    assert rows["trusted_proxies"]["value"] == ["::1/128"]
    assert rows["trusted_proxies"]["place"] == "HUPAN_TRUSTED_PROXIES"
    assert (rows["data_dir"]["value"], rows["data_dir"]["source"]) == ("data", "default")
    assert rows["sms_headers"]["value"] == {}


def test_show_as_a_table() -> None:
    """Each setting has a row with value, source and meaning."""
    status, told, _ = run("config", "show", COLUMNS="240", HUPAN_BRAND="[red]东湖[/red] :smile:")
    assert status == 0
    for name in SETTINGS:
        assert f"\n{name} " in told
    row = next(line for line in told.splitlines() if line.startswith("brand "))
    assert '"[red]东湖[/red] :smile:"' in row
    assert "环境变量 HUPAN_BRAND" in row
    assert SETTINGS["brand"].help.zh in row


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["DATA_DIR"], ["data_dir"]),
        (
            ["*_ca_file"],
            ["database_ca_file", "smtp_ca_file", "sms_ca_file", "upstream_ca_file"],
        ),
        (["--changed"], ["port", "brand"]),
        (["port", "--changed"], ["port"]),
        (["data_dir", "--changed"], []),
    ],
)
def test_show_some_settings(arguments: list[str], names: list[str]) -> None:
    """A word or a pattern selects settings by name; --changed leaves defaults out."""
    variables = {"HUPAN_PORT": "1", "HUPAN_BRAND": "东湖", "HUPAN_WORKERS": "1"}
    status, told, _ = run("config", "show", *arguments, "--json", **variables)
    assert (status, list(json.loads(told))) == (0, names)
    status, told, problems = run("config", "show", *arguments, **variables)
    assert status == 0
    assert [line.split()[0] for line in told.splitlines()[2:] if line[0] != " "] == names
    assert ("没有符合条件的设置" in problems) == (not names)


def test_show_refuses_a_name_that_no_setting_has() -> None:
    """The exit status reveals a misspelt name."""
    status, told, problems = run("config", "show", "prot")
    assert (status, told, problems) == (1, "", "没有符合条件的设置\n")


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"], ["check"]])
def test_secrets_are_masked_everywhere(arguments: list[str]) -> None:
    """No output of any command shows a secret, whether the settings are valid or not."""
    for more in ({}, {"HUPAN_PORT": "x"}):
        _, told, problems = run("config", *arguments, **SECRETS, **more)
        assert CANARY not in told + problems
    if arguments[0] == "show":
        assert run("config", *arguments, **SECRETS)[1].count("••••") == len(SECRETS)


def test_the_program_checks() -> None:
    """The installed program behaves like the app, with the same exit status."""
    wrong = run_hupan(
        "config", "check", environment={"HUPAN_PORT": "x", "PYTHONIOENCODING": "ascii"}
    )
    assert wrong.returncode == 1
    assert "port: expected a whole number from 0 to 65535" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    right = run_hupan("config", "show", "--json", environment=SECRETS)
    assert right.returncode == 0
    assert json.loads(right.stdout)["smtp_password"]["value"] == "••••"
    assert CANARY not in right.stdout
