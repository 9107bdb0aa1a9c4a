"""`hupan setup`: questions, options, and the files that it writes and shows."""

import os
import stat
import tomllib
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from typer.testing import CliRunner

from hupan.admin import setup as admin_setup
from hupan.admin.setup import ServiceAccount, make_front, make_unit
from hupan.cli.main import app
from tests.support.ports import free_port
from tests.support.servers import Server
from tests.support.smtp_servers import FROM, Sink

pytestmark = pytest.mark.one_engine

SERVICE = ServiceAccount("hupan", 65_534, 65_534, is_own=True)
PERSON = ServiceAccount("lin", 1000, 1000, is_own=False)
CONFIG = Path("etc/hupan.toml")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)


def run(*arguments: str, answers: str = "", **environment: str) -> tuple[int, str]:
    """Return the exit status and both outputs."""
    told = CliRunner().invoke(app, list(arguments), input=answers, env=environment)
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return told.exit_code, told.output


def set_up(*arguments: str, answers: str = "", **environment: str) -> tuple[int, str]:
    """Run the setup in the folder of the test."""
    places = ("--config", str(CONFIG), "--set", f"data_dir={Path('data').absolute()}")
    return run("setup", *places, *arguments, answers=answers, **environment)


def written() -> dict[str, object]:
    """Return the settings in the file, apart from the data directory."""
    table = tomllib.loads(CONFIG.read_text("utf-8"))
    assert table.pop("data_dir") == str(Path("data").absolute())
    return table


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_defaults() -> None:
    """X12, L3: without questions the file is private, and the check accepts it."""
    status, told = set_up("--yes")
    assert status == 0, told
    assert written() == {}
    assert (mode(CONFIG), mode(Path("data"))) == (0o600, 0o700)
    assert sorted(path.name for path in CONFIG.parent.iterdir()) == ["hupan.toml"]
    assert run("config", "check", "--config", str(CONFIG))[0] == 0


@pytest.mark.slow
def test_a_server_starts_with_the_defaults() -> None:
    """X12: `hupan serve` accepts the result of the setup."""
    assert set_up("--yes")[0] == 0
    with Server("serve", "--config", str(CONFIG.absolute())) as server:  # waits until it is healthy
        assert server.is_running


def test_every_question_has_a_default() -> None:
    """An operator that only presses return gets the defaults."""
    status, told = set_up(answers="\n" * 20)
    assert status == 0, told
    assert written() == {}
    assert "Host name" in told


def test_answers() -> None:
    """Answers are written to the file, secrets too, and not echoed; a wrong one is asked again."""
    answers = [
        *("chat example", "chat.example.com", "apache", "caddy", "东湖", "post", "smtp"),
        *("smtp.example.com", "70000", "587", "starttls", "a@example.com", "canary-secret", ""),
        *("tencent", "AKIDexample", "canary-key", "", "1400006666", "1234567"),
        *("", ""),
    ]
    status, told = set_up(answers="\n".join(answers) + "\n")
    assert status == 0, told
    assert "canary" not in told
    assert written() == {
        "public_url": "https://chat.example.com",
        "trusted_proxies": ["127.0.0.1/32"],
        "client_ip_header": "x-real-ip",
        "brand": "东湖",
        "email_sender": "smtp",
        "smtp_host": "smtp.example.com",
        "smtp_port": 587,
        "smtp_security": "starttls",
        "smtp_user": "a@example.com",
        "smtp_password": "canary-secret",
        "smtp_from": "a@example.com",
        "sms_sender": "tencent",
        "sms_access_key": "AKIDexample",
        "sms_secret_key": "canary-key",
        "sms_app_id": "1400006666",
        "sms_templates": {"code": "1234567"},
    }
    assert run("config", "check", "--config", str(CONFIG))[0] == 0


def test_a_sender_that_is_not_complete_stays_on_the_console() -> None:
    """A missing answer does not prevent the start, and is reported."""
    status, told = set_up("--yes", "--set", "sms_sender=aliyun", "--set", "email_sender=smtp")
    assert status == 0, told
    assert told.count("stays console") == 2
    assert written() == {}


def test_secrets_come_from_files_and_the_environment() -> None:
    """L1: no secret comes from the command line, and none is copied out of its file."""
    Path("key").touch(0o600)
    Path("key").write_text("canary-key", "utf-8")
    options = ("--set", "sms_sender=aliyun", "--set", "sms_access_key=LTAI")
    status, told = set_up("--yes", *options, "--set", "sms_secret_key=canary-key")
    assert (status, CONFIG.exists()) == (2, False)
    assert "canary-key" not in told
    template = ("--set", "sms_templates=SMS_1")
    status, told = set_up("--yes", *options, *template, "--set", "sms_secret_key_file=key")
    assert status == 0, told
    assert written()["sms_secret_key_file"] == str(Path("key").absolute())
    CONFIG.unlink()
    status, told = set_up("--yes", *options, *template, HUPAN_SMS_SECRET_KEY="canary-key")
    assert status == 0, told
    assert written()["sms_secret_key"] == "canary-key"
    assert "canary-key" not in told


@pytest.mark.parametrize("content", ["port = 8480\n", "port = \n", "\udcff"])
def test_a_file_with_settings_is_not_overwritten(content: str) -> None:
    """Not even a file that cannot be read is overwritten."""
    CONFIG.parent.mkdir()
    CONFIG.write_bytes(content.encode("utf-8", "surrogateescape"))
    before = CONFIG.read_bytes()
    status, told = set_up("--yes")
    assert status == 1
    assert "exists and was not changed" in told
    assert CONFIG.read_bytes() == before
    assert not Path("data").exists()


def test_a_link_to_nowhere_is_not_followed() -> None:
    """L3: a prepared link does not choose where the secrets go."""
    CONFIG.parent.mkdir()
    CONFIG.symlink_to(Path("elsewhere").absolute())
    assert set_up("--yes")[0] == 1
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize("content", ["# hupan setup\n", 'data_dir = "/var/lib/hupan"\n'])
def test_the_file_of_a_package_is_replaced(content: str) -> None:
    """A package installs a file that only names the data directory."""
    CONFIG.parent.mkdir()
    CONFIG.write_text(content, "utf-8")
    status, told = set_up("--yes", "--host-name", "chat.example.com", "--front", "none")
    assert status == 0, told
    assert written() == {"public_url": "https://chat.example.com"}
    assert mode(CONFIG) == 0o600


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--set", "port"), 2),
        (("--set", "prot=1"), 2),
        (("--set", "port=x"), 2),
        (("--host-name", "a b"), 2),
        (("--front", "apache"), 2),
        (("--set", "client_ip_header=x-real-ip"), 1),
        (("--set", "smtp_password_file=missing"), 1),
    ],
)
def test_what_cannot_be_used(arguments: tuple[str, ...], status: int) -> None:
    """X12: no file is written that a server would not start with."""
    told = set_up("--yes", *arguments)
    assert told[0] == status, told
    assert not CONFIG.exists()
    assert list(CONFIG.parent.glob(".*")) == []


def test_a_test_message() -> None:
    """The new settings send a test message."""
    sink, port = Sink(data="250 2.0.0 Ok: queued as 4XyZ"), free_port()
    values = ("email_sender=smtp", "smtp_host=127.0.0.1", f"smtp_port={port}", f"smtp_from={FROM}")
    options = [part for value in (*values, "smtp_security=none") for part in ("--set", value)]
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        status, told = set_up("--yes", *options, "--test-email", "lin@example.org")
    finally:
        controller.stop()
    assert status == 0, told
    assert "queued as 4XyZ" in told
    assert "000000" in sink.mail().get_content()


def test_a_test_message_that_fails() -> None:
    """The file stays, and the status says that something remains to be done."""
    values = ("email_sender=smtp", "smtp_host=127.0.0.1", f"smtp_port={free_port()}")
    options = [part for value in (*values, f"smtp_from={FROM}") for part in ("--set", value)]
    status, told = set_up("--yes", *options, "--test-email", "lin@example.org")
    assert status == 1, told
    assert "not confirmed" in told
    assert written()["email_sender"] == "smtp"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sets up for another user")
def test_root_sets_up_for_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: root owns the file and the service's group reads it; the service owns the data."""
    monkeypatch.setattr("hupan.cli.setup.find_service_account", lambda: SERVICE)
    status, told = set_up("--yes")
    assert status == 0, told
    assert (CONFIG.stat().st_uid, CONFIG.stat().st_gid, mode(CONFIG)) == (0, SERVICE.gid, 0o640)
    assert (CONFIG.parent.stat().st_gid, mode(CONFIG.parent)) == (SERVICE.gid, 0o750)
    assert (Path("data").stat().st_uid, mode(Path("data"))) == (SERVICE.uid, 0o700)
    assert "\nUser=hupan\n" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sets up for another user")
def test_a_folder_of_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's check would pass, and yet the service could not start."""
    monkeypatch.setattr("hupan.cli.setup.find_service_account", lambda: SERVICE)
    Path("data").mkdir()
    status, told = set_up("--yes")
    assert (status, "chown -R hupan: " in told, CONFIG.exists()) == (1, True, False)
    os.chown("data", SERVICE.uid, SERVICE.gid)
    assert set_up("--yes")[0] == 0


def test_the_unit_of_a_package() -> None:
    """With the folders of a package it equals the file of deploy/, except for the program."""
    program, data = Path("/usr/bin/hupan"), admin_setup.SYSTEM_DATA_DIR
    unit = make_unit(program, admin_setup.SYSTEM_CONFIG, data, SERVICE)
    shipped = admin_setup.deploy_file("systemd/hupan.service")
    changed = set(unit.splitlines()) - set(shipped.splitlines())
    assert {line for line in changed if not line.startswith("Group=")} == {
        "ExecStart=/usr/bin/hupan serve --config /etc/hupan/hupan.toml --data-dir /var/lib/hupan"
    }


def test_the_unit_of_a_person() -> None:
    """Other folders may be writable, and names that systemd would interpret are quoted."""
    home = Path("/home") / "lin"
    unit = make_unit(home / "bin/hupan", home / "a b.toml", home / "100%", PERSON)
    assert (
        f'ExecStart={home}/bin/hupan serve --config "{home}/a b.toml" --data-dir {home}/100%%\n'
    ) in unit
    assert f"\nReadWritePaths={home}/100%%\nWorkingDirectory={home}/100%%\n" in unit
    assert "\nUser=lin\n" in unit
    assert "\nProtectHome=no\n" in unit
    assert "StateDirectory" not in unit


@pytest.mark.parametrize("front", ["nginx", "caddy"])
def test_the_front_has_the_host_name(front: str) -> None:
    """The file then names no other host; without a host name it equals the file of deploy/."""
    text = make_front(front, "chat.example.com")
    assert "chat.example.com" in text
    assert "jwzhd" not in text
    assert text.count("{") == text.count("}")
    assert "jwzhd" in make_front(front, "")


def test_a_front_with_a_port_is_found_by_its_name() -> None:
    """For nginx, a port is no part of a name."""
    assert "server_name chat.example.com;" in make_front("nginx", "chat.example.com:8443")


def test_a_container_has_no_unit() -> None:
    """The output has no unit, and asks for the network of the proxy."""
    front = ("--host-name", "chat.example.com", "--front", "nginx")
    status, told = set_up("--yes", *front, container="oci", HUPAN_LANG="en")
    assert status == 0, told
    assert "hupan.service" not in told
    assert "systemctl" not in told
    assert "server_name chat.example.com" in told
    assert "--set trusted_proxies=NETWORK" in told
    CONFIG.unlink()
    network = ("--set", "trusted_proxies=10.88.0.0/16")
    status, told = set_up("--yes", *front, *network, container="oci", HUPAN_LANG="en")
    assert status == 0, told
    assert "trusted_proxies=NETWORK" not in told
    assert written()["trusted_proxies"] == ["10.88.0.0/16"]


@pytest.mark.parametrize("answers", [(), ("\n" * 20,)])
def test_a_data_directory_of_the_environment(answers: tuple[str, ...]) -> None:
    """It is used without a question, because the server uses it, too."""
    arguments = ("setup", "--config", str(CONFIG), *(() if answers else ("--yes",)))
    folder = str(Path("elsewhere").absolute())
    status, told = run(*arguments, answers="".join(answers), HUPAN_DATA_DIR=folder)
    assert status == 0, told
    assert tomllib.loads(CONFIG.read_text("utf-8"))["data_dir"] == folder
