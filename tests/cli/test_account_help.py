"""How operators help users that lost phone, e-mail or password (security A2, T6, T7)."""

import json
from pathlib import Path

import pytest

from tests.support.channels import forget
from tests.support.client import WireClient
from tests.support.console import call, refused, run, written
from tests.support.servers import Server

pytestmark = pytest.mark.slow


PASSWORD = "herons stand in the reeds"
NEW_PASSWORD = "a heron left the reeds"


def rows(data: Path, *arguments: str) -> list[dict[str, object]]:
    """Return a list, from the JSON output."""
    result = run(data, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


def messages_to(client: WireClient, phone: str) -> set[str]:
    """Return the messages sent to a number so far."""
    return {letter.id for letter in client.list_outbox("sms", phone)}


def test_a_lost_number_is_replaced(tmp_path: Path) -> None:
    """Sessions end at once, every contact is notified, and it can be undone (security A2, T6)."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        old, new, email = client.fresh_phone(), client.fresh_phone(), client.fresh_email()
        account = client.account(phone=old, email=email)
        assert client.own_info(account.token).code == 1
        assert call(folder, "account", "set-phone", account.id, f"+86{new}")["phone"] == new
        assert client.own_info(account.token).code == -101
        assert "手机号已更换" in client.next_message("sms", old, set()).text
        assert "手机号已更换" in client.next_message("email", email, set()).text
        assert "已绑定新手机号" in client.next_message("sms", new, set()).text
        assert client.own_info(client.signed_in(new)).pb_data.text(1) == account.id
        (change,) = rows(folder, "account", "contacts", account.id)
        assert (change["old"], change["new"], change["undoneAt"]) == (old, new, None)
        assert call(folder, "account", "undo", account.id, "1")["phone"] == old
        assert written(folder)[0]["to"] == f"{new[:3]}****{new[-4:]}"
        assert new not in (folder / "operators.log").read_text("utf-8")


def test_a_lost_address_is_replaced(data: Path) -> None:
    """It is replaced, bound or removed; a repetition changes nothing (security A2)."""
    call(data, "account", "create", "--phone", "13900000001")
    first = call(data, "account", "set-email", "1000001", "Lin@example.com")
    assert first["email"] == "Lin@example.com"
    assert call(data, "account", "set-email", "1000001", "Lin@example.com") == first
    assert len(rows(data, "account", "contacts", "1000001")) == 1
    assert (
        call(data, "account", "set-email", "1000001", "w@example.com")["email"] == "w@example.com"
    )
    assert call(data, "account", "set-email", "1000001", "--remove")["email"] == ""
    assert [row["new"] for row in rows(data, "account", "contacts", "1000001")] == [
        *("", "w@example.com", "Lin@example.com"),
    ]


def test_what_cannot_be_bound(data: Path) -> None:
    """A contact in use, a malformed one and removing the last one are refused (security A3, A6)."""
    call(data, "account", "create", "--phone", "13900000001")
    call(data, "account", "create", "--phone", "13900000002", "--email", "lin@example.com")
    assert "已被使用" in refused(data, "account", "set-phone", "1000001", "13900000002")
    assert "已被使用" in refused(data, "account", "set-email", "1000001", "LIN@example.com")
    assert "手机号" in refused(data, "account", "set-phone", "1000001", "12")
    assert "邮箱" in refused(data, "account", "set-email", "1000001", "a@b@c")
    assert "唯一" in refused(data, "account", "set-phone", "1000001", "--remove")
    assert call(data, "account", "show", "1000001")["phone"] == "13900000001"
    assert run(data, "account", "set-phone", "1000001").exit_code == 2
    assert run(data, "account", "set-phone", "1000001", "13900000003", "--remove").exit_code == 2
    assert {line["result"] for line in written(data)[2:]} == {"refused"}


def test_a_reset_is_started(tmp_path: Path) -> None:
    """The owner sets the password with a code that no operator sees."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        phone, email = client.fresh_phone(), client.fresh_email()
        account = client.account(phone=phone, email=email, password=PASSWORD)
        row = call(folder, "account", "password", account.id)
        assert (row["removed"], row["sent"]) == (False, True)
        assert client.own_info(account.token).code == 1
        code = client.next_message("email", email, set()).code
        assert "发起密码重设" in client.next_message("sms", phone, set()).text
        assert code not in json.dumps(row) + (folder / "operators.log").read_text("utf-8")
        assert client.email_login(email, PASSWORD).code == 1
        assert forget(client, email, code, NEW_PASSWORD).code == 1
        assert client.email_login(email, PASSWORD).code > 1
        assert client.email_login(email, NEW_PASSWORD).code == 1


def test_a_password_is_removed(tmp_path: Path) -> None:
    """It no longer works, all sessions end, every contact is notified (security T6)."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        phone, email = client.fresh_phone(), client.fresh_email()
        account = client.account(phone=phone, email=email, password=PASSWORD)
        row = call(folder, "account", "password", account.id, "--remove")
        assert (row["removed"], row["sent"]) == (True, True)
        assert client.own_info(account.token).code == -101
        assert client.email_login(email, PASSWORD).code > 1
        told_by_sms = client.http.get("/sandbox/outbox", params={"to": phone}).json()
        assert any("清除" in message["text"] for message in told_by_sms)


def test_there_is_nothing_to_reset_by(data: Path) -> None:
    """Without an address no code can be sent; the password can still be removed."""
    call(data, "account", "create", "--phone", "13900000001")
    assert "set-email" in refused(data, "account", "password", "1000001")
    row = call(data, "account", "password", "1000001", "--remove")
    assert (row["removed"], row["sent"]) == (False, False)


def test_devices_are_seen_and_signed_out(tmp_path: Path) -> None:
    """One by its number, or all; no token is shown, and the owner is notified (security T6, T7)."""
    folder = tmp_path / "data"
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as client:
        phone = client.fresh_phone()
        account = client.account(phone=phone, deviceId="one", platform="windows")
        other = client.signed_in(phone, deviceId="two", platform="android")
        second, first = rows(folder, "account", "sessions", phone)
        assert (first["device"], first["platform"]) == ("one", "windows")
        assert (second["device"], second["platform"]) == ("two", "android")
        assert set(first) == {
            *("number", "device", "platform", "country", "signedInAt", "lastUsedAt"),
        }
        table = run(folder, "account", "sessions", phone).stdout
        assert account.token not in table + json.dumps([first, second])
        number, codes = str(first["number"]), messages_to(client, phone)
        assert call(folder, "account", "sign-out", phone, "--number", number)["ended"] == 1
        assert "管理员已将您账号的设备下线" in client.next_message("sms", phone, codes).text
        assert client.own_info(account.token).code == -101
        assert client.own_info(other).code == 1
        assert number in refused(folder, "account", "sign-out", phone, "--number", number)
        assert call(folder, "account", "sign-out", phone)["ended"] == 1
        assert client.own_info(other).code == -101
        assert call(folder, "account", "sign-out", phone)["ended"] == 0
