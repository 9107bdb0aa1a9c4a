"""Presence: the socket's messages, its login, drafts, and its end (wire.md 8.1).

The end of a session closes its sockets (security T6), and none stays open beyond a limit (X1).
"""

from collections.abc import Callable

import pytest

from tests.support import pb
from tests.support.answers import read_answer
from tests.support.client import WireClient
from tests.support.servers import Server
from tests.support.sockets import INVALID, RawSocket, SocketClient, acknowledgement, upgrade

NOW = 2_000_000_000
ENDED, POLICY = 4001, 1008
MOST_SOCKETS = 10


@pytest.fixture
def port(sandbox: Server) -> int:
    """Return the port of the shared sandbox."""
    return sandbox.port


def test_golden_heartbeat(port: int) -> None:
    """A heartbeat is answered at once, before any login: info 1 {seq 1, cmd 2} and no data."""
    with SocketClient(port) as socket:
        socket.send("heartbeat", seq="77")
        assert socket.receive() == bytes.fromhex("0a13 0a02 3737 120d 6865617274626561745f61636b")


def test_golden_draft(port: int, wire: WireClient) -> None:
    """A draft is info 1 {seq 1, cmd 2 `draft_input`} and an Any 2 of {chat_id 1, input 2}."""
    token = wire.account().token
    with SocketClient(port).log_in(token) as writer, SocketClient(port).log_in(token) as reader:
        writer.send("inputInfo", {"chatId": "chat", "input": "你好", "deviceId": "d"}, seq="9")
        draft = pb.text(1, "chat") + pb.text(2, "你好")
        info = pb.text(1, "9") + pb.text(2, "draft_input")
        value = pb.text(1, "type.googleapis.com/hupan.DraftInput") + pb.delimited(2, draft)
        assert reader.receive() == pb.delimited(1, info) + pb.delimited(2, value)
        writer.beat()  # nothing was sent back to it
        reader.beat()


@pytest.mark.parametrize("host", ["chat-ws-go.example.com", "chat-ws-go.jwzhd.com:443", "a.test"])
def test_any_host_leads_to_it(port: int, host: str) -> None:
    """The socket is reachable by its own host name, and by the path on any host (wire.md 8.1)."""
    with RawSocket(port, upgrade(host=host)) as socket:
        assert socket.head.startswith(b"HTTP/1.1 101 ")


def test_a_draft_is_the_accounts_own(port: int, wire: WireClient) -> None:
    """Sockets of other accounts, or without a login, neither receive nor send it."""
    mine, other = wire.account().token, wire.account().token
    with (
        SocketClient(port).log_in(mine) as writer,
        SocketClient(port).log_in(other) as stranger,
        SocketClient(port) as nobody,
    ):
        nobody.send("inputInfo", {"chatId": "c", "input": "x"})
        writer.send("inputInfo", {"chatId": "c", "input": "x"})
        for socket in (nobody, writer, stranger):
            socket.beat()


@pytest.mark.parametrize("more", [{}, {"userId": "token"}, {"platform": "Fuchsia", "deviceId": 7}])
def test_the_token_alone_identifies_the_account(
    port: int, wire: WireClient, more: dict[str, object]
) -> None:
    """With any other field present or missing, there is no response and the account is online."""
    account = wire.account()
    more = {name: account.token if value == "token" else value for name, value in more.items()}
    with (
        SocketClient(port).log_in(account.token, **more) as one,
        SocketClient(port).log_in(account.token) as other,
    ):
        other.send("inputInfo", {"chatId": "c", "input": "x"}, seq="s")
        assert b"draft_input" in one.receive()


def test_a_failed_login_may_be_tried_again(port: int, wire: WireClient) -> None:
    """The refusal is a binary frame; the third one closes the socket; success has no response."""
    token = wire.account().token
    with SocketClient(port) as socket:
        for wrong in ("", "wrong"):
            socket.send("login", {"token": wrong})
            assert socket.receive() == INVALID
        socket.log_in(token)
        others: tuple[object, ...] = ({"token": None}, [], {"userId": token})
        for data in others:
            socket.send("login", data)
            assert socket.receive() == INVALID
        assert socket.closed() == POLICY


def test_a_second_login_replaces_the_first(port: int, wire: WireClient) -> None:
    """The socket then belongs to the second session: the end of the first does not close it."""
    first, second = wire.account().token, wire.account().token
    with SocketClient(port).log_in(first) as socket:
        socket.log_in(second)
        assert wire.post("user/logout", token=first).code == 1
        with SocketClient(port).log_in(second) as other:
            other.send("inputInfo", {"chatId": "c", "input": "x"})
            assert b"draft_input" in socket.receive()
            assert wire.post("user/logout", token=second).code == 1
            assert (socket.closed(), other.closed()) == (ENDED, ENDED)


def test_a_thousand_logins_at_once(port: int, wire: WireClient) -> None:
    """They are processed in order, and the socket still belongs to the account."""
    token = wire.account().token
    with SocketClient(port) as socket:
        for _ in range(1000):
            socket.send("login", {"token": token})
        socket.log_in(token)
        with SocketClient(port).log_in(token) as other:
            other.send("inputInfo", {"chatId": "c", "input": "x"})
            assert b"draft_input" in socket.receive()
            socket.beat()


@pytest.mark.parametrize(
    "junk", ["", "heartbeat", "[]", "1", "{", '{"cmd":"login"', "[" * 9000, "null", "\x00", b"{}"]
)
def test_what_is_no_json_object_is_refused(port: int, junk: str | bytes) -> None:
    """Five invalid messages close the socket; heartbeats between them work (wire.md 8.1)."""
    with SocketClient(port) as socket:
        for _ in range(4):
            socket.connection.send(junk)
            assert socket.receive() == INVALID
            socket.beat()
        socket.connection.send(junk)
        assert socket.receive() == INVALID
        assert socket.closed() == POLICY


@pytest.mark.parametrize(
    "ignored",
    [
        "{}",
        '{"cmd":"unknown","seq":1,"data":[]}',
        '{"cmd":5}',
        '{"cmd":"inputInfo","data":"x"}',
        '{"cmd":"inputInfo","data":{"chatId":[],"input":{}}}',
    ],
)
def test_an_object_that_says_nothing_is_ignored(port: int, ignored: str) -> None:
    """Unknown commands and odd values do not close the socket (wire.md 1.4)."""
    with SocketClient(port) as socket:
        for _ in range(6):
            socket.connection.send(ignored)
        socket.beat()


@pytest.mark.parametrize(("seq", "given_back"), [(7, "7"), (None, ""), ([], ""), ("号", "号")])
def test_a_sequence_is_given_back_as_text(port: int, seq: object, given_back: str) -> None:
    """This includes a number, which one client sends."""
    with SocketClient(port) as socket:
        socket.send("heartbeat", seq=seq)
        expected = acknowledgement(given_back)
        if not given_back:
            expected = pb.delimited(1, pb.text(2, "heartbeat_ack"))
        assert socket.receive() == expected


def sign_out(wire: WireClient, token: str, _phone: str) -> None:
    """Sign out as the owner."""
    assert wire.post("user/logout", token=token).code == 1


def take_offline(wire: WireClient, token: str, _phone: str) -> None:
    """Sign out the device from another one."""
    assert wire.post("user/device-offline", {"deviceId": "d"}, token=token).code == 1


def sign_in_again(wire: WireClient, _token: str, phone: str) -> None:
    """Sign in again on the same device."""
    wire.signed_in(phone, deviceId="d")


def cancel(wire: WireClient, token: str, phone: str) -> None:
    """Cancel with a code for the number."""
    body = {"phone": phone, "captcha": wire.sms_code(phone)}
    assert wire.post("user/cancel-user", body, token=token).code == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", [sign_out, take_offline, sign_in_again, cancel])
def test_the_end_of_a_session_closes_its_sockets(
    port: int, wire: WireClient, way: Callable[[WireClient, str, str], None]
) -> None:
    """All of them get code 4001; another session's socket stays (security T6)."""
    phone = wire.fresh_phone()
    token = wire.signed_in(phone, deviceId="d")
    bystander = wire.account().token
    with (
        SocketClient(port).log_in(token) as one,
        SocketClient(port).log_in(token) as two,
        SocketClient(port).log_in(bystander) as other,
    ):
        way(wire, token, phone)
        assert (one.closed(), two.closed()) == (ENDED, ENDED)
        other.beat()


def test_the_eleventh_socket_closes_the_oldest(port: int, wire: WireClient) -> None:
    """An account has ten; a new login on one of them closes none (wire.md 8.1)."""
    token = wire.account().token
    sockets = [SocketClient(port).log_in(token) for _ in range(MOST_SOCKETS)]
    sockets[-1].log_in(token)
    sockets[0].beat()
    sockets.append(SocketClient(port).log_in(token))
    assert sockets[0].closed() == POLICY
    for socket in sockets[1:]:
        socket.beat()
        socket.connection.close()


def test_connected_devices_are_shown_first(own_wire: WireClient) -> None:
    """They have the time of their connection; sessions without a socket follow (wire.md 8.1)."""
    own_wire.set_clock(set=NOW)
    phone = own_wire.fresh_phone()
    tokens = {name: own_wire.signed_in(phone, deviceId=name) for name in ("old", "new")}

    def listed() -> list[tuple[str, int]]:
        reply = own_wire.request("GET", "/v1/user/clients", token=tokens["new"])
        answer = read_answer(reply.status_code, reply.headers, reply.content)
        assert answer.message is not None
        found = answer.message.messages(2)
        return [(one.text(4), (one.number(5) - NOW) // 60) for one in found]

    assert listed() == [("new", 0), ("old", 0)]
    own_wire.set_clock(set=NOW + 3600)
    with SocketClient(own_wire.server.port).log_in(tokens["old"]) as socket:
        assert listed() == [("old", 60), ("new", 0)]
        socket.connection.close()
        with SocketClient(own_wire.server.port) as other:
            other.beat()
        assert listed() == [("new", 0), ("old", 0)]


def test_a_login_counts_the_day(own_wire: WireClient) -> None:
    """It counts once a day, like a request with the token (wire.md 5, 8.1)."""
    own_wire.set_clock(set=NOW)
    account = own_wire.account()
    online = 11

    def days() -> int:
        user = own_wire.get_user(account.id)
        assert user.message is not None
        return user.message.message(2).number(online)

    before = days()
    for _ in range(2):
        with SocketClient(own_wire.server.port).log_in(account.token):
            pass
    assert days() == before + 1


def test_banned_accounts_cannot_log_in(port: int, wire: WireClient) -> None:
    """The token of a banned account is refused like any other."""
    account = wire.account(banReason="spam")
    with SocketClient(port) as socket:
        socket.send("login", {"token": account.token})
        assert socket.receive() == INVALID
