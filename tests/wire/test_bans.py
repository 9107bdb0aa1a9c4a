"""What a banned account meets (wire.md 2 code 7100, security E3)."""

from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.wire import pb
from tests.wire.answers import assert_refused, read_answer
from tests.wire.client import WireClient
from tests.wire.seeds import Member, seed
from tests.wire.test_every_token_endpoint import CALLS, Call
from tests.wire.ways import EMAIL, PHONE, forget

BANNED = "因违反相关规定，该用户被封禁"
# Code 7100 and those words in UTF-8, after the request's id.
BANNED_TAIL = bytes.fromhex(
    "10 bc37 1a2a e59ba0e8bf9de58f8de79bb8e585b3e8a784e5ae9a"
    "efbc8c e8afa5e794a8e688b7e8a2abe5b081e7a681"
)
REFUSED = {"code": 7100, "msg": BANNED}
NOW = 2_000_000_000
CENTURY_SECONDS = 100 * 366 * 86_400


@pytest.fixture(scope="module")
def bench() -> Iterator[WireClient]:
    """A sandbox for this file alone."""
    with Server("sandbox") as server, WireClient(server) as wire:
        yield wire


@pytest.fixture(scope="module")
def banned(bench: WireClient) -> list[Member]:
    """The accounts of the pack `banned`."""
    members = seed(bench, "banned", 5)
    assert members
    return members


def test_get_user(bench: WireClient, banned: list[Member]) -> None:
    """A banned account is 7100 without data, to the byte, for everybody (wire.md 1.6, 2)."""
    for member in banned:
        for token in ("any", bench.account().token):
            answer = bench.get_user(member.id, token=token)
            status = b"\x08" + pb.varint(answer.request_id) + BANNED_TAIL
            assert answer.body == b"\x0a" + pb.varint(len(status)) + status


def test_get_user_in_the_json_form(bench: WireClient, banned: list[Member]) -> None:
    """The JSON form refuses with the same code, without data (wire.md 1.3)."""
    headers = {"content-type": "application/json"}
    for member in banned:
        reply = bench.request(
            "POST", "/v1/user/get-user", {"id": member.id}, token="any", headers=headers
        )
        value = reply.json()
        assert value.get("status", value)["code"] == 7100
        assert "data" not in value


@pytest.mark.one_engine
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_token(bench: WireClient, banned: list[Member], call: Call) -> None:
    """A token of a banned account is 7100 in the endpoint's own form (wire.md 1.7, 2)."""
    for member in banned:
        reply = call.send(bench, member.token)
        answer = read_answer(reply.status_code, reply.headers, reply.content)
        assert (answer.form, answer.code, answer.msg) == (call.form, 7100, BANNED)
        if call.form == "json":
            assert reply.json() == REFUSED


def test_sign_in_by_code(bench: WireClient, banned: list[Member]) -> None:
    """The right code tells that the account is banned, and gives no token (wire.md 2)."""
    for member in banned:
        code = PHONE.code(bench, member.phone)
        answer = bench.sign_in(member.phone, code)
        assert (answer.code, answer.msg, answer.data) == (7100, BANNED, None)


def test_sign_in_by_password(bench: WireClient, banned: list[Member]) -> None:
    """The right password tells it too (wire.md 2)."""
    for member in banned:
        answer = bench.email_login(member.email, member.password)
        assert (answer.code, answer.msg, answer.data) == (7100, BANNED, None)


def test_wrong_secrets_tell_nothing(bench: WireClient, banned: list[Member]) -> None:
    """With a wrong secret a banned account looks like any other (security E3)."""
    free = bench.fresh_phone()
    stranger = bench.email_login(bench.fresh_email(), "wrong password 1").body
    wrong = bench.sign_in(free, bench.wrong_code(PHONE.code(bench, free))).body
    for member in banned:
        assert bench.email_login(member.email, "wrong password 1").body == stranger
        code = bench.wrong_code(PHONE.code(bench, member.phone))
        assert bench.sign_in(member.phone, code).body == wrong


def test_asking_for_codes_tells_nothing(bench: WireClient, banned: list[Member]) -> None:
    """Asking for a code is answered as for any other target (security E1)."""
    for member in banned:
        assert PHONE.run(bench, member.phone).body == PHONE.run(bench, bench.fresh_phone()).body
        assert EMAIL.run(bench, member.email).body == EMAIL.run(bench, bench.fresh_email()).body


def test_a_reset_does_not_open_it(bench: WireClient, banned: list[Member]) -> None:
    """No new password brings a banned account back (wire.md 2)."""
    for member in banned:
        forget(bench, member.email, EMAIL.code(bench, member.email), "a new and long one 3")
        for password in (member.password, "a new and long one 3"):
            assert bench.email_login(member.email, password).code > 1


def test_its_number_stays_taken(bench: WireClient, banned: list[Member]) -> None:
    """Nobody else can bind the number or the address of a banned account (security A3)."""
    for member in banned:
        late = bench.account()
        for way, target in ((PHONE, member.phone), (EMAIL, member.email)):
            assert_refused(way.bind(bench, late.token, target, way.code(bench, target)))
            assert way.bound(bench, late.token) == ""


def test_a_ban_ends(own_wire: WireClient) -> None:
    """Once its time is over the account signs in and is shown again (wire.md 3 ban_time)."""
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
