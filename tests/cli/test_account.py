"""`hupan account` and `hupan medal`: what operators do with accounts."""

import json
import os
from pathlib import Path

import pytest

from hupan.cli.main import app
from tests.support.console import PASSWORD, call, refused, run, runner

pytestmark = pytest.mark.slow


def test_an_account_is_made_and_found(data: Path) -> None:
    """An account is found by id, number and address, in any case; scripts get JSON."""
    made = call(
        data,
        *("account", "create", "--phone", "13900000001", "--email", "Lin@example.com"),
        *("--nickname", "湖边", "--vip-days", "3"),
    )
    assert made["id"] == "1000001"
    assert (made["nickname"], made["vip"], made["banned"]) == ("湖边", True, False)
    for who in (
        *("1000001", "13900000001", "+8613900000001", "lin@EXAMPLE.com"),
        *(
            "+86 139 0000 0001",
            "\u202a0086-139-0000-0001\u202c",
            "１３９００００ ０００１",
            "１０００００１",
        ),
    ):
        assert call(data, "account", "show", who) == made
    table = run(data, "account", "show", "1000001").stdout
    for word in ("湖边", "13900000001", "Lin@example.com", "至 "):
        assert word in table


@pytest.mark.one_engine
@pytest.mark.parametrize("who", ["1", "1000002", "13900000009", "nobody@example.com", "@", "", "x"])
def test_an_unknown_account(data: Path, who: str) -> None:
    """An unknown account is reported in one sentence, with status 1."""
    assert "该用户不存在" in refused(data, "account", "show", who)


def listed(data: Path, *arguments: str) -> list[str]:
    """Return the nicknames of a list, from the JSON output."""
    result = run(data, "account", "list", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [row["nickname"] for row in json.loads(result.stdout)]


def test_accounts_are_listed_page_by_page(data: Path) -> None:
    """The newest come first; the total and the next page are named on standard error."""
    for number in range(5):
        call(data, "account", "create", "--nickname", f"第{number}个")
    first = run(data, "account", "list", "--limit", "2", "--json")
    assert [row["nickname"] for row in json.loads(first.stdout)] == ["第4个", "第3个"]
    assert "共 5 个" in first.stderr
    assert "其余用 --after 1000004" in first.stderr
    assert listed(data, "--limit", "2", "--after", "1000004") == ["第2个", "第1个"]
    last = run(data, "account", "list", "--after", "1000002")
    assert "第0个" in last.stdout
    assert "--after" not in last.stderr
    assert listed(data, "--after", "1000001") == []
    for after in ("-5", "99999999999999999999999"):
        result = run(data, "account", "list", "--after", after)
        assert result.exit_code == 2
        assert "--after" in result.stderr


def test_accounts_are_searched(data: Path) -> None:
    """By the beginning of a nickname, a number or an address, in any case, or by the id."""
    for phone, email, name in (
        ("13900000001", "Lin@example.com", "湖边"),
        ("13900000002", "wang@example.com", "湖畔"),
        ("13700000003", "lin.b@example.com", "山上"),
    ):
        call(data, *("account", "create", "--phone", phone, "--email", email, "--nickname", name))
    assert listed(data, "--find", "湖") == ["湖畔", "湖边"]
    assert listed(data, "--find", "湖边") == ["湖边"]
    assert listed(data, "--find", "139") == ["湖畔", "湖边"]
    assert listed(data, "--find", "+8613900000001") == ["湖边"]
    assert listed(data, "--find", "139-0000") == ["湖畔", "湖边"]
    assert listed(data, "--find", "LIN") == ["山上", "湖边"]
    assert listed(data, "--find", "1000003") == ["山上"]
    assert listed(data, "--find", "139", "--limit", "1") == ["湖畔"]
    assert listed(data, "--find", "139", "--after", "1000002") == ["湖边"]
    call(data, "account", "ban", "1000002", "--reason", "x")
    assert listed(data, "--find", "139", "--banned") == ["湖畔"]
    for nobody in ("边", "%", "_", "'", "x" * 100):
        assert listed(data, "--find", nobody) == []
    for bad in ("a\x00b", "\n", "x" * 200):
        assert "--find" in refused(data, "account", "list", "--find", bad)


@pytest.mark.parametrize("name", ["王\U0002ebf0", "می\u200cخواهم", "👩\u200d👧", "邉\U000e0102"])
def test_every_nickname_is_shown_and_found(data: Path, name: str) -> None:
    """Also one with joiners, or with an ideograph that this Python does not know (wire.md 4)."""
    call(data, "account", "create", "--nickname", name)
    assert listed(data, "--find", name) == [name]
    assert name in run(data, "account", "list").stdout


def test_accounts_are_filtered(data: Path) -> None:
    """The filters are: banned, with VIP, registered since a time; only one at a time."""
    for number in range(4):
        call(data, "account", "create", "--nickname", f"第{number}个")
    call(data, "account", "ban", "1000002", "--reason", "x")
    call(data, "account", "ban", "1000003", "--reason", "x")
    call(data, "account", "unban", "1000003")
    call(data, "account", "vip", "1000004", "--days", "2")
    assert listed(data, "--banned") == ["第1个"]
    assert listed(data, "--vip") == ["第3个"]
    assert listed(data, "--since", "2020-01-01") == ["第3个", "第2个", "第1个", "第0个"]
    assert listed(data, "--since", "2020-01-01", "--banned") == ["第1个"]
    assert listed(data, "--since", "2100-01-01") == []
    assert "共 1 个" in run(data, "account", "list", "--banned").stderr
    assert run(data, "account", "list", "--banned", "--vip").exit_code == 2
    refused(data, "account", "list", "--since", "yesterday")


def test_bans(data: Path) -> None:
    """A ban is permanent, for days, or until a local time; a reason is required."""
    call(data, "account", "create")
    ban = ("account", "ban", "1000001", "--reason", "刷屏")
    banned = call(data, *ban)
    assert (banned["banned"], banned["bannedUntil"], banned["banReason"]) == (True, None, "刷屏")
    assert "永久" in run(data, "account", "show", "1000001").stdout
    assert call(data, *ban, "--until", "2100-01-01")["bannedUntil"] == 4_102_416_000
    assert call(data, *ban, "--until", "2100-01-01T00:00Z")["bannedUntil"] == 4_102_444_800
    assert call(data, *ban, "--days", "1")["banned"] is True
    free = call(data, "account", "unban", "1000001")
    assert (free["banned"], free["bannedUntil"], free["banReason"]) == (False, None, "")
    assert "until" in refused(data, *ban, "--until", "2020-01-01")
    assert "2026-12-31" in refused(data, *ban, "--until", "tomorrow")
    assert "days" in refused(data, *ban, "--days", "0")
    assert "reason" in refused(data, "account", "ban", "1000001", "--reason", " ")
    assert run(data, "account", "ban", "1000001").exit_code == 2
    assert run(data, *ban, "--days", "1", "--until", "2100-01-01").exit_code == 2
    assert call(data, "account", "show", "1000001") == free


def test_vip(data: Path) -> None:
    """Exactly one of: days are added, an end is set, or VIP ends now."""
    call(data, "account", "create")
    vip = ("account", "vip", "1000001")
    first, second = (call(data, *vip, "--days", "2")["vipUntil"] for _ in range(2))
    assert isinstance(first, int)
    assert second == first + 2 * 86_400
    assert call(data, *vip, "--until", "2100-01-01")["vipUntil"] == 4_102_416_000
    ended = call(data, *vip, "--end")
    assert ended["vip"] is False
    assert "已过期 " in run(data, "account", "show", "1000001").stdout
    assert run(data, *vip).exit_code == 2
    assert run(data, *vip, "--end", "--days", "1").exit_code == 2
    assert "days" in refused(data, *vip, "--days", "-1")


def test_medals(data: Path) -> None:
    """A medal is defined once, renamed, granted and revoked."""
    call(data, "account", "create")
    assert "define" in refused(data, "account", "medal", "1000001", "元老")
    call(data, "medal", "define", "贡献者")
    call(data, "medal", "define", "元老", "--sort", "0")
    changed = call(data, "medal", "define", "元老", "--sort", "9", "--description", "最早")
    assert changed == {
        "id": 2,
        "name": "元老",
        "sort": 9,
        "description": "最早",
        "imageUrl": "",
    }
    listed = json.loads(run(data, "medal", "list", "--json").stdout)
    assert [row["name"] for row in listed] == ["贡献者", "元老"]
    assert call(data, "account", "medal", "1000001", "元老")["medals"] == ["元老"]
    assert call(data, "account", "medal", "1000001", "贡献者")["medals"] == ["贡献者", "元老"]
    assert call(data, "account", "medal", "1000001", "元老", "--take")["medals"] == ["贡献者"]


def test_invitations(data: Path) -> None:
    """A new account is linked to the owner of a valid code, otherwise it is not created."""
    inviter = call(data, "account", "create")
    code = str(inviter["invitationCode"]).lower()
    guest = call(data, "account", "create", "--invited-by", code)
    assert (inviter["invitedBy"], guest["invitedBy"]) == (None, "1000001")
    assert "--vip-days" in refused(data, "account", "create", "--vip-days", "-1")
    assert "--invited-by" in refused(data, "account", "create", "--invited-by", "NOBODY")
    assert len(json.loads(run(data, "account", "list", "--json").stdout)) == 2


def test_coins(data: Path) -> None:
    """Coins are added and removed with a reason, once for each key; no balance is negative."""
    call(data, "account", "create")
    coins = ("account", "coins", "1000001")
    give = (*coins, "--give", "12.34", "--reason", "活动", "--key", "k1")
    for _ in range(2):
        entry = call(data, *give)
        assert (entry["number"], entry["change"], entry["after"]) == (1, 12.34, 12.34)
        assert str(entry["actor"]).startswith("operator:")
    take = call(data, *coins, "--take", "2.34", "--reason", "兑换")
    assert (take["number"], take["change"], take["after"], take["typ"]) == (2, -2.34, 10, 6)
    assert call(data, "account", "show", "1000001")["coins"] == 10
    assert "金币余额不足" in refused(data, *coins, "--take", "10.01", "--reason", "x")
    for amount in ("0", "-1", "0.001", "nan", "sNaN", "inf", "1e400", "1e999999", "1e-999999"):
        for option in ("--give", "--take"):
            assert option in refused(data, *coins, f"{option}={amount}", "--reason", "x")
    assert run(data, *coins, "--give", "many", "--reason", "x").exit_code == 2
    assert run(data, *coins, "--give", "1").exit_code == 2
    newest = json.loads(run(data, *coins, "--json").stdout)
    assert [entry["number"] for entry in newest] == [2, 1]


@pytest.mark.one_engine
def test_help_of_coins(data: Path) -> None:
    """Every option has a help text."""
    lines = run(data, "account", "coins", "--help").stdout.splitlines()
    for option in ("--give", "--take", "--reason", "--key", "--limit"):
        (line,) = [line for line in lines if line.strip().startswith(option)]
        assert not line.isascii()


@pytest.mark.parametrize("refusal", [KeyError("uid not found: 4711"), OSError("no such user")])
def test_a_user_without_an_entry(
    data: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    """The journal has the number of a user without a name; a read does not look it up."""
    call(data, "account", "create")
    asked = []

    def nameless(_uid: int) -> None:
        asked.append(refusal)
        raise refusal

    monkeypatch.setattr("pwd.getpwuid", nameless)
    coins = ("account", "coins", "1000001")
    assert run(data, *coins, "--json").stdout == "[]\n"
    assert not asked
    entry = call(data, *coins, "--give", "1", "--reason", "x")
    assert entry["actor"] == f"operator:{os.getuid()}"


@pytest.mark.one_engine
def test_a_password_that_is_no_text(data: Path) -> None:
    """Bytes that are not UTF-8 are refused with an explanation."""
    arguments = ["account", "create", "--password", "--data-dir", str(data)]
    result = runner.invoke(app, arguments, input=b"\xff\xfe\n")
    assert result.exit_code == 2
    assert "UTF-8" in result.stderr


def test_a_password_comes_by_standard_input(data: Path) -> None:
    """A password is never an argument (security L3), and must be good (security P1, P3)."""
    create = ("account", "create", "--email", "lin@example.com", "--password")
    assert run(data, *create, stdin="").exit_code == 2
    refused(data, *create, stdin="1234567\n")
    refused(data, *create, stdin="password\n")
    result = run(data, *create, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert "argon2id" not in result.output


def test_what_is_taken_stays(data: Path) -> None:
    """A number or an address that is in use makes no second account."""
    call(data, "account", "create", "--phone", "13900000001", "--email", "lin@example.com")
    assert "手机号" in refused(data, "account", "create", "--phone", "13900000001")
    assert "邮箱" in refused(data, "account", "create", "--email", "LIN@example.com")
    assert "phone" in refused(data, "account", "create", "--phone", "123")
    assert len(json.loads(run(data, "account", "list", "--json").stdout)) == 1


@pytest.mark.one_engine
def test_a_store_must_be_there(tmp_path: Path) -> None:
    """Commands do not create a store; the server does."""
    assert "没有数据库" in refused(tmp_path, "account", "list")
    assert list(tmp_path.iterdir()) == []


def test_an_international_domain_is_one_address(data: Path) -> None:
    """It is stored in its ASCII form; an operator finds it by either form (U7)."""
    made = call(data, "account", "create", "--email", "Lin@xn--fiq228c.com")
    assert made["email"] == "Lin@xn--fiq228c.com"
    for who in ("lin@中文.com", "LIN@XN--FIQ228C.COM"):
        assert call(data, "account", "show", who) == made
    assert refused(data, "account", "create", "--email", "lin@Xn--fiq228c.com")
