import os
from pathlib import Path

import pytest

from hupan.config import Settings, SettingsError, load_settings
from hupan.config.load import has_private_mode
from hupan.config.settings import SETTINGS

SOMEBODY = 65_534
CANARY = "k3-canary-9f"
SECRETS = {
    "upstream_secret",
    *("database_password", "smtp_password"),
    *("sms_hmac_secret", "sms_secret_key", "sms_url", "sms_headers", "sms_body"),
    *("limits_exempt", "media_s3_secret_key", "backup_s3_secret_key", "backup_passphrase"),
}


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def private(name: str, text: str, mode: int = 0o600) -> Path:
    """Return a file with this mode."""
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def refusal(environ: dict[str, str], **options: object) -> str:
    """Return the message of the refusal."""
    with pytest.raises(SettingsError) as caught:
        load_settings(options, environ)
    return str(caught.value)


def test_what_is_secret() -> None:
    """Passwords, keys, phone numbers and the gateway's settings are (security L1)."""
    assert {name for name, setting in SETTINGS.items() if setting.secret} == SECRETS


def test_a_secret_is_read_from_a_file() -> None:
    """The twin of a secret names a file; the line break at its end does not count."""
    private("password", f" {CANARY} \r\n")
    assert (
        load_settings({}, {"HUPAN_SMTP_PASSWORD_FILE": "password"}).smtp_password == f" {CANARY} "
    )
    private("hupan.toml", '[smtp]\npassword_file = "password"\n', 0o644)
    assert load_settings({}, {}).smtp_password == f" {CANARY} "
    assert load_settings({"smtp_password_file": "password"}, {}).smtp_password == f" {CANARY} "


def test_a_table_is_read_from_a_file() -> None:
    """The headers of the gateway may come from a file with a JSON object."""
    private("headers", '{"Authorization": "Bearer x"}\n')
    settings = load_settings({}, {"HUPAN_SMS_HEADERS_FILE": "headers"})
    assert settings.sms_headers == {"Authorization": "Bearer x"}


def test_a_later_source_wins_whether_it_is_a_file_or_not() -> None:
    """A secret's file counts as the source that names it."""
    private("password", "from the file")
    private("hupan.toml", 'smtp_password = "from the toml"\n')
    assert load_settings({}, {}).smtp_password == "from the toml"
    environ = {"HUPAN_SMTP_PASSWORD_FILE": "password"}
    assert load_settings({}, environ).smtp_password == "from the file"


def test_a_secret_and_its_file_in_one_source_are_refused() -> None:
    """Setting both in one source is refused, so that it is clear which one counts."""
    private("password", CANARY)
    told = refusal({"HUPAN_SMTP_PASSWORD": "x", "HUPAN_SMTP_PASSWORD_FILE": "password"})
    assert "smtp_password: expected to be set once in a source" in told


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644, 0o777])
def test_a_file_that_others_may_touch_is_refused(mode: int) -> None:
    """Only the owner may access the file of a secret (security L3)."""
    private("password", CANARY, mode)
    if os.geteuid() == 0:  # files of root have a separate rule
        os.chown("password", SOMEBODY, SOMEBODY)
    told = refusal({"HUPAN_SMTP_PASSWORD_FILE": "password"})
    assert "smtp_password_file: expected a file with mode 0600" in told
    assert CANARY not in told


@pytest.mark.parametrize(
    ("mode", "owner", "is_taken"),
    [
        (0o600, 0, True),
        (0o640, 0, True),
        (0o440, 0, True),
        (0o660, 0, False),
        (0o650, 0, False),
        (0o644, 0, False),
        (0o641, 0, False),
        (0o640, SOMEBODY, False),
        (0o600, SOMEBODY, True),
    ],
)
def test_root_may_let_one_group_read(mode: int, owner: int, *, is_taken: bool) -> None:
    """Packages use 0640 root:hupan; a user's own group may include everyone."""
    status = os.stat_result((mode, 1, 1, 1, owner, SOMEBODY, 1, 0, 0, 0))
    assert has_private_mode(status) == is_taken


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_taken(mode: int) -> None:
    """Read permission is enough."""
    private("password", CANARY, mode)
    assert load_settings({}, {"HUPAN_SMTP_PASSWORD_FILE": "password"}).smtp_password == CANARY


@pytest.mark.parametrize("name", ["missing", ".", "pipe", "empty", "binary", "", "a\0b"])
def test_what_is_not_a_file_of_text_is_refused(name: str) -> None:
    """An absent, empty, special or binary file is refused by the name of its setting."""
    os.mkfifo("pipe", 0o600)
    private("empty", "\n")
    Path("binary").write_bytes(b"\xff")
    Path("binary").chmod(0o600)
    assert "smtp_password_file: expected" in refusal({"HUPAN_SMTP_PASSWORD_FILE": name})


def test_a_secret_needs_a_private_config_file() -> None:
    """A config file that contains a secret must be private."""
    private("hupan.toml", f'smtp_password = "{CANARY}"\n', 0o644)
    told = refusal({})
    assert "smtp_password: expected a file with mode 0600" in told
    assert "from the file hupan.toml" in told
    assert CANARY not in told


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_is_never_taken_from_the_command_line(name: str) -> None:
    """Other users can read the command line of a process (security L3)."""
    told = refusal({}, **{name: CANARY})
    assert f"{name}: expected a value in a file or in the environment" in told
    assert CANARY not in told


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_bad_secret_is_not_shown(name: str) -> None:
    """The message says that it is wrong, but does not quote it, whether inline or in a file."""
    told = refusal({f"HUPAN_{name.upper()}": f"{CANARY}\x1b"})
    assert f"{name}: expected" in told
    assert CANARY not in told
    private("secret", f"{CANARY}\x1b")
    told = refusal({f"HUPAN_{name.upper()}_FILE": "secret"})
    assert f"{name}: expected" in told
    assert CANARY not in told


def test_settings_do_not_show_their_secrets() -> None:
    """A log line or a traceback with the settings does not contain them."""
    settings = load_settings(
        {},
        {
            "HUPAN_SMTP_PASSWORD": CANARY,
            "HUPAN_SMS_HMAC_SECRET": CANARY,
            "HUPAN_SMS_URL": f"https://sms.example/{CANARY}",
            "HUPAN_SMS_HEADERS": f'{{"a": "{CANARY}"}}',
            "HUPAN_SMS_BODY": CANARY,
        },
    )
    assert settings.smtp_password == CANARY
    assert CANARY not in repr(settings)
    assert CANARY not in f"{settings!s}"


def test_no_secret_has_a_default_that_works() -> None:
    """An unconfigured server has no known password or key (security L3)."""
    defaults = Settings()
    assert (defaults.smtp_password, defaults.sms_hmac_secret, defaults.sms_url) == ("", "", "")
    assert not defaults.sms_headers
