"""Which values are addresses and which are paths; no password of either is printed."""

from pathlib import Path
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.config import LoadedSettings, Settings, SettingsError, load_with_sources
from hupan.config.load import masked_database
from hupan.config.settings import SETTINGS
from hupan.config.types import SECRET_MASK
from hupan.opening import make_postgres_dsn

CANARY = "Vk7canary"
PATHS = (
    "hupan.db",
    "data/hupan.db",
    "./hupan.db",
    "../x/hupan.db",
    "/var/lib/hupan/hupan.db",
    "/srv/a=b/hupan.db",
    "/srv/me@work/hupan.db",
    "./me@work.db",
    "./a:b.db",
    "/srv/a:b/hupan.db",
    "数据/湖畔.db",
    "my data/hupan.db",
    "postgresql",
    "postgresql/hupan.db",
    "~hupan.db",
)
URLS = (
    f"postgresql://u:{CANARY}@h/db",
    f"postgres://u:{CANARY}@h/db",
    f"Postgresql://u:{CANARY}@h/db",
    f"POSTGRES://u:{CANARY}@h:5432/db",
    f"postgresql://u:%2F{CANARY}%40@h/db",
    f"postgresql://u:{quote('p@ss/word?#', safe='')}{CANARY}@h/db?sslmode=verify-full",
    f"postgresql://{CANARY}@h/db",
    f"postgresql://u:{CANARY}@h1:5432,h2:5433/db?target_session_attrs=read-write",
    f"postgresql://u:{CANARY}@[::1]:5432/db",
    f"postgresql://u:{CANARY}@/db?host=/run/postgresql",
    f"postgresql://u:{CANARY}@%2Frun%2Fpostgresql/db",
    f"postgresql://u@h/db?passfile=/etc/{CANARY}",
    f"postgresql://h/db?user=u{CANARY}",
    f"postgresql://u@h/db?options=-csearch_path%3D{CANARY}",
    "postgresql:///db",
    "postgresql:///db?host=/run/postgresql",
)
REFUSED = (
    # Other ways to name a PostgreSQL server.
    f"postgresql+asyncpg://u:{CANARY}@h/db",
    f"postgresql+psycopg2://u:{CANARY}@h/db",
    f"postgres:u:{CANARY}@h/db",
    f"postgresql:/u:{CANARY}@h/db",
    f"postgresql:u{CANARY}",
    f"pg://u:{CANARY}@h/db",
    f"jdbc:postgresql://h/db?user=u&password={CANARY}",
    f"host=h user=u password={CANARY} dbname=db",
    f"HOST=h PASSWORD={CANARY}",
    f"password='{CANARY}' host=h",
    f"dbname=db password = {CANARY}",
    f"service={CANARY}",
    f"Server=h;Database=db;User Id=u;Password={CANARY};",
    f"Driver={{PostgreSQL}};Uid=u;Pwd={CANARY}",
    f"u:{CANARY}@h/db",
    f"u:{CANARY}@h:5432",
    f"{CANARY}@h/db",
    f"//u:{CANARY}@h/db",
    f"://u:{CANARY}@h/db",
    f"/u:{CANARY}@h/db",
    f"./postgresql://u:{CANARY}@h/db",
    f"psql -h h -U u -W {CANARY}",
    f"-h h -U u -W {CANARY}",
    f"密码={CANARY} host=h",
    f"postgresql%3A%2F%2Fu%3A{CANARY}%40h%2Fdb",
    f"host%3Dh%20password%3D{CANARY}",
    f"u%3A{CANARY}%40h",
    f"postgresql：//u:{CANARY}＠h/db",
    f"u：{CANARY}＠h",
    # Other databases, and SQLite's own addresses.
    f"mysql://u:{CANARY}@h/db",
    f"mariadb://u:{CANARY}@h/db",
    f"mongodb+srv://u:{CANARY}@h/db",
    f"redis://:{CANARY}@h/0",
    f"sqlite:///{CANARY}.db",
    f"sqlite+aiosqlite:///{CANARY}.db",
    f"file:{CANARY}.db",
    "file:x?mode=memory",
    "x.db?mode=memory",
    ":memory:",
    " :memory: ",
    "//host/db",
    "\\\\host\\share\\hupan.db",
    "C:\\hupan\\hupan.db",
    "https://h/db",
    # Blanks and line breaks around a valid URL.
    f" postgresql://u:{CANARY}@h/db",
    f"postgresql://u:{CANARY}@h/db ",
    f"postgresql://u:{CANARY}@h/db\n",
    f"\tpostgresql://u:{CANARY}@h/db",
    f"'postgresql://u:{CANARY}@h/db'",
    f'"postgresql://u:{CANARY}@h/db"',
    f"HUPAN_DATABASE=postgresql://u:{CANARY}@h/db",
    " hupan.db",
    "hupan.db\n",
    # A password that is not encoded.
    f"postgresql://u:Vk/7{CANARY}@h/db",
    f"postgresql://u:pa@{CANARY}@h/db",
    f"postgresql://u:{CANARY}/x@h/db",
    f"postgresql://u:{CANARY}?x@h/db",
    f"postgresql://u:{CANARY}#x@h/db",
    f"postgresql://u:{CANARY}%@h/db",
    f"postgresql://u:{CANARY}%zz@h/db",
    f"postgresql://u:{CANARY} x@h/db",
    f"postgresql://u:{CANARY}\\@h/db",
    f"postgresql://u:[{CANARY}@h/db",
    f"postgresql://u:/{CANARY}",
    f"postgresql://u:{CANARY}/db",
    f"postgresql://u%3A{CANARY}@h/db",
    # A password or something unknown among the parameters.
    f"postgresql://u@h/db?password={CANARY}",
    f"postgresql://u@h/db?PASSWORD={CANARY}",
    f"postgresql://u@h/db?sslmode=disable&password={CANARY}",
    f"postgresql://u@h/db?sslpassword={CANARY}",
    f"postgresql://u@h/db?pass%77ord={CANARY}",
    f"postgresql://u@h/db?channel_binding={CANARY}",
    f"postgresql://u@h/db?sslmode={CANARY}",
    "postgresql://u@h/db?channel_binding=require",
    "postgresql://u@h/db?sslmode=require",
    "postgresql://u@h/db?sslmode=disable&sslmode=verify-full",
    "postgresql://u@h/db?port=abc",
    # Required parts are missing.
    "postgresql://",
    "postgresql://h",
    "postgresql://h/db",
    f"postgresql://:{CANARY}@h/db",
    "postgresql://@h/db",
    "postgresql://u@h:abc/db",
    "postgresql://u@h:0/db",
    "postgresql://u@h:65536/db",
    "postgresql://u@h:/db",
    "postgresql://u@::1/db",
    "postgresql://u@h,,h2/db",
)
ALL = (*PATHS, *URLS, *REFUSED)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)


def loaded(value: str) -> LoadedSettings:
    """Return the settings with this value of `database` in the environment."""
    return load_with_sources({}, {"HUPAN_DATABASE": value})


def written(*arguments: str, value: str) -> str:
    """Return the output of a command, with its traceback, with this value in the environment."""
    told = CliRunner().invoke(app, arguments, env={"HUPAN_DATABASE": value})
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return told.output + told.stderr


def test_a_path_stays_a_path(subtests: pytest.Subtests) -> None:
    """X12: a SQLite file may have almost any name, and `./` or `/` marks it as a path."""
    for value in PATHS:
        with subtests.test(value=value):
            settings = loaded(value).settings
            assert not settings.is_postgres
            assert settings.database_path == Path(value)


def test_an_address_is_read_as_one(subtests: pytest.Subtests) -> None:
    """X12: the case of the scheme does not matter; the store layer treats it as PostgreSQL too."""
    for value in URLS:
        with subtests.test(value=value):
            settings = loaded(value).settings
            assert settings.is_postgres
            scheme, _, rest = value.partition("://")
            assert settings.database == f"{scheme.lower()}://{rest}"
            assert CANARY not in make_postgres_dsn(settings).display_url + repr(
                make_postgres_dsn(settings)
            )


def test_what_only_looks_like_an_address_is_refused(subtests: pytest.Subtests) -> None:
    """X12: it is never used as a path, and the refusal shows nothing of it."""
    for value in REFUSED:
        with subtests.test(value=value):
            with pytest.raises(SettingsError) as caught:
                loaded(value)
            assert [problem.name for problem in caught.value.problems] == ["database"]
            assert CANARY not in str(caught.value)


@pytest.mark.parametrize("values", [PATHS, URLS, REFUSED], ids=["paths", "addresses", "refused"])
@pytest.mark.parametrize("command", [("config", "show", "--json"), ("config", "check")])
def test_no_part_that_may_be_a_password_is_printed(
    command: tuple[str, ...], values: tuple[str, ...]
) -> None:
    """X12, L3: this applies to valid and to invalid values."""
    for value in values:
        assert CANARY not in written(*command, value=value), value


@pytest.mark.slow
def test_nothing_is_made_under_the_name_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """X12: after a refused start no folder and no file has a password in its name."""
    monkeypatch.setattr("hupan.cli.serve.listen", None)  # a start that is not refused fails here
    for value in (value for value in REFUSED if CANARY in value):
        assert CANARY not in written("serve", value=value), value
        assert CANARY not in written("database", "migrate", value=value), value
        assert [str(path) for path in Path().rglob("*")] == [], value


@pytest.mark.slow
@pytest.mark.parametrize("values", [URLS, REFUSED], ids=["addresses", "refused"])
def test_a_password_is_refused_on_the_command_line(values: tuple[str, ...]) -> None:
    """X12, L3: `ps` would show it to every user; the message says where it belongs."""
    for value in values:
        told = CliRunner().invoke(
            app,
            ["database", "status", "--database", value],
            env={"HUPAN_DATABASE_CONNECT_SECONDS": "1"},
        )
        assert CANARY not in told.output + told.stderr, value
        if f":{CANARY}@h/db" in value and value.lower().startswith("postgres"):
            assert told.exit_code == 1, value
            assert "HUPAN_DATABASE_PASSWORD" in told.output + told.stderr, value
            assert "PGPASSFILE" in told.output + told.stderr, value


@pytest.mark.parametrize("at", [0, 1])
def test_a_copy_takes_no_password_either(at: int) -> None:
    """X12: source and target are on the command line too."""
    places = ["hupan.db", "hupan.db"]
    places[at] = f"postgresql://u:{CANARY}@h/db"
    told = CliRunner().invoke(app, ["database", "copy", *places])
    assert told.exit_code == 1
    assert CANARY not in told.output + told.stderr
    assert "HUPAN_DATABASE_PASSWORD" in told.output + told.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "value", [f"postgresql://u:{CANARY}@h/db", f"host=h password={CANARY}"], ids=["URL", "words"]
)
def test_an_address_in_another_setting_is_not_printed(value: str) -> None:
    """X12: an address under the wrong setting is refused or masked."""
    for name in sorted(name for name in SETTINGS if name != "database"):
        told = CliRunner().invoke(app, ["config", "show"], env={f"HUPAN_{name.upper()}": value})
        assert CANARY not in told.output + told.stderr, name


@pytest.mark.parametrize("name", ["data_dir", "secret_key_file"])
def test_no_folder_is_named_after_an_address(name: str) -> None:
    """X12: this applies to the other settings with a path, too."""
    value = f"postgresql://u:{CANARY}@h/db"
    with pytest.raises(SettingsError):
        load_with_sources({}, {f"HUPAN_{name.upper()}": value})


def test_settings_do_not_show_their_address() -> None:
    """X12, L1: a traceback with the settings in it reveals nothing."""
    settings = Settings(database=f"postgresql://u:{CANARY}@h/db")
    assert CANARY not in repr(settings)
    assert masked_database(settings) == f"postgresql://{SECRET_MASK}@h/db"


def test_a_file_with_a_password_in_its_address_must_be_private() -> None:
    """L3: the rule is that of any other secret."""
    Path("hupan.toml").write_text(f'database = "postgresql://u:{CANARY}@h/db"\n', encoding="utf-8")
    Path("hupan.toml").chmod(0o644)
    with pytest.raises(SettingsError, match="0600"):
        load_with_sources({}, {})
    Path("hupan.toml").chmod(0o600)
    assert load_with_sources({}, {}).settings.is_postgres


def test_a_name_that_is_an_address_is_not_printed() -> None:
    """X12: neither as a line of the file nor as its name."""
    Path("hupan.toml").write_text(f'"postgresql://u:{CANARY}@h/db" = 1\n', encoding="utf-8")
    assert CANARY not in written("config", "check", value="x.db")
    named = CliRunner().invoke(app, ["config", "check", "--config", f"pg://u:{CANARY}@h/db"])
    assert CANARY not in named.output + named.stderr


def test_the_corpus_is_large_enough() -> None:
    """X12 requires 60 different values."""
    assert len(set(ALL)) == len(ALL) > 60
