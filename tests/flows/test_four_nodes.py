"""Four server processes on one PostgreSQL: changes apply to all (R09, R10, R11, T6)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import TypeVar

import pytest

from tests.support.answers import Answer, OutboxMessage
from tests.support.client import WireClient
from tests.support.servers import Server
from tests.support.sockets import SocketClient
from tests.support.stores import Databases

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]
NODES = 4
AT_ONCE = 40
T = TypeVar("T")


class Nodes:
    """The four servers; any of them may send a message."""

    def __init__(self, clients: list[WireClient]) -> None:
        self.clients = clients

    def __getitem__(self, number: int) -> WireClient:
        """Return a client of a node; the number wraps around."""
        return self.clients[number % NODES]

    def code(self, phone: str) -> str:
        """Request a code from one node, and search for it at all of them."""
        before = {letter.id for letter in self._letters(phone)}
        assert self[0].ask_sms(phone).code == 1
        for _ in range(1000):
            new = [letter for letter in self._letters(phone) if letter.id not in before]
            if new:
                return new[0].code
            self[0].request("GET", f"/sandbox/outbox/wait?channel=sms&to={phone}&timeout=0.05")
        raise AssertionError("no message came")

    def at_once(self, act: Callable[[WireClient, int], T], times: int = AT_ONCE) -> list[T]:
        """Repeat an action concurrently, at all nodes in turn."""
        start = Barrier(times)

        def run(number: int) -> T:
            start.wait(timeout=60)
            return act(self[number], number)

        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(run, range(times)))

    def _letters(self, phone: str) -> list[OutboxMessage]:
        return [letter for wire in self.clients for letter in wire.list_outbox("sms", phone)]


@pytest.fixture(scope="module")
def nodes(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Four sandboxes with one key and one store."""
    name, folder = databases.make(), tmp_path_factory.mktemp("nodes")
    places = ("--data-dir", str(folder), "--database", databases.cluster.url(name))
    with ExitStack() as stack:
        servers = [stack.enter_context(_server(places)) for _ in range(NODES)]
        yield Nodes([stack.enter_context(WireClient(server)) for server in servers])
    databases.drop(name)


def _server(places: tuple[str, ...]) -> Server:
    return Server("sandbox", *places, environment={"HUPAN_DATABASE_POOL": "6"})


def winners(answers: list[Answer]) -> list[Answer]:
    """Return the successes."""
    return [answer for answer in answers if answer.code == 1]


def test_a_token_is_good_everywhere_until_it_ends(nodes: Nodes) -> None:
    """A sign-out at one node applies to the others at their next request (T6)."""
    for number in range(NODES):
        account = nodes[number].account()
        assert {wire.own_info(account.token).code for wire in nodes.clients} == {1}
        assert nodes[number + 1].post("user/logout", token=account.token).code == 1
        assert {wire.own_info(account.token).code for wire in nodes.clients} == {-101}


def test_one_code_opens_one_account(nodes: Nodes) -> None:
    """One code used at four nodes at once signs in once, to one account (R10, C7)."""
    phone = nodes[0].fresh_phone()
    code = nodes.code(phone)
    answers = nodes.at_once(lambda wire, at: wire.sign_in(phone, code, deviceId=f"d{at}"))
    (won,) = winners(answers)
    assert nodes[1].own_info(won.text("token")).code == 1
    assert {answer.code for answer in answers if answer is not won} == {1202}


def test_wrong_tries_everywhere_kill_the_code(nodes: Nodes) -> None:
    """Concurrent guesses at four nodes share a counter: five invalidate the code (R11, C3)."""
    phone = nodes[0].fresh_phone()
    code = nodes.code(phone)
    wrong = [f"{(int(code) + step) % 1_000_000:06d}" for step in range(1, AT_ONCE + 1)]
    assert not winners(nodes.at_once(lambda wire, at: wire.sign_in(phone, wrong[at])))
    assert nodes[0].sign_in(phone, code).code != 1


def test_a_number_goes_to_one(nodes: Nodes) -> None:
    """Of accounts that bind one number at four nodes at once, one gets it (R10, A3, J4)."""
    accounts = [nodes[number].account() for number in range(AT_ONCE)]
    phone = nodes[0].fresh_phone()
    body = {"phone": phone, "captcha": nodes.code(phone)}
    answers = nodes.at_once(
        lambda wire, at: wire.post("user/bing-phone", body, token=accounts[at].token)
    )
    assert len(winners(answers)) == 1
    bound = [nodes[1].own_info(one.token).pb_data.text(6) for one in accounts]
    assert sorted(bound) == [""] * (AT_ONCE - 1) + [phone]


def test_sessions_of_one_account_at_once(nodes: Nodes) -> None:
    """Concurrent sign-ins at four nodes never leave more sessions than allowed (T4)."""
    email, password = nodes[0].fresh_email(), "long enough 1"
    nodes[0].account(email=email, password=password, deviceId="door")
    answers = nodes.at_once(
        lambda wire, at: wire.email_login(email, password, deviceId=f"d{at}"), times=20
    )
    tokens = [answer.text("token") for answer in winners(answers)]
    assert tokens  # a node may have been too busy for some
    live = [token for token in tokens if nodes[0].own_info(token).code == 1]
    assert 0 < len(live) <= 10


def test_a_day_counts_once(nodes: Nodes) -> None:
    """The first requests of a day at four nodes at once count as one day online."""
    account = nodes[0].account()
    assert {answer.code for answer in nodes.at_once(lambda w, _: w.own_info(account.token))} == {1}
    shown = nodes[2].get_user(account.id, account.token).pb_data
    assert shown.number(11) == 1


def test_request_ids_never_meet(nodes: Nodes) -> None:
    """Request ids are unique over all nodes (wire.md 1.8)."""
    answers = nodes.at_once(lambda wire, _: wire.get_user("1"))
    assert len({answer.request_id for answer in answers}) == AT_ONCE


def test_drafts_reach_sockets_at_other_nodes(nodes: Nodes) -> None:
    """A draft written at one node arrives at the others' sockets."""
    account = nodes[0].account()
    readers = [SocketClient(wire.server.port).log_in(account.token) for wire in nodes.clients]
    with SocketClient(nodes[0].server.port).log_in(account.token) as writer:
        for reader in readers:
            assert "你好".encode() in reader.next_draft(writer, "你好")
        writer.beat()  # and received none itself
    for reader in readers:
        reader.connection.close()
