"""`hupan account delete`: the end of an account by an operator's hand (security A7)."""

import json
from pathlib import Path

from tests.cli.test_account import data, refused, run, told
from tests.servers import Server
from tests.wire.client import WireClient

__all__ = ["data"]


def test_an_account_is_gone_at_once(data: Path) -> None:
    """Nobody finds it any more; its number is free only after the delay."""
    made = told(data, "account", "create", "--phone", "13900000001", "--nickname", "湖边")
    row = told(data, "account", "delete", "13900000001", "--yes")
    assert (row["id"], row["nickname"]) == (made["id"], "湖边")
    assert isinstance(row["erasedAt"], int)
    assert isinstance(made["registeredAt"], int)
    assert 0 <= row["erasedAt"] - made["registeredAt"] - 15 * 86_400 < 60
    for who in ("13900000001", "1000001"):
        assert "该用户不存在" in refused(data, "account", "show", who)
        assert "该用户不存在" in refused(data, "account", "delete", who, "--yes")
    assert json.loads(run(data, "account", "list", "--json").stdout) == []
    assert "已被使用" in refused(data, "account", "create", "--phone", "13900000001")


def test_it_asks_first(data: Path) -> None:
    """Whoever does not say yes deletes nothing."""
    told(data, "account", "create", "--phone", "13900000001")
    for answer in ("", "n\n"):
        result = run(data, "account", "delete", "13900000001", stdin=answer)
        assert result.exit_code == 1
        assert "无法撤销" in result.stderr
    assert told(data, "account", "show", "13900000001")["id"] == "1000001"
    assert run(data, "account", "delete", "13900000001", stdin="y\n").exit_code == 0
    refused(data, "account", "show", "13900000001")


def test_a_running_server_knows_at_once(tmp_path: Path) -> None:
    """The next request with a token of the account is refused, and its owner is told (T6)."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        phone = client.fresh_phone()
        account = client.account(phone=phone)
        assert client.own_info(account.token).code == 1
        told(folder, "account", "delete", phone, "--yes")
        assert client.own_info(account.token).code == -101
        assert client.get_user(account.id).code == 4402
        assert "您的账号已注销" in client.next_letter("sms", phone, set()).text
