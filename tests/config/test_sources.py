import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from hupan.config import Settings, SettingsError, load_settings, load_with_sources
from hupan.environment import count_hashing_threads


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "hupan.toml") -> Path:
    """Return a file with this text."""
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def problem(environ: dict[str, str]) -> str:
    """Return the message with which these variables are refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings({}, environ)
    return str(caught.value)


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    """Some editors write one; it is no part of the first key, nor of a secret."""
    for name, text in (("hupan.toml", "port = 7\nsmtp_password_file = 's'\n"), ("s", "secret\n")):
        Path(name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        Path(name).chmod(0o600)
    settings = load_settings({}, {})
    assert (settings.port, settings.smtp_password) == (7, "secret")


def test_defaults_are_enough() -> None:
    """A server starts without any setting."""
    assert load_settings({}, {}) == Settings()


def test_a_later_source_wins() -> None:
    """The file wins over defaults, the environment over the file, options over the environment."""
    write("port = 1\nworkers = 2\nsmtp_port = 3\n")
    environ = {"HUPAN_WORKERS": "4", "HUPAN_SMTP_PORT": "5"}
    loaded = load_with_sources({"smtp_port": 6}, environ)
    settings = loaded.settings
    assert (settings.port, settings.workers, settings.smtp_port) == (1, 4, 6)
    names = ("brand", "port", "workers", "smtp_port")
    assert [loaded.sources[name].kind for name in names] == [
        "default",
        "file",
        "environment",
        "option",
    ]
    assert loaded.sources["smtp_port"].location == "--smtp-port"


def test_an_option_that_was_not_given_changes_nothing() -> None:
    """None means that an option is absent."""
    assert load_settings({"port": None}, {"HUPAN_PORT": "9"}).port == 9


def test_tables_begin_names() -> None:
    """`[smtp] host` is `smtp_host`, even two tables deep."""
    write('[smtp]\nhost = "mail.example"\n[session.idle]\ndays = 7\n[sends]\n')
    settings = load_settings({}, {})
    assert (settings.smtp_host, settings.session_idle_days) == ("mail.example", 7)


@pytest.mark.parametrize("table", ["[sms_headers]", "[sms.headers]"])
def test_a_setting_that_is_a_table(table: str) -> None:
    """The headers of the gateway are a table of the file."""
    write(f'{table}\nX-Kind = "code"\n').chmod(0o600)
    assert load_settings({}, {}).sms_headers == {"X-Kind": "code"}


def test_every_kind_of_value_comes_from_the_environment() -> None:
    """Text of the environment is parsed as numbers, flags, lists, paths and tables."""
    settings = load_settings(
        {},
        {
            "HUPAN_PORT": "0",
            "HUPAN_SIGN_UP_OPEN": "False",
            "HUPAN_CORS_ORIGINS": "https://Chat.Example, tauri://localhost",
            "HUPAN_TRUSTED_PROXIES": "10.0.0.0/8,::1",
            "HUPAN_CLIENT_IP_HEADER": "X-Real-IP",
            "HUPAN_DATA_DIR": "/srv/hupan",
            "HUPAN_SMS_HEADERS": '{"Authorization": "Bearer x"}',
            "HUPAN_LOG_LEVEL": "debug",
            "HUPAN_BRAND": "湖畔 社区",
        },
    )
    assert settings.port == 0
    assert settings.sign_up_open is False
    assert settings.cors_origins == ("https://chat.example", "tauri://localhost")
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.client_ip_header == "x-real-ip"
    assert settings.data_dir == Path("/srv/hupan")
    assert settings.sms_headers == {"Authorization": "Bearer x"}
    assert settings.log_level == "debug"
    assert settings.brand == "湖畔 社区"


def test_lists_come_from_the_file() -> None:
    """A list is a TOML array; a single * is also accepted."""
    write('cors_origins = ["https://a.example:8443", "http://[::1]:3000"]\n')
    assert load_settings({}, {}).cors_origins == ("https://a.example:8443", "http://[::1]:3000")
    assert load_settings({}, {"HUPAN_CORS_ORIGINS": "*"}).cors_origins == ("*",)
    assert load_settings({}, {"HUPAN_CORS_ORIGINS": ""}).cors_origins == ()


def test_options_may_be_typed() -> None:
    """A command passes the parsed values of its options."""
    given = {"host": "0.0.0.0", "port": 1, "data_dir": Path("d"), "limits_enabled": False}  # noqa: S104 # only read, never bound
    settings = load_settings(given, {})
    assert (settings.port, settings.data_dir, settings.limits_enabled) == (1, Path("d"), False)


def test_the_file_is_chosen_by_argument_then_variable_then_place() -> None:
    """`--config` wins over `HUPAN_CONFIG`, which wins over `hupan.toml`."""
    write("port = 1\n")
    write("port = 2\n", "two.toml")
    three = write("port = 3\n", "three.toml")
    assert load_settings({}, {"HUPAN_CONFIG": ""}).port == 1
    assert load_settings({}, {"HUPAN_CONFIG": "two.toml"}).port == 2
    assert load_settings({}, {"HUPAN_CONFIG": "two.toml"}, three).port == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"port = \n", "valid TOML"),
        (b'brand = "\xff"\n', "valid TOML"),
        (b"port = " + b"[" * 50_000, "valid TOML"),
        (b"port = 1\nport = 2\n", "valid TOML"),
        (b'smtp_host = "a"\n[smtp]\nhost = "b"\n', "smtp_host: expected to be set once"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(content: bytes, told: str) -> None:
    """A file that is not TOML, or has a key twice, is refused."""
    Path("hupan.toml").write_bytes(content)
    assert told in problem({})


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_chosen_file_must_be_a_file(name: str) -> None:
    """A chosen file that is absent is refused, not ignored."""
    assert "config: expected a readable file" in problem({"HUPAN_CONFIG": name})


def test_a_file_in_its_place_that_leads_nowhere_is_refused() -> None:
    """A broken link is a mistake, not the absence of a file."""
    Path("hupan.toml").symlink_to("gone.toml")
    assert "config: expected a readable file" in problem({})


@pytest.mark.parametrize(
    ("text", "written", "meant"),
    [
        ("prot = 1", "prot", "port"),
        ("[smpt]\nhost = 'a'", "smpt_host", "smtp_host"),
        ("[smtp]\npasword_file = 'a'", "smtp_pasword_file", "smtp_password_file"),
        ("[prot]", "prot", "port"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused(text: str, written: str, meant: str) -> None:
    """The message suggests the nearest existing name."""
    write(text)
    told = problem({})
    assert f"{written}: expected the name of a setting (did you mean {meant}?)" in told


@pytest.mark.parametrize(
    ("variable", "meant"),
    [("HUPAN_SMTP_HSOT", "HUPAN_SMTP_HOST"), ("HUPAN_smtp_host", "HUPAN_SMTP_HOST")],
)
def test_an_unknown_variable_is_refused(variable: str, meant: str) -> None:
    """Its value is not shown: it may be a secret under a misspelt name."""
    told = problem({variable: "hunter2"})
    assert f"{variable}: expected the name of a setting (did you mean {meant}?)" in told
    assert "hunter2" not in told


def test_an_unknown_name_like_no_other_has_no_suggestion() -> None:
    """Only a similar name is suggested."""
    assert "did you mean" not in problem({"HUPAN_XYZZY_QQQ": "1"})


def test_other_variables_are_left_alone() -> None:
    """Only `HUPAN_*` is read."""
    assert load_settings({}, {"PORT": "x", "HUPANPORT": "x"}) == Settings()


def test_all_problems_are_reported_together() -> None:
    """Problems of every source are one message, Chinese before English, one line each."""
    write("port = 'x'\n")
    with pytest.raises(SettingsError) as caught:
        load_settings({"workers": 0}, {"HUPAN_DATA_DIR": ""})
    assert [item.name for item in caught.value.problems] == ["port", "data_dir", "workers"]
    text = caught.value.localized
    assert text.zh.splitlines() == [
        "port：应为 0 到 65535 的整数；来自 配置文件 hupan.toml，其值为 'x'",
        "data_dir：应为 路径；来自 环境变量 HUPAN_DATA_DIR，其值为 ''",
        "workers：应为 1 到 64 的整数；来自 命令行参数 --workers，其值为 0",
    ]
    assert text.en.splitlines() == [
        "port: expected a whole number from 0 to 65535; from the file hupan.toml, where it is 'x'",
        "data_dir: expected a path; from the variable HUPAN_DATA_DIR, where it is ''",
        "workers: expected a whole number from 1 to 64; from the option --workers, where it is 0",
    ]


def test_messages_are_safe_to_print() -> None:
    """Control characters and what the terminal cannot show are escaped; long values are cut."""
    odd = os.fsdecode(b"\xff")
    told = problem({f"HUPAN_A\x1b{odd}": "1", "HUPAN_PORT": f"\x1b[31m{odd}\n" + "9" * 10_000})
    assert told.encode().isascii() is False
    assert "\x1b" not in told
    assert len(told) < 1000


def test_empty_paths_are_in_the_data_directory() -> None:
    """By default store and key are in the data directory."""
    settings = load_settings({}, {"HUPAN_DATA_DIR": "d"})
    assert settings.database_path == Path("d/hupan.db")
    assert settings.secret_key_path == Path("d/secret.key")
    chosen = load_settings({}, {"HUPAN_DATABASE": "x.db", "HUPAN_SECRET_KEY_FILE": "k"})
    assert (chosen.database_path, chosen.secret_key_path) == (Path("x.db"), Path("k"))


def test_hashing_threads_default_to_the_cores() -> None:
    """0 means as many threads as there are cores."""
    assert count_hashing_threads(load_settings({}, {})) >= 1
    assert count_hashing_threads(load_settings({}, {"HUPAN_PASSWORD_THREADS": "3"})) == 3
