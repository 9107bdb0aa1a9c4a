"""`hupan account delete`: an operator deletes an account (security A7)."""

import json
from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.console import call, refused, run
from tests.support.servers import Server

pytestmark = pytest.mark.slow


def test_an_account_is_gone_at_once(data: Path) -> None:
    """The account cannot be changed any more; its number is free only after the delay."""
    made = call(data, "account", "create", "--phone", "13900000001", "--nickname", "湖边")
    row = call(data, "account", "delete", "13900000001", "--yes")
    assert (row["id"], row["nickname"]) == (made["id"], "湖边")
    assert isinstance(row["erasedAt"], int)
    assert isinstance(made["registeredAt"], int)
    assert 0 <= row["erasedAt"] - made["registeredAt"] - 15 * 86_400 < 60
    for who in ("13900000001", "1000001"):
        for act in (("delete", who, "--yes"), ("ban", who, "--reason", "x"), ("sessions", who)):
            assert "hupan account restore" in refused(data, "account", *act)
    assert "已被使用" in refused(data, "account", "create", "--phone", "13900000001")


def test_a_cancelled_account_is_shown_as_such(data: Path) -> None:
    """Its erasure date is shown, in the record and in lists (security A7)."""
    call(data, "account", "create", "--phone", "13900000001")
    call(data, "account", "create", "--phone", "13900000002")
    erased_at = call(data, "account", "delete", "13900000001", "--yes")["erasedAt"]
    shown = call(data, "account", "show", "13900000001")
    assert (shown["cancelled"], shown["erasedAt"]) == (True, erased_at)
    assert "已注销" in run(data, "account", "show", "1000001").stdout
    rows = json.loads(run(data, "account", "list", "--json").stdout)
    assert [(row["id"], row["erasedAt"]) for row in rows] == [
        ("1000002", None),
        ("1000001", erased_at),
    ]
    (row,) = json.loads(run(data, "account", "list", "--cancelled", "--json").stdout)
    assert row["id"] == "1000001"


def test_a_cancelled_account_comes_back(tmp_path: Path) -> None:
    """An operator restores it before its erasure; its owner is notified, signs in (security A7)."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        phone = client.fresh_phone()
        account = client.account(phone=phone, coins=3)
        call(folder, "account", "delete", phone, "--yes")
        assert client.sign_in(phone, client.sms_code(phone)).code == 1421
        before = {letter.id for letter in client.list_outbox("sms", phone)}
        restored = call(folder, "account", "restore", phone)
        assert (restored["id"], restored["erasedAt"], restored["coins"]) == (account.id, None, 3)
        assert "您的账号已恢复" in client.next_message("sms", phone, before).text
        assert client.own_info(account.token).code == -101
        assert client.own_info(client.signed_in(phone)).pb_data.text(1) == account.id
        assert "未注销" in refused(folder, "account", "restore", phone)


def test_an_erased_account_does_not_come_back(tmp_path: Path) -> None:
    """An account past its erasure date cannot be restored either (security A4, A7)."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        phone = client.fresh_phone()
        account = client.account(phone=phone)
        call(folder, "account", "delete", phone, "--yes")
        client.set_clock(advance=15 * 86_400 + 1)
        assert "该用户不存在" in refused(folder, "account", "restore", account.id)


def test_it_asks_first(data: Path) -> None:
    """Nothing is deleted without confirmation."""
    call(data, "account", "create", "--phone", "13900000001")
    for answer in ("", "n\n"):
        result = run(data, "account", "delete", "13900000001", stdin=answer)
        assert result.exit_code == 1
        assert "无法恢复" in result.stderr
    assert call(data, "account", "show", "13900000001")["id"] == "1000001"
    assert run(data, "account", "delete", "13900000001", stdin="y\n").exit_code == 0
    assert call(data, "account", "show", "13900000001")["cancelled"] is True


def test_a_running_server_knows_at_once(tmp_path: Path) -> None:
    """The next request with a token of the account is refused, and its owner is notified (T6)."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        phone = client.fresh_phone()
        account = client.account(phone=phone)
        assert client.own_info(account.token).code == 1
        call(folder, "account", "delete", phone, "--yes")
        assert client.own_info(account.token).code == -101
        assert client.get_user(account.id).code == 4402
        assert "您的账号已注销" in client.next_message("sms", phone, set()).text
