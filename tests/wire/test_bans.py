"""Refusals of a banned account (wire.md 2 code 7100, security E3).

A banned account at every endpoint (wire.md 2: 7100, security E3, T6).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import AllowLoggedOut, RequiredSession, RequiredVip
from tests.support import pb
from tests.support.answers import JSON_TYPE, Answer, assert_refused, read_answer
from tests.support.channels import EMAIL, PHONE, forget
from tests.support.client import WireClient
from tests.support.seeding import Member, seed
from tests.support.servers import Server
from tests.support.stores import STORES, EngineName
from tests.support.token_calls import CALLS, Call

BANNED = "因违反相关规定，该用户被封禁"
# Code 7100 and this message in UTF-8, after the request's id.
BANNED_TAIL = bytes.fromhex(
    "10 bc37 1a2a e59ba0e8bf9de58f8de79bb8e585b3e8a784e5ae9a"
    "efbc8c e8afa5e794a8e688b7e8a2abe5b081e7a681"
)
REFUSED = {"code": 7100, "msg": BANNED}
NOW = 2_000_000_000
CENTURY_SECONDS = 100 * 366 * 86_400


@pytest.fixture(scope="module")
def ban_wire(engine: EngineName) -> Iterator[WireClient]:
    """Yield a sandbox for this file alone."""
    del engine  # the other engine has a separate server
    with Server("sandbox") as server, WireClient(server) as wire:
        yield wire


@pytest.fixture(scope="module")
def banned(ban_wire: WireClient) -> list[Member]:
    """Return the accounts of the pack `banned`."""
    members = seed(ban_wire, "banned", 5)
    assert members
    return members


def test_get_user(ban_wire: WireClient, banned: list[Member]) -> None:
    """A banned account is 7100 without data, byte for byte, for all viewers (wire.md 1.6, 2)."""
    for member in banned:
        for token in ("any", ban_wire.account().token):
            answer = ban_wire.get_user(member.id, token=token)
            status = b"\x08" + pb.varint(answer.request_id) + BANNED_TAIL
            assert answer.body == b"\x0a" + pb.varint(len(status)) + status


def test_get_user_in_the_json_form(ban_wire: WireClient, banned: list[Member]) -> None:
    """The JSON form refuses with the same code, without data (wire.md 1.3)."""
    headers = {"content-type": "application/json"}
    for member in banned:
        reply = ban_wire.request(
            "POST", "/v1/user/get-user", {"id": member.id}, token="any", headers=headers
        )
        value = reply.json()
        assert value.get("status", value)["code"] == 7100
        assert "data" not in value


@pytest.mark.slow
@pytest.mark.one_engine
def test_token(ban_wire: WireClient, banned: list[Member], subtests: pytest.Subtests) -> None:
    """A token of a banned account is 7100 in the endpoint's own form (wire.md 1.7, 2)."""
    for call in CALLS:
        with subtests.test(call=call):
            for member in banned:
                reply = call.send(ban_wire, member.token)
                answer = read_answer(reply.status_code, reply.headers, reply.content)
                assert (answer.form, answer.code, answer.msg) == (call.form, 7100, BANNED)
                if call.form == "json":
                    assert reply.json() == REFUSED


def test_sign_in_by_code(ban_wire: WireClient, banned: list[Member]) -> None:
    """The right code gets the ban, without a token (wire.md 2)."""
    for member in banned:
        code = PHONE.code(ban_wire, member.phone)
        answer = ban_wire.sign_in(member.phone, code)
        assert (answer.code, answer.msg, answer.data) == (7100, BANNED, None)


def test_sign_in_by_password(ban_wire: WireClient, banned: list[Member]) -> None:
    """The right password gets the ban (wire.md 2)."""
    for member in banned:
        answer = ban_wire.email_login(member.email, member.password)
        assert (answer.code, answer.msg, answer.data) == (7100, BANNED, None)


@pytest.mark.slow
def test_wrong_secrets_reveal_nothing(ban_wire: WireClient, banned: list[Member]) -> None:
    """With a wrong secret a banned account looks like any other (security E3)."""
    free = ban_wire.fresh_phone()
    stranger = ban_wire.email_login(ban_wire.fresh_email(), "wrong password 1").body
    wrong = ban_wire.sign_in(free, ban_wire.wrong_code(PHONE.code(ban_wire, free))).body
    for member in banned:
        assert ban_wire.email_login(member.email, "wrong password 1").body == stranger
        code = ban_wire.wrong_code(PHONE.code(ban_wire, member.phone))
        assert ban_wire.sign_in(member.phone, code).body == wrong


def test_asking_for_codes_reveals_nothing(ban_wire: WireClient, banned: list[Member]) -> None:
    """A request for a code gets the same response as for any other target (security E1)."""
    for member in banned:
        assert (
            PHONE.request_code(ban_wire, member.phone).body
            == PHONE.request_code(ban_wire, ban_wire.fresh_phone()).body
        )
        assert (
            EMAIL.request_code(ban_wire, member.email).body
            == EMAIL.request_code(ban_wire, ban_wire.fresh_email()).body
        )


@pytest.mark.slow
def test_a_reset_does_not_open_it(ban_wire: WireClient, banned: list[Member]) -> None:
    """A new password does not unban an account (wire.md 2)."""
    for member in banned:
        forget(ban_wire, member.email, EMAIL.code(ban_wire, member.email), "a new and long one 3")
        for password in (member.password, "a new and long one 3"):
            assert ban_wire.email_login(member.email, password).code > 1


@pytest.mark.slow
def test_its_number_stays_taken(ban_wire: WireClient, banned: list[Member]) -> None:
    """No other account can bind the number or the address of a banned account (security A3)."""
    for member in banned:
        late = ban_wire.account()
        for way, target in ((PHONE, member.phone), (EMAIL, member.email)):
            assert_refused(way.bind(ban_wire, late.token, target, way.code(ban_wire, target)))
            assert way.bound(ban_wire, late.token) == ""


def test_a_ban_ends(own_wire: WireClient) -> None:
    """After its end the account signs in and is shown again (wire.md 3 ban_time)."""
    own_wire.set_clock(set=NOW)
    members = seed(own_wire, "banned", 5)
    assert {own_wire.get_user(member.id).code for member in members} == {7100}
    own_wire.set_clock(set=NOW + CENTURY_SECONDS)
    ended = [member for member in members if own_wire.get_user(member.id).code == 1]
    assert ended
    for member in ended:
        token = own_wire.email_login(member.email, member.password).text("token")
        assert own_wire.own_info(token).pb_data.text(1) == member.id
        data = own_wire.get_user(member.id).pb_data
        assert data.text(21) == ""


DAY_SECONDS = 86_400
PASSWORD = "long enough 湖 1"
MESSAGE = "因违反相关规定，该用户被封禁"
# Code 7100 and the message in UTF-8, after the request's id.
TAIL = bytes.fromhex(
    "10 bc37 1a2a e59ba0e8bf9de58f8de79bb8e585b3e8a784e5ae9aefbc8c"
) + bytes.fromhex("e8afa5e794a8e688b7e8a2abe5b081e7a681")
CLOSED = [*CALLS, Call("/v1/user/logout")]


def check_banned(form: str, answer: Answer) -> None:
    """Check the refusal byte for byte."""
    assert (answer.form, answer.code, answer.msg) == (form, 7100, MESSAGE)
    assert answer.headers["x-result"] == "refused"
    status = b"\x08" + pb.varint(answer.request_id) + TAIL
    in_protobuf = b"\x0a" + pb.varint(len(status)) + status
    in_json = '{"code":7100,"msg":"' + MESSAGE + '"}'
    assert answer.body == (in_protobuf if form == "protobuf" else in_json.encode())


def test_no_endpoint_is_forgotten() -> None:
    """The table of calls names every endpoint that needs a session."""
    opened = {
        (line.method, line.path)
        for line in ENDPOINTS
        if isinstance(line.access, RequiredSession | RequiredVip | AllowLoggedOut)
    }
    called = {(call.method, call.path.partition("?")[0].removeprefix("/web")) for call in CLOSED}
    assert opened - called == set(), (
        "add a valid request to CALLS of tests/support/token_calls.py "
        "(CONTRIBUTING.md, Add an endpoint)"
    )


@pytest.mark.slow
@pytest.mark.parametrize("vip_days", [0, 3])
def test_every_endpoint_refuses(wire: WireClient, vip_days: int, subtests: pytest.Subtests) -> None:
    """A token of a banned account is 7100 in the endpoint's own form, before VIP and body."""
    for call in CLOSED:
        with subtests.test(call=call):
            token = wire.account(banDays=1, vipDays=vip_days).token
            reply = call.send(wire, token)
            check_banned(call.form, read_answer(reply.status_code, reply.headers, reply.content))


@pytest.mark.one_engine
@pytest.mark.parametrize("path", ["/v1/user/edit-nickname", "/v1/user/edit-avatar"])
def test_the_json_form_refuses(wire: WireClient, path: str) -> None:
    """With a JSON request, a protobuf endpoint refuses in JSON (wire.md 1.3)."""
    token = wire.account(banReason="刷屏").token
    headers = {"content-type": "application/json"}
    reply = wire.request("POST", path, b'{"name":"n"}', token=token, headers=headers)
    assert reply.headers["content-type"] == JSON_TYPE
    assert reply.json()["status"]["code"] == 7100


def test_sign_in_by_code_is_refused(wire: WireClient) -> None:
    """A right code gets the ban, a wrong one is refused like any wrong code (E3)."""
    banned, other = wire.fresh_phone(), wire.fresh_phone()
    wire.account(phone=banned, banDays=1)
    wire.account(phone=other)
    right = {phone: wire.sms_code(phone) for phone in (banned, other)}
    wrong = [wire.sign_in(phone, wire.wrong_code(code)) for phone, code in right.items()]
    assert wrong[0].body == wrong[1].body
    assert wrong[0].code not in {1, 7100}
    check_banned("json", wire.sign_in(banned, right[banned]))


def test_sign_in_by_password_is_refused(wire: WireClient) -> None:
    """A right password gets the ban, a wrong one is refused like any wrong password (E3)."""
    banned, other = wire.fresh_email(), wire.fresh_email()
    wire.account(email=banned, password=PASSWORD, banReason="刷屏")
    wire.account(email=other, password=PASSWORD)
    wrong = [wire.email_login(email, "something else") for email in (banned, other, "x@y.zz")]
    assert wrong[0].body == wrong[1].body == wrong[2].body
    check_banned("json", wire.email_login(banned, PASSWORD))


def test_a_ban_ends_on_time(own_wire: WireClient) -> None:
    """From its end on the same token, sign-in and get-user work."""
    own_wire.set_clock(set=NOW)
    phone = own_wire.fresh_phone()
    account = own_wire.account(phone=phone, banDays=1)
    check_banned("protobuf", own_wire.own_info(account.token))
    check_banned("protobuf", own_wire.get_user(account.id))
    own_wire.set_clock(set=NOW + DAY_SECONDS + 60)
    assert own_wire.own_info(account.token).code == 1
    assert own_wire.get_user(account.id).pb_data.number(10) == 0
    assert own_wire.own_info(own_wire.signed_in(phone, deviceId="other")).code == 1


def test_refused_requests_count_no_day(own_wire: WireClient) -> None:
    """Only a served request counts as a day online, not a refused one (wire.md 5)."""
    own_wire.set_clock(set=NOW)
    account = own_wire.account(banDays=1)
    assert own_wire.own_info(account.token).code == 7100
    own_wire.set_clock(set=NOW + 2 * DAY_SECONDS)
    assert own_wire.get_user(account.id).pb_data.number(11) == 0
    assert own_wire.own_info(account.token).code == 1
    data = own_wire.get_user(account.id).pb_data
    assert (data.number(11), data.number(12)) == (1, 1)


@pytest.mark.slow
def test_a_banned_viewer_is_a_stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any token passes get-user, but only a valid one shows its owner's remark (wire.md 4)."""
    data = ["--data-dir", str(tmp_path)]
    for name, value in STORES.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with Server("sandbox", *data) as server, WireClient(server) as wire:
        friend, viewer = wire.account(), wire.account()
        remarks = {"friendId": friend.id, "name": "老王", "phone": "", "others": ""}
        assert wire.post("user/save-user-remarks", remarks, token=viewer.token).code == 1
        shown = wire.get_user(friend.id, viewer.token).pb_data
        assert shown.message(18).text(1) == "老王"
        done = CliRunner().invoke(app, ["account", "ban", viewer.id, "--reason", "刷屏", *data])
        assert done.exit_code == 0, done.output
        assert wire.own_info(viewer.token).code == 7100
        assert not wire.get_user(friend.id, viewer.token).pb_data.has(18)


@pytest.mark.slow
def test_an_operator_bans_while_the_server_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hupan account ban` and `unban` take effect from the next request on (T6)."""
    data = ["--data-dir", str(tmp_path)]
    for name, value in STORES.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with Server("sandbox", *data) as server, WireClient(server) as wire:
        account = wire.account()
        assert wire.own_info(account.token).code == 1
        for command, code in (("ban", 7100), ("unban", 1), ("ban", 7100)):
            why = ["--reason", "刷屏"] if command == "ban" else []
            done = CliRunner().invoke(app, ["account", command, account.id, *why, *data])
            assert done.exit_code == 0, done.output
            assert wire.own_info(account.token).code == code
            assert wire.get_user(account.id).code == code
