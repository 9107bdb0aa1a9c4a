"""`config check` and the start of a server apply the same rules (security X12)."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from typer.testing import CliRunner

from hupan.admin.config_check import find_problems
from hupan.application import build_server
from hupan.cli.main import app
from hupan.config import Settings, SettingsError, load_settings
from hupan.config.settings import SETTINGS
from hupan.crypto import SANDBOX_KEY, load_or_create_key
from hupan.environment import make_senders, make_server_environment
from hupan.opening import StartRefused, check_store_and_key, prepared_store
from tests.support.certificates import issue
from tests.support.ports import free_port
from tests.support.stores import empty_file

ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens, it is only mentioned
SMTP = {
    "email_sender": "smtp",
    "smtp_host": "127.0.0.1",
    "smtp_from": "湖畔 <no-reply@mail.example>",
}
SMS = {"sms_sender": "http", "sms_url": "https://sms.example/send?to={to}"}
PROXY = {"trusted_proxies": "10.0.0.0/8", "client_ip_header": "x-real-ip"}
TEXTS = ("", " ", "x", "0", "-1", "湖", "a b", "{", "{to}", "\u200b", "\u0301" * 3, "é" * 40)
NUMBERS = ("0", "1", "2", "16", "40", "300", "1000", "4096", "65535", "100000", "10000000")
OF_THE_STORE = ("data_dir", "database", "secret_key_file")
"""The settings with which a new store begins empty, as a server creates it."""
MORE: Mapping[str, tuple[str, ...]] = {
    "brand": ("x" * 16, "x" * 17, "湖" * 40, "\u202e", "a{b}", '"', "<", "@"),
    "smtp_from": (
        "a@b.example",
        "Name <a@b.example>",
        '"Lake, Inc" <a@b.example>',
        "湖畔 <a@b.example>",
        "N <湖@b.example>",
        "a@湖.example",
        "a@b",
        ".a@b.example",
        "a b <a@b.example>",
    ),
    "smtp_user": ("user", "用户"),
    "smtp_password": ("password", "密码"),
    "smtp_security": ("none", "starttls", "tls"),
    "smtp_host": ("mail.example", "::1", "a..b", "localhost", "%"),
    "sms_url": (
        "http://sms.example/",
        "http://127.0.0.1/",
        "https://sms.example/#x",
        "https://{to}.example/",
        "https://sms.example/{mobile}",
        "https://sms.example/湖",
    ),
    "sms_body": ("{to}", '{"to": {to}}', "[" * 100_000, "to={to}", '{"a": "{b}"}', "{{to}}"),
    "sms_content_type": ("text/plain", "application/x-www-form-urlencoded", "text/xml"),
    "sms_headers": ('{"Host": "x"}', '{"X": "湖"}', '{"X": "{text}"}', '{"a": "1", "A": "2"}'),
    "sms_hmac_header": ("Content-Length", "X-Timestamp", "X-A"),
    "sms_method": ("GET", "PUT"),
    "sms_success_pattern": ("(", "(a+)+", "0,[0-9]+"),
    "sms_success_json_path": ("code", "a..b"),
    "metrics_port": ("65535", "8480"),
    "host": (ANYWHERE, "::1", "localhost", "192.0.2.1", "no.such.host.invalid", "a" * 255),
    "metrics_host": (ANYWHERE, "192.0.2.1"),
    "workers": ("64",),
    "data_dir": ("file", "file/below", "d" * 256, "湖畔"),
    "database": ("file", "folder", "file/x.db", "new/湖.db", "postgresql://u@h/d?sslmode=require"),
    "secret_key_file": ("file", "folder", "new/key", "short.key", "open.key"),
    "country_database": ("file",),
    "smtp_ca_file": ("file",),
    "sms_ca_file": ("file",),
    "database_ca_file": ("file",),
    "time_zone": ("Asia/Shanghai", "UTC", "Local"),
    "limits_exempt": ("13800138000", "a@b.example"),
    "sms_countries": ("HK", "ZZ"),
    "cors_origins": ("*", "https://a.example"),
    "trusted_proxies": ("0.0.0.0/0", "::/0"),
    "client_ip_header": ("x-real-ip",),
    "default_avatar_url": ("https://a.example/湖.png",),
    "password_memory_kib": ("4194304", "19456"),
    "web_host_prefix": (".", "chat-web-go."),
}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)
    Path("file").write_bytes(b"no store and no certificate")
    Path("folder").mkdir()
    for name, mode in (("short.key", 0o600), ("open.key", 0o644)):
        Path(name).write_bytes(b"k" * (31 if name == "short.key" else 32))
        Path(name).chmod(mode)
    return iter(())


def environ(given: Mapping[str, str]) -> dict[str, str]:
    """Return settings as environment variables."""
    return {f"HUPAN_{name.upper()}": value for name, value in given.items()}


def refused_names(given: Mapping[str, str]) -> list[str]:
    """Return the settings that `config check` reports, with its own exit status and messages."""
    told = CliRunner().invoke(app, ["config", "check"], env=environ(given))
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    english = [line for line in told.stderr.splitlines() if ": expected " in line]
    assert (told.exit_code == 0) == (not english), told.output
    return [line.partition(":")[0] for line in english]


def starts(chosen: Settings) -> None:
    """Build a whole server as `hupan serve` does, and stop it; it never listens."""
    small = replace(chosen, captcha_pool=1, password_threads=1)

    async def open_and_close() -> None:
        server = await build_server(small, make_server_environment(make_senders(small)))
        server.start()
        await server.stop()

    with prepared_store(small):
        asyncio.run(open_and_close())


def edge_values(name: str) -> list[str]:
    """Return values at the edges of the range of a setting."""
    return list(dict.fromkeys((*TEXTS, *NUMBERS, "true", *MORE.get(name, ()))))


def make_store(folder: Path) -> None:
    """Create a store that is up to date; the migrations have tests of their own."""
    folder.mkdir(mode=0o700)
    (folder / "hupan.db").write_bytes(empty_file())


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_what_check_passes_starts(name: str) -> None:
    """X12: a server starts with each edge value that is not refused."""
    base = {**SMTP, **SMS, **PROXY, "data_dir": "data"}
    read: dict[str, Settings] = {}
    for value in edge_values(name):
        with contextlib.suppress(SettingsError):
            read[value] = load_settings({}, environ({**base, name: value}))
    outermost = [*list(read)[:1], *list(read)[-1:], *(read.keys() & set(MORE.get(name, ())))]
    passed = [read[value] for value in dict.fromkeys(outermost) if not find_problems(read[value])]
    for number, chosen in enumerate([one for one in passed if not one.is_postgres][:3]):
        # One folder each: a store knows its key, so one start would leave files that stop another.
        folder = chosen.data_dir if name == "data_dir" else Path(f"data{number}")
        if name not in OF_THE_STORE:
            make_store(folder)
        starts(replace(chosen, data_dir=folder))


def test_every_setting_is_walked() -> None:
    """The list has exactly the existing settings."""
    assert set(SETTINGS) == {field.name for field in fields(Settings)}
    assert set(MORE) <= set(SETTINGS)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (SMTP, []),
        ({**SMTP, "smtp_from": "a@b.example"}, []),
        ({**SMTP, "smtp_from": "N <湖@b.example>"}, ["smtp_from"]),
        ({**SMTP, "smtp_user": "u"}, ["smtp_password"]),
        ({**SMTP, "smtp_password": "p"}, ["smtp_user"]),
        ({**SMTP, "smtp_host": "mail.example", "smtp_security": "none"}, ["smtp_security"]),
        ({**SMTP, "smtp_ca_file": "file"}, ["smtp_ca_file"]),
        ({"brand": "x" * 40, **SMTP}, []),
        ({"brand": " "}, ["brand"]),
        ({"brand": "\u202e"}, ["brand"]),
        (SMS, []),
        ({**SMS, "sms_url": "http://sms.example/"}, ["sms_url"]),
        ({**SMS, "sms_body": "to={to}"}, ["sms_body"]),
        ({**SMS, "sms_body": "[" * 100_000}, ["sms_body"]),
        ({**SMS, "sms_body": '{"a": "{mobile}"}'}, ["sms_body"]),
        ({**SMS, "sms_content_type": "text/xml"}, ["sms_content_type"]),
        ({**SMS, "sms_headers": '{"X": "{text}"}'}, ["sms_headers"]),
        ({**SMS, "sms_hmac_header": "Host"}, ["sms_hmac_header"]),
        ({**SMS, "sms_ca_file": "file"}, ["sms_ca_file"]),
        ({**SMS, "sms_success_pattern": "(a+)+"}, ["sms_success_pattern"]),
        ({**SMS, "sms_success_json_path": "code"}, ["sms_success_json_value"]),
        ({**SMS, "sms_success_text": "0", "sms_success_pattern": "0"}, ["sms_success_text"]),
        ({"metrics_port": "8480"}, ["metrics_port"]),
        ({"metrics_port": "8479", "workers": "2"}, ["metrics_port"]),
        ({"metrics_port": "65535", "workers": "2"}, ["metrics_port"]),
        ({"metrics_port": "8480", "metrics_host": "127.0.0.2"}, []),
        ({"metrics_port": "8480", "metrics_host": ANYWHERE}, ["metrics_port"]),
        ({"host": "192.0.2.1"}, ["host"]),
        ({"host": "no.such.host.invalid"}, ["host"]),
        ({"data_dir": "file"}, ["data_dir"]),
        ({"data_dir": "file/below"}, ["data_dir"]),
        ({"database": "folder"}, ["database"]),
        ({"database": "file"}, ["database"]),
        ({"database": "postgresql://u@h/d?sslmode=require"}, ["database"]),
        ({"database": "postgresql://u@h/d", "database_ca_file": "file"}, ["database_ca_file"]),
        ({"secret_key_file": "short.key"}, ["secret_key_file"]),
        ({"secret_key_file": "open.key"}, ["secret_key_file"]),
        ({"secret_key_file": "folder"}, ["secret_key_file"]),
        ({"country_database": "file"}, ["country_database"]),
        ({**SMTP, **SMS, "smtp_user": "u", "sms_url": "http://a.b/"}, ["sms_url", "smtp_password"]),
    ],
)
def test_check_names_what_the_start_would_refuse(
    given: dict[str, str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """X12: it names the setting, and `serve` says the same."""
    assert refused_names(given) == names
    monkeypatch.setattr("hupan.cli.serve.listen", lambda *_: 0)
    served = CliRunner().invoke(app, ["serve"], env=environ(given))
    if names:
        checked = CliRunner().invoke(app, ["config", "check"], env=environ(given))
        assert (served.exit_code, served.stderr) == (1, checked.stderr)
        assert "Traceback" not in served.stderr
    elif "postgres" not in given.get("database", ""):
        assert served.exit_code == 0, served.output


def served(given: Mapping[str, str]) -> tuple[int, str]:
    """Return how `hupan serve` ends, with its messages."""
    told = CliRunner().invoke(app, ["serve"], env=environ(given))
    return told.exit_code, told.stderr


def checked(given: Mapping[str, str]) -> tuple[int, str]:
    """Return how `hupan config check` ends, with its messages."""
    told = CliRunner().invoke(app, ["config", "check"], env=environ(given))
    return told.exit_code, told.stderr


def lose_key() -> None:
    """Remove the key and keep the store."""
    Path("data/secret.key").unlink()


def change_key() -> None:
    """Replace the key by that of another store."""
    Path("data/secret.key").write_bytes(b"o" * 32)


def lose_store() -> None:
    """Remove the store and keep the key."""
    Path("data/hupan.db").rename("elsewhere.db")


@pytest.mark.parametrize("fault", [lose_key, change_key, lose_store])
def test_check_reports_store_and_key_as_the_start_does(
    fault: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """X9, X12: message and status are the same, and the check creates nothing."""
    monkeypatch.setattr("hupan.cli.serve.listen", lambda *_: 0)
    given = {"data_dir": "data"}
    starts(load_settings({}, environ(given)))
    before = sorted(Path("data").iterdir())
    assert (checked(given), sorted(Path("data").iterdir())) == ((0, ""), before)
    fault()
    before = sorted(Path("data").iterdir())
    told = checked(given)
    assert sorted(Path("data").iterdir()) == before
    assert told[0] == 1
    assert told == served(given)


def test_a_port_in_use_is_no_fault_of_the_settings() -> None:
    """`config check` also works while a server runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert refused_names({"port": str(taken.getsockname()[1])}) == []
    assert refused_names({"port": str(free_port())}) == []


def test_the_files_of_senders_are_read(tmp_path: Path) -> None:
    """X12: a valid CA file passes."""
    authority = str(issue(tmp_path, "127.0.0.1").authority)
    assert refused_names({**SMTP, **SMS, "smtp_ca_file": authority, "sms_ca_file": authority}) == []


WARNED = [
    ({"limits_enabled": "false"}, "limits_enabled is false"),
    ({**PROXY, "trusted_proxies": "0.0.0.0/0", **SMS, **SMTP}, "trusted_proxies has 0.0.0.0/0"),
    ({**PROXY, "trusted_proxies": "::/0"}, "trusted_proxies has ::/0"),
    ({"host": ANYWHERE}, "sms_sender is console"),
    ({"host": ANYWHERE, **SMS}, "email_sender is console"),
    (PROXY, "sms_sender is console"),
    ({"metrics_port": "9464", "metrics_host": ANYWHERE}, "metrics listen on 0.0.0.0"),
    ({**SMS, "sms_budget_cents_per_day": "0"}, "sms_budget_cents_per_day is 0"),
    ({"test_profile": "true"}, "test_profile is true"),
    ({"trust_clock": "true"}, "trust_clock is true"),
    ({"data_dir": "open"}, "other users can write to the folder"),
    ({"database": "store/hupan.db"}, "other users can read"),
]


@pytest.mark.parametrize(("given", "word"), WARNED)
def test_what_is_dangerous_is_reported(
    given: dict[str, str], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X12, L3: the start and `config check` report it, and the status of the check stays 0."""
    Path("open").mkdir()
    Path("open").chmod(0o777)
    Path("store").mkdir(mode=0o700)
    Path("store/hupan.db").touch(0o644)
    Path("store/hupan.db").chmod(0o644)
    checked = CliRunner().invoke(app, ["config", "check"], env=environ(given))
    assert checked.exit_code == 0, checked.output
    assert f"⚠ warning: {word}" in checked.stderr

    def listen(_factory: object, _settings: object, on_listening: object) -> int:
        assert callable(on_listening)
        on_listening(["http://127.0.0.1:1"])
        return 0

    monkeypatch.setattr("hupan.cli.serve.listen", listen)
    served = CliRunner().invoke(app, ["serve"], env=environ(given))
    assert f"⚠ warning: {word}" in served.stdout


def test_nothing_is_warned_of_without_a_reason() -> None:
    """Defaults on a workstation, and a server behind a proxy with both senders, get no warning."""
    for given in ({}, {**SMTP, **SMS, **PROXY}):
        assert "⚠" not in CliRunner().invoke(app, ["config", "check"], env=environ(given)).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of another user")
def test_a_folder_of_another_user_that_all_may_write_is_refused() -> None:
    """L3: in such a folder any user could replace our store."""
    Path("theirs").mkdir()
    os.chown("theirs", 65_534, 65_534)
    Path("theirs").chmod(0o777)
    assert refused_names({"data_dir": "theirs"}) == ["data_dir"]
    Path("theirs").chmod(0o1777)
    assert refused_names({"data_dir": "theirs"}) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of another user")
@pytest.mark.parametrize(("uid", "name"), [(65_534, "nobody"), (54_321, "54321")])
def test_root_learns_whose_server_it_checks(uid: int, name: str) -> None:
    """X12: root may read what the user of the service may not."""
    Path("data").mkdir(mode=0o700)
    os.chown("data", uid, uid)
    status, told = checked({"data_dir": "data"})
    assert (status, f"data belongs to {name}" in told) == (0, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave files of root's behind")
@pytest.mark.parametrize("command", [("database", "migrate"), ("serve",)])
def test_root_leaves_nothing_that_locks_the_service_out(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """L3: files of root in the service user's folder belong to that user."""
    Path("data").mkdir(mode=0o700)
    os.chown("data", 65_534, 65_534)
    monkeypatch.setattr("hupan.cli.serve.listen", lambda *_: 0)
    done = CliRunner().invoke(app, command, env=environ({"data_dir": "data"}))
    assert done.exit_code == 0, done.output
    made = [path for path in Path("data").iterdir() if path.name != "operators.log"]
    assert {path.name for path in made} >= {"hupan.db", "hupan.db.lock"}
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(65_534, 65_534)}


VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from([value for name in SETTINGS for value in edge_values(name)]),
    st.from_regex(
        r"[a-z]{0,12}:?/{0,3}[^\s]{0,20}@?[a-z.]{0,9}(:[0-9a-z]{0,6})?/?", fullmatch=True
    ),
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@drawn(st.dictionaries(st.sampled_from(list(SETTINGS)), VALUES, min_size=1, max_size=6))
def test_no_values_bring_a_traceback(chosen: dict[str, str]) -> None:
    """X12: every environment is accepted, or refused by name."""
    try:
        loaded = load_settings({}, environ(chosen))
    except SettingsError:
        return
    find_problems(loaded)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@drawn(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_no_file_brings_a_traceback(content: bytes) -> None:
    """X12: no content of the file causes a traceback."""
    Path("hupan.toml").write_bytes(content)
    Path("hupan.toml").chmod(0o600)
    told = CliRunner().invoke(app, ["config", "check"])
    assert told.exit_code in {0, 1}
    assert told.exception is None or isinstance(told.exception, SystemExit)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@drawn(
    st.dictionaries(
        st.sampled_from(list(SETTINGS)),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=4,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_type_brings_a_traceback(chosen: dict[str, object]) -> None:
    """X12: neither do values of any TOML type."""
    try:
        loaded = load_settings(chosen, {})
    except SettingsError:
        return
    find_problems(loaded)


@pytest.mark.parametrize("value", [[], [1], {}, {"a": []}, 1.5, True])
def test_no_setting_takes_any_type(value: object) -> None:
    """X12: each setting refuses or takes a value of each TOML type, by name."""
    for name in SETTINGS:
        try:
            load_settings({name: value}, {})
        except SettingsError as refused:
            assert name in str(refused)  # noqa: PT017 - some settings take some of the values


@pytest.mark.parametrize("database", ["", "postgresql://u@127.0.0.1:1/none?sslmode=disable"])
def test_the_key_of_a_sandbox_starts_no_server(tmp_path: Path, database: str) -> None:
    """Check and start refuse it on both engines, even before the store is claimed."""
    path = tmp_path / "hupan.key"
    loaded = load_settings(
        {"data_dir": str(tmp_path), "database": database, "secret_key_file": str(path)}, {}
    )
    if database:  # the sandbox writes its key once the database answers
        load_or_create_key(path, SANDBOX_KEY)
    with prepared_store(loaded, is_sandbox=True):
        pass
    with (
        pytest.raises(StartRefused, match="a sandbox created the key file"),
        prepared_store(loaded),
    ):
        pass
    with pytest.raises(StartRefused, match="a sandbox created the key file"):
        check_store_and_key(loaded)
    with prepared_store(loaded, is_sandbox=True):
        pass
