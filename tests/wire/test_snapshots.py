"""Snapshots of the sandbox: saved, restored, as a file; refusals (K-7)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import httpx
import pytest

from tests.support.client import WireClient
from tests.support.pictures import picture, upload
from tests.support.servers import CHEAP_HASHES, Server
from tests.support.sockets import SocketClient

PATH = "/sandbox/snapshots"


def call(wire: WireClient, method: str, name: str = "", content: bytes = b"") -> httpx.Response:
    """Call a snapshot route."""
    return wire.http.request(method, f"{PATH}/{name}" if name else PATH, content=content)


def done(reply: httpx.Response) -> dict[str, object]:
    """Return the response of a successful call."""
    assert reply.status_code == 200, reply.text
    answer: dict[str, object] = reply.json()
    return answer


@pytest.fixture
def empty_wire(own_wire: WireClient) -> Iterator[WireClient]:
    """Yield an empty sandbox without snapshots."""
    for info in call(own_wire, "GET").json():
        done(call(own_wire, "DELETE", info["name"]))
    yield own_wire
    own_wire.request("POST", "/sandbox/reset")


def test_everything_comes_back(empty_wire: WireClient) -> None:
    """Accounts, sessions, codes, coins, messages and the clock return; newer data is gone (K-7)."""
    assert empty_wire.request("POST", "/sandbox/clock", {"freeze": True}).is_success
    phone = empty_wire.fresh_phone()
    kept = empty_wire.account(phone=phone, nickname="kept", coins=12.5, medals=["m"], vipDays=3)
    code = empty_wire.sms_code(phone)
    clock = empty_wire.http.get("/sandbox/clock").json()
    messages = empty_wire.http.get("/sandbox/outbox").json()
    info = done(call(empty_wire, "POST", "one"))
    assert (info["name"], info["accounts"], info["now"]) == ("one", 1, clock["now"])

    own = empty_wire.own_info(kept.token).pb_data
    empty_wire.set_clock(advance=86_400)
    later = empty_wire.account(phone=empty_wire.fresh_phone())
    assert empty_wire.post("user/logout", token=kept.token).code == 1
    assert done(call(empty_wire, "POST", "one/restore")) == info
    assert empty_wire.http.get("/sandbox/clock").json() == clock
    assert empty_wire.http.get("/sandbox/outbox").json() == messages
    assert empty_wire.own_info(kept.token).pb_data == own
    assert empty_wire.own_info(later.token).code == -101
    assert empty_wire.account().id == later.id  # ids continue from there
    assert empty_wire.sign_in(phone, code).code == 1

    assert empty_wire.request("POST", "/sandbox/reset").is_success
    assert empty_wire.own_info(kept.token).code == -101
    assert done(call(empty_wire, "POST", "one/restore")) == info
    assert empty_wire.own_info(kept.token).code == 1


def test_snapshots_are_listed(empty_wire: WireClient) -> None:
    """They are listed by name with their content; a new save replaces, a delete removes (K-7)."""
    assert call(empty_wire, "GET").json() == []
    done(call(empty_wire, "POST", "b"))
    empty_wire.account()
    done(call(empty_wire, "POST", "a"))
    listed = call(empty_wire, "GET").json()
    assert [(info["name"], info["accounts"]) for info in listed] == [("a", 1), ("b", 0)]
    assert all(set(i) == {"name", "savedAt", "now", "accounts", "size"} for i in listed)
    assert len(call(empty_wire, "GET", "a").content) == listed[0]["size"]
    done(call(empty_wire, "POST", "b"))
    assert [info["accounts"] for info in call(empty_wire, "GET").json()] == [1, 1]
    assert call(empty_wire, "DELETE", "a").json() == {}
    assert [info["name"] for info in call(empty_wire, "GET").json()] == ["b"]
    for method, name in (("DELETE", "a"), ("GET", "a"), ("POST", "a/restore")):
        reply = call(empty_wire, method, name)
        assert reply.status_code == 404
        assert "没有名为 a 的快照" in reply.json()["error"]


def test_groups_come_back(empty_wire: WireClient) -> None:
    """Their index is restored, too, and its versions continue (K-7)."""
    account = empty_wire.account()

    def listed() -> list[object]:
        order = {"category": "", "keyword": "西湖", "size": 5, "page": 1}
        answer = empty_wire.post("user/recommend-list", order, token=account.token)
        found = (answer.data or {})["groupList"]
        assert isinstance(found, list)
        return [group["chatId"] for group in found]

    order = {"pack": "discovery", "number": 30}
    assert empty_wire.request("POST", "/sandbox/seed", order).is_success
    before = listed()
    assert before
    done(call(empty_wire, "POST", "groups"))
    assert empty_wire.request("POST", "/sandbox/seed", order).is_success
    assert listed() != before
    done(call(empty_wire, "POST", "groups/restore"))
    assert listed() == before
    assert empty_wire.request("POST", "/sandbox/seed", order).is_success
    assert len(listed()) > 0
    done(call(empty_wire, "POST", "groups/restore"))
    assert listed() == before


@pytest.mark.slow
def test_pictures_come_back(empty_wire: WireClient) -> None:
    """Their files are restored, too, after a reset has deleted them (K-7)."""
    account = empty_wire.account()
    sent = upload(empty_wire, account.token, "shot.png", picture())
    assert sent.status_code == 200, sent.text
    seen = empty_wire.http.get("/media/shot.png")
    assert seen.status_code == 200
    done(call(empty_wire, "POST", "pictures"))
    assert empty_wire.request("POST", "/sandbox/reset").is_success
    empty_wire.set_clock(advance=1)  # deletes the file
    assert empty_wire.http.get("/media/shot.png").status_code == 404
    done(call(empty_wire, "POST", "pictures/restore"))
    empty_wire.set_clock(advance=1)
    assert empty_wire.http.get("/media/shot.png").content == seen.content


@pytest.mark.slow
def test_a_snapshot_is_a_file(empty_wire: WireClient) -> None:
    """PUT accepts what GET returned, also in another sandbox, and its sessions are valid (K-7)."""
    account = empty_wire.account(nickname="travels")
    done(call(empty_wire, "POST", "trip"))
    reply = call(empty_wire, "GET", "trip")
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    assert "trip.snapshot" in reply.headers["content-disposition"]
    with Server("sandbox", environment=CHEAP_HASHES) as server, WireClient(server) as other:
        assert other.own_info(account.token).code == -101
        info = done(call(other, "PUT", "arrived", reply.content))
        assert (info["name"], info["accounts"]) == ("arrived", 1)
        assert call(other, "GET", "arrived").content == reply.content
        done(call(other, "POST", "arrived/restore"))
        assert other.own_info(account.token).pb_data.text(2) == "travels"


@pytest.mark.parametrize(
    "name", ["-x", ".x", "x" * 65, "a b", "湖", "a%2Fb", "..", "a%00", "%2e%2e%2fhupan"]
)
@pytest.mark.one_engine
def test_a_name_is_plain(wire: WireClient, name: str) -> None:
    """Other names are refused, so they never become a file name (K-7)."""
    for method, path in (("POST", name), ("PUT", name), ("GET", name), ("DELETE", name)):
        assert call(wire, method, path).status_code in {400, 404, 405}
    assert call(wire, "GET").json() == []


def signed(lines: list[bytes]) -> bytes:
    """Return a file with the right checksum."""
    body = b"".join(line + b"\n" for line in lines)
    return body + json.dumps({"sha256": sha256(body).hexdigest()}).encode() + b"\n"


def changed(header: bytes, **values: object) -> bytes:
    """Return the first line with other values."""
    return json.dumps({**json.loads(header), **values}).encode()


def test_a_hostile_file_is_refused(empty_wire: WireClient) -> None:
    """Every damaged file is refused with a sentence, and nothing changes (K-7)."""
    account = empty_wire.account()
    done(call(empty_wire, "POST", "good"))
    good = call(empty_wire, "GET", "good").content
    header, *rest, _ = good.splitlines()
    place = next(i for i, line in enumerate(rest) if line.startswith(b'{"table":"accounts"'))
    columns, row = rest[place], json.loads(rest[place + 1])
    files = {
        b"": "这不是快照",
        b"[]": "这不是快照",
        b"\x00" * 1000: "这不是快照",
        b'{"format":"x"}': "这不是快照",
        changed(header, format="zip"): "这不是快照",
        good[:-2]: "已损坏",
        good.replace(b"1000001", b"1000002"): "已损坏",
        good[: len(good) // 2]: "已损坏",
        signed([changed(header, schema="0000"), *rest]): "另一版本",
        signed([changed(header, version=2), *rest]): "另一版本",
        signed([changed(header, key="00"), *rest]): "密钥不同",
        signed([changed(header, counters={"process": 1}), *rest]): "已损坏",
        signed([changed(header, counters={"account": -1}), *rest]): "已损坏",
        signed([header, *rest, b'{"table":"migrations","columns":[]}']): "已损坏",
        signed([header, *rest, b'{"table":"accounts","columns":["id"]}']): "已损坏",
        signed([header, b"[1]", *rest]): "已损坏",
        signed([header, *rest, columns, json.dumps([*row, 1]).encode()]): "已损坏",
        signed([header, *rest, columns, json.dumps([str(row[0]), *row[1:]]).encode()]): "已损坏",
        signed([header, *rest, columns, json.dumps([1.5, *row[1:]]).encode()]): "已损坏",
        signed([header, *rest, columns, json.dumps([2**63, *row[1:]]).encode()]): "已损坏",
        signed([header, *rest, columns, json.dumps([1, "a\0b", *row[2:]]).encode()]): "已损坏",
        signed([header, *rest, columns, b"[" * 50_000]): "已损坏",
        signed([header, *rest, columns, json.dumps([1, "\ud800", *row[2:]]).encode()]): "已损坏",
        signed([header, *rest, b'{"picture":"../../x.png","piece":"AAAA"}']): "已损坏",
        signed([header, *rest, b'{"message":{"id":"x"}}']): "消息",
        signed([header, *rest, b'{"account":{"id":"1"}}']): "消息",
        signed([header, *rest, b"{}"]): "已损坏",
    }
    for file, word in files.items():
        reply = call(empty_wire, "PUT", "bad", file)
        assert reply.status_code == 400, file[-200:]
        assert word in reply.json()["error"], (file[-200:], reply.text)
    state = json.loads(header)["state"]
    for now in (-1, 1e30):
        bad = signed([changed(header, state={**state, "now": now}), *rest])
        assert call(empty_wire, "PUT", "bad", bad).status_code == 400
    assert [info["name"] for info in call(empty_wire, "GET").json()] == ["good"]

    twice = signed([header, *rest, columns, json.dumps(row).encode()])
    assert done(call(empty_wire, "PUT", "twice", twice))["accounts"] == 1
    reply = call(empty_wire, "POST", "twice/restore")
    assert (reply.status_code, "自相矛盾" in reply.text) == (400, True)
    assert empty_wire.own_info(account.token).code == 1


@pytest.mark.slow
def test_a_restore_is_seen_whole(empty_wire: WireClient) -> None:
    """Concurrent requests find the account before or after, never without it (K-7)."""
    account = empty_wire.account()
    done(call(empty_wire, "POST", "whole"))
    others = [empty_wire.account() for _ in range(3)]
    with ThreadPoolExecutor(4) as pool:
        asking = [
            pool.submit(lambda: [empty_wire.own_info(account.token).code for _ in range(60)])
            for _ in range(3)
        ]
        for _ in range(4):
            done(call(empty_wire, "POST", "whole/restore"))
        assert {code for asked in asking for code in asked.result()} == {1}
    assert {empty_wire.own_info(other.token).code for other in others} == {-101}


def test_sockets_of_lost_sessions_are_closed(empty_wire: WireClient) -> None:
    """A socket whose session is in the snapshot stays (K-7, wire.md 8.1)."""
    kept = empty_wire.account()
    done(call(empty_wire, "POST", "sockets"))
    lost = empty_wire.account()
    with (
        SocketClient(empty_wire.server.port).log_in(kept.token) as staying,
        SocketClient(empty_wire.server.port).log_in(lost.token) as leaving,
    ):
        done(call(empty_wire, "POST", "sockets/restore"))
        assert leaving.closed() == 4001
        staying.beat()


@pytest.mark.slow
@pytest.mark.one_engine
def test_a_seed_repeats_after_reset_and_restore() -> None:
    """Tokens, codes and captchas repeat exactly (K-7)."""
    with (
        Server("sandbox", "--seed", "lake", environment=CHEAP_HASHES) as server,
        WireClient(server) as wire,
    ):

        def play() -> list[str]:
            phone = "13912345678"
            token = wire.account().token
            return [token, wire.captcha().answer, wire.sms_code(phone), wire.account().token]

        assert wire.request("POST", "/sandbox/reset").is_success
        first = play()
        assert wire.request("POST", "/sandbox/reset").is_success
        assert play() == first
        done(call(wire, "POST", "seeded"))
        second = play()
        assert second != first
        done(call(wire, "POST", "seeded/restore"))
        third = play()
        assert third[0] == second[0]
        assert third[2:] == second[2:]
        done(call(wire, "POST", "seeded/restore"))
        assert play() == third
