"""Operator commands are logged next to the data (security L2)."""

import errno
import json
import os
import pwd
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hupan.cli.main import app
from hupan.model import Overtaken
from tests.support.console import PASSWORD, all_lines, call, refused, run, runner, written

pytestmark = pytest.mark.slow


WHO = "1000001"
NOBODY = 65534
PHONE, EMAIL = "13900000001", "lin@example.com"
ACTS: Mapping[str, tuple[str, ...]] = {
    "operator-ban": ("account", "ban", WHO, "--reason", "spam"),
    "operator-unban": ("account", "unban", WHO),
    "operator-vip": ("account", "vip", WHO, "--days", "1"),
    "operator-coins": ("account", "coins", WHO, "--give", "1", "--reason", "fun"),
    "operator-privacy": ("account", "privacy", WHO, "--birthday", "hide"),
    "operator-medal-define": ("medal", "define", "old"),
    "operator-product-define": ("product", "define", "p", "--price", "5", "--days", "3"),
    "operator-product-stock": ("product", "stock", "p", "--set", "7"),
    "operator-categories": ("category", "set", "games"),
    "operator-medal": ("account", "medal", WHO, "old"),
    "operator-limits-reset": ("limits", "reset", WHO),
}


def test_every_act_is_written_down(data: Path) -> None:
    """Operator, command and account are logged; numbers masked, no passwords (security L1, L2)."""
    create = ("account", "create", "--phone", PHONE, "--email", EMAIL, "--password")
    call(data, *create, stdin=f"{PASSWORD}\n")
    for arguments in ACTS.values():
        assert run(data, *arguments).exit_code == 0
    expected = ["operator-create", *ACTS]
    lines = written(data)
    assert [line["event"] for line in lines] == expected
    assert {line["operator"] for line in lines} == {pwd.getpwuid(os.getuid()).pw_name}
    assert {line["result"] for line in lines} == {"ok"}
    assert (lines[0]["target"], lines[0]["account"]) == ("139****0001", WHO)
    assert lines[1]["target"] == WHO
    text = (data / "operators.log").read_text("utf-8")
    assert [secret for secret in (PHONE, EMAIL, PASSWORD) if secret in text] == []
    assert (data / "operators.log").stat().st_mode & 0o777 == 0o600


def test_an_import_that_another_one_overtook_is_written_down(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is the error name that docs/events.md promises (security L2)."""

    def overtaken(_database: object) -> object:
        raise Overtaken

    monkeypatch.setattr("hupan.admin.discovery.build_group_index", overtaken)
    rows = tmp_path / "groups.csv"
    rows.write_text("id,name\n1,lake\n", "utf-8")
    refused(data, "group", "import", str(rows))
    assert (written(data)[-1]["result"], written(data)[-1]["reason"]) == ("refused", "Overtaken")


def test_the_end_of_an_account_is_written_down(data: Path) -> None:
    """The undoing of a change is logged too, successful or not (security L2)."""
    call(data, "account", "create", "--phone", PHONE)
    refused(data, "account", "undo", WHO, "1")
    run(data, "account", "delete", PHONE, "--yes")
    created, undone, deleted = written(data)
    assert created["event"] == "operator-create"
    assert (undone["event"], undone["result"]) == ("operator-undo", "refused")
    assert (deleted["event"], deleted["target"]) == ("operator-delete", "139****0001")


def test_imports_are_written_down(data: Path, tmp_path: Path) -> None:
    """Refused imports are logged too."""
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(
        '{"chatId": "12345678", "chatType": "3", "headcount": "123", "nickname": "bot"}\n', "utf-8"
    )
    bad.write_text('{"chatId": "x"}\n', "utf-8")
    assert run(data, "bot", "import", str(good)).exit_code == 0
    refused(data, "bot", "import", str(bad))
    refused(data, "group", "import", str(bad))
    assert [(line["event"], line["result"]) for line in written(data)] == [
        ("operator-bot-import", "ok"),
        ("operator-bot-import", "refused"),
        ("operator-group-import", "refused"),
    ]


def test_looking_is_not_written_down(data: Path) -> None:
    """Lists, records and the current state are not logged."""
    call(data, "account", "create")
    for arguments in [
        ("account", "show", WHO),
        ("account", "list"),
        ("account", "coins", WHO),
        ("account", "privacy", WHO),
        ("medal", "list"),
        ("group", "list"),
        ("bot", "list"),
    ]:
        assert run(data, *arguments).exit_code == 0
    assert [line["event"] for line in written(data)] == ["operator-create"]


def test_a_refusal_names_its_reason(data: Path) -> None:
    """An unknown account is logged as it was requested, masked."""
    refused(data, "account", "unban", "13900000002")
    refused(data, "account", "unban", "x\r\n\x1b[2J event=forged")
    assert [(line["target"], line["reason"]) for line in written(data)] == [
        ("139****0002", "UnknownUser"),
        ("?", "UnknownUser"),
    ]


def test_no_act_without_its_line(data: Path) -> None:
    """If the file cannot be written, nothing is done, and the reason is shown (security L2)."""
    call(data, "account", "create")
    (data / "operators.log").unlink()
    (data / "operators.log").symlink_to(data / "elsewhere")
    assert "operators.log" in refused(data, "account", "ban", WHO, "--reason", "spam")
    assert not (data / "elsewhere").exists()
    assert call(data, "account", "show", WHO)["banned"] is False


@pytest.mark.one_engine
def test_without_a_store_nothing_is_written(tmp_path: Path) -> None:
    """A mistaken folder gets no file."""
    run(tmp_path / "wrong", "account", "unban", WHO)
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("who", ["1000001", "9999999999"])
def test_an_id_is_shown(data: Path, who: str) -> None:
    """An account's id is not secret."""
    run(data, "account", "unban", who)
    assert written(data)[0]["target"] == who


def test_a_line_says_what_was_done(data: Path) -> None:
    """The line has reason, end, amount, medal and result of the command (security L2)."""
    call(data, "account", "create", "--nickname", "\u6e56\u8fb9", "--vip-days", "3")
    run(data, "medal", "define", "old", "--sort", "4")
    ban = ("account", "ban", WHO, "--reason", "spam again")
    run(data, *ban, "--until", "2100-01-01T00:00Z")
    run(data, *ban)
    run(data, "account", "vip", WHO, "--until", "2100-01-01T00:00Z")
    run(data, "account", "vip", WHO, "--end")
    run(data, "account", "medal", WHO, "old", "--take")
    run(data, "account", "coins", WHO, "--give", "12.5", "--reason", "a prize", "--key", "p1")
    run(data, "category", "set", "games", "news")
    lines = [
        {key: value for key, value in line.items() if key not in ("act", "event", "operator")}
        for line in written(data)
    ]
    end, ended = "2100-01-01T00:00:00Z", lines[5]["until"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", ended)
    about = {"result": "ok", "target": WHO, "account": WHO}
    paid = {"number": "1", "change": "12.5", "after": "12.5"}
    none = {"result": "ok", "target": "-"}
    assert lines == [
        {**none, "nickname": "\u6e56\u8fb9", "days": "3", "account": WHO},
        {**none, "medal": "old", "sort": "4", "account": "-"},
        {**about, "why": "spam again", "until": end},
        {**about, "why": "spam again", "until": "never"},
        {**about, "until": end},
        {**about, "until": ended},
        {**about, "medal": "old", "do": "take"},
        {**about, "give": "12.5", "why": "a prize", "key": "p1", **paid},
        {**none, "names": "games, news", "account": "-"},
    ]


def test_a_pasted_number_is_masked(data: Path) -> None:
    """A number or address is masked in every form it was typed in (security L1)."""
    call(data, "account", "create", "--phone", PHONE)
    for pasted in ("+86 139-0000-0002", "１３９００００００02"):
        call(data, "account", "set-phone", WHO, pasted)
    refused(data, "account", "set-email", WHO, "lin@中文.com")
    assert [line["to"] for line in written(data)[1:]] == [
        *["139****0002"] * 2,
        "l***@xn--fiq228c.com",
    ]


def test_free_text_is_masked(data: Path) -> None:
    """A number or an address within a reason is masked, and a long one is cut (security L1)."""
    call(data, "account", "create")
    why = f"asked from {PHONE} and {EMAIL}\n" + "x" * 1000
    run(data, "account", "coins", WHO, "--give", "1", "--reason", why)
    text = (data / "operators.log").read_text("utf-8")
    assert "asked from 139****0001 and l***@example.com" in text
    assert [secret for secret in (PHONE, EMAIL) if secret in text] == []
    assert all(len(line) < 800 for line in text.splitlines())


def test_an_act_is_written_down_before_it_is_done(data: Path) -> None:
    """Its first line is written before, and both lines have the same number (security L2)."""
    call(data, "account", "create")
    begun, done = all_lines(data)
    assert (begun["result"], done["result"]) == ("begun", "ok")
    assert begun["act"] == done["act"]
    assert "account" not in begun


def test_the_operator_is_the_user_of_the_kernel(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's user name is at most logged next to the kernel's user (security L2)."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody")
    monkeypatch.setenv("SUDO_USER", "alice")
    call(data, "account", "create")
    run(data, "account", "coins", WHO, "--give", "1", "--reason", "fun")
    (line, _) = written(data)
    me = pwd.getpwuid(os.getuid()).pw_name
    assert (line["operator"], line["sudo"]) == (me, "alice")
    assert "somebody" not in (data / "operators.log").read_text("utf-8")
    listed = json.loads(run(data, "account", "coins", WHO, "--json").stdout)
    assert [entry["actor"] for entry in listed] == [f"operator:{me}"]


def test_a_cut_line_forges_no_other(data: Path) -> None:
    """After a line truncated by a full disk, the next one starts on a new line."""
    (data / "operators.log").write_text("2026-01-01T00:00:00Z INFO hupan.auth event=oper", "utf-8")
    call(data, "account", "create")
    assert [line["event"] for line in all_lines(data)[1:]] == ["operator-create"] * 2


@pytest.mark.one_engine
def test_a_full_disk_stops_the_act(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done if the first line cannot be written completely (security L2)."""
    call(data, "account", "create")

    def write(_descriptor: int, _text: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("hupan.admin.audit.os.write", write)
        text = refused(data, "account", "ban", WHO, "--reason", "spam")
    assert "operators.log" in text
    assert call(data, "account", "show", WHO)["banned"] is False


@pytest.mark.one_engine
def test_work_on_a_whole_store_is_written_down(tmp_path: Path) -> None:
    """`database migrate` and `copy` are logged too, next to the file they change (security L2)."""
    assert run(tmp_path, "database", "migrate").exit_code == 0
    (line,) = written(tmp_path)
    assert (line["event"], line["result"]) == ("operator-database-migrate", "ok")
    assert int(line["applied"]) > 0
    assert line["aim"] == str(tmp_path / "hupan.db")
    target = tmp_path / "copy" / "hupan.db"
    copied = runner.invoke(app, ["database", "copy", line["aim"], str(target)])
    assert copied.exit_code == 0, copied.output
    (line,) = written(target.parent)
    assert (line["event"], line["result"]) == ("operator-database-copy", "ok")
    assert (line["source"], line["aim"]) == (str(tmp_path / "hupan.db"), str(target))


@pytest.mark.one_engine
def test_a_store_that_is_made_or_accepted_is_written_down(tmp_path: Path) -> None:
    """These are `database create`, `accept-writes`, `accept-key`; a wrong folder gets no file."""
    for command in ("accept-writes", "accept-key"):
        assert run(tmp_path / "wrong", "database", command).exit_code == 1
    assert not (tmp_path / "wrong").exists()
    for command in ("create", "migrate", "accept-writes", "accept-key"):
        assert run(tmp_path, "database", command).exit_code == 0
    lines = written(tmp_path)
    assert [(line["event"], line["result"]) for line in lines] == [
        (f"operator-database-{command}", "ok")
        for command in ("create", "migrate", "accept-writes", "accept-key")
    ]
    assert lines[2]["accepted"] == "false"


@pytest.mark.one_engine
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, who alone may make files for another")
def test_root_does_not_lock_the_service_out(tmp_path: Path) -> None:
    """Files that root's command creates in a service's folder belong to the service (L3)."""
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    assert run(folder, "database", "migrate").exit_code == 0
    call(folder, "account", "create", "--phone", PHONE)
    run(folder, "account", "delete", PHONE, "--yes")  # this needs, and creates, the server's key
    made = {path.name: path.stat().st_uid for path in folder.iterdir()}
    assert set(made) >= {"operators.log", "hupan.db", "hupan.db.lock", "secret.key"}
    assert set(made.values()) == {NOBODY}
    (folder / "operators.log").unlink()
    (folder / "operators.log").touch(0o600)  # as an older version left it
    run(folder, "account", "list")
    run(folder, "account", "create")
    assert (folder / "operators.log").stat().st_uid == NOBODY


@pytest.mark.one_engine
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, who alone may make files for another")
@pytest.mark.parametrize("name", ["operators.log", "hupan.db", "hupan.db.lock"])
@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_files_of_root_keep_their_owner(
    tmp_path: Path, link: Callable[[Path, Path], None], name: str
) -> None:
    """A service's link to a file of root does not change the file's owner (L3)."""
    folder, own = tmp_path / "data", tmp_path / "own"
    folder.mkdir()
    own.touch(0o600)
    link(own, folder / name)
    os.chown(folder, NOBODY, NOBODY)
    run(folder, "database", "migrate")
    run(folder, "account", "create")
    assert own.stat().st_uid == 0
