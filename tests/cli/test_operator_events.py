"""What operators do is written down beside the data (security L2)."""

import getpass
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.test_account import PASSWORD, data, refused, run, told
from tests.wire.events import events

__all__ = ["data"]

WHO = "1000001"
PHONE, EMAIL = "13900000001", "lin@example.com"
ACTS: Mapping[str, tuple[str, ...]] = {
    "operator-ban": ("account", "ban", WHO, "--reason", "spam"),
    "operator-unban": ("account", "unban", WHO),
    "operator-vip": ("account", "vip", WHO, "--days", "1"),
    "operator-coins": ("account", "coins", WHO, "--give", "1", "--reason", "fun"),
    "operator-privacy": ("account", "privacy", WHO, "--birthday", "hide"),
    "operator-medal-define": ("medal", "define", "old"),
    "operator-categories": ("category", "set", "games"),
    "operator-medal": ("account", "medal", WHO, "old"),
    "operator-limits-reset": ("limits", "reset", WHO),
}


def written(data: Path) -> list[dict[str, str]]:
    """The events of operators so far, without their times."""
    lines = events((data / "operators.log").read_text("utf-8"))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.pop("time")) for line in lines)
    return lines


def test_every_act_is_written_down(data: Path) -> None:
    """Who did what to whom; a number is masked, and a password is nowhere (security L1, L2)."""
    create = ("account", "create", "--phone", PHONE, "--email", EMAIL, "--password")
    told(data, *create, stdin=f"{PASSWORD}\n")
    for arguments in ACTS.values():
        assert run(data, *arguments).exit_code == 0
    expected = ["operator-create", *ACTS]
    lines = written(data)
    assert [line["event"] for line in lines] == expected
    assert {line["operator"] for line in lines} == {getpass.getuser()}
    assert {line["result"] for line in lines} == {"ok"}
    assert (lines[0]["target"], lines[0]["account"]) == ("139****0001", WHO)
    assert lines[1]["target"] == WHO
    text = (data / "operators.log").read_text("utf-8")
    assert [secret for secret in (PHONE, EMAIL, PASSWORD) if secret in text] == []
    assert (data / "operators.log").stat().st_mode & 0o777 == 0o600


def test_the_end_of_an_account_is_written_down(data: Path) -> None:
    """And the undoing of a change, well or not (security L2)."""
    told(data, "account", "create", "--phone", PHONE)
    refused(data, "account", "undo", WHO, "1")
    run(data, "account", "delete", PHONE, "--yes")
    created, undone, deleted = written(data)
    assert created["event"] == "operator-create"
    assert (undone["event"], undone["result"]) == ("operator-undo", "refused")
    assert (deleted["event"], deleted["target"]) == ("operator-delete", "139****0001")


def test_imports_are_written_down(data: Path, tmp_path: Path) -> None:
    """Also what was refused."""
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
    """Lists, records and what holds now leave no line."""
    told(data, "account", "create")
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
    """An account that is not there is named as it was asked for, and masked."""
    refused(data, "account", "unban", "13900000002")
    refused(data, "account", "unban", "x\r\n\x1b[2J event=forged")
    assert [(line["target"], line["reason"]) for line in written(data)] == [
        ("139****0002", "UnknownUser"),
        ("?", "UnknownUser"),
    ]


def test_no_act_without_its_line(data: Path) -> None:
    """Where the file cannot be written, nothing is done, and why is told (security L2)."""
    told(data, "account", "create")
    (data / "operators.log").unlink()
    (data / "operators.log").symlink_to(data / "elsewhere")
    assert "operators.log" in refused(data, "account", "ban", WHO, "--reason", "spam")
    assert not (data / "elsewhere").exists()
    assert told(data, "account", "show", WHO)["banned"] is False


@pytest.mark.one_engine
def test_without_a_store_nothing_is_written(tmp_path: Path) -> None:
    """A mistaken folder is not filled."""
    run(tmp_path / "wrong", "account", "unban", WHO)
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("who", ["1000001", "9999999999"])
def test_an_id_is_shown(data: Path, who: str) -> None:
    """An account's id is no secret."""
    run(data, "account", "unban", who)
    assert written(data)[0]["target"] == who
