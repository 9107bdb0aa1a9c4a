"""`hupan account contacts|undo`: operators see what was changed and undo it (security A2)."""

import json
from pathlib import Path

import pytest

from tests.support.channels import EMAIL, PHONE
from tests.support.client import WireClient
from tests.support.console import call, refused, run
from tests.support.servers import Server

pytestmark = pytest.mark.slow


STALE_SECONDS = 16 * 60


def listed(data: Path, who: str) -> list[dict[str, object]]:
    """Return the changes of an account, from the JSON output."""
    rows: list[dict[str, object]] = json.loads(
        run(data, "account", "contacts", who, "--json").stdout
    )
    return rows


def test_a_change_is_seen_and_undone(tmp_path: Path) -> None:
    """With a running server sessions end at once, and the old number is restored."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        old, new, email = client.fresh_phone(), client.fresh_phone(), client.fresh_email()
        account = client.account(phone=old)
        assert PHONE.change(client, account.token, new, PHONE.code(client, new)).code == 1
        assert EMAIL.bind(client, account.token, email, EMAIL.code(client, email)).code == 1
        binding, change = listed(folder, account.id)
        assert isinstance(change.pop("changedAt"), int)
        assert change == {
            "number": 1,
            "contact": "phone",
            "old": old,
            "new": new,
            "proven": True,
            "undoneAt": None,
        }
        assert (binding["number"], binding["contact"], binding["old"]) == (2, "email", "")
        table = run(folder, "account", "contacts", account.id).stdout
        assert all(word in table for word in (old, new, email, "是"))
        restored = call(folder, "account", "undo", account.id, "1")
        assert (restored["phone"], restored["email"]) == (old, email)
        assert client.own_info(account.token).code == -101
        assert isinstance(listed(folder, account.id)[1]["undoneAt"], int)
        assert "撤销" in refused(folder, "account", "undo", account.id, "1")


def test_a_binding_without_proof_is_marked(tmp_path: Path) -> None:
    """A contact bound by an old token is marked; undoing it leaves nothing bound (security D2)."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        phone, theirs = client.fresh_phone(), client.fresh_email()
        account = client.account(phone=phone)
        client.set_clock(advance=STALE_SECONDS)
        assert EMAIL.bind(client, account.token, theirs, EMAIL.code(client, theirs)).code == 1
        (binding,) = listed(folder, account.id)
        assert binding["proven"] is False
        assert "否" in run(folder, "account", "contacts", account.id).stdout
        assert call(folder, "account", "undo", phone, "1")["email"] == ""


@pytest.mark.parametrize(("who", "number"), [("1000001", "1"), ("13900000009", "1")])
def test_nothing_to_undo(data: Path, who: str, number: str) -> None:
    """A missing account or change is reported in one sentence, with status 1."""
    call(data, "account", "create")
    refused(data, "account", "undo", who, number)
    assert listed(data, "1000001") == []
    assert run(data, "account", "undo", "1000001", "0").exit_code == 2


def test_a_number_with_a_new_owner_is_not_taken(tmp_path: Path) -> None:
    """The refusal says so, and nothing changes."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        old, new = client.fresh_phone(), client.fresh_phone()
        account = client.account(phone=old)
        assert PHONE.change(client, account.token, new, PHONE.code(client, new)).code == 1
        client.account(phone=old)
        assert "该手机号已被使用" in refused(folder, "account", "undo", account.id, "1")
        assert client.own_info(account.token).code == 1
