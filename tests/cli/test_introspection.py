"""`hupan client`, and what a registered server learns about tokens (RFC 7662)."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.support.client import WireClient
from tests.support.console import call, refused, run, written
from tests.support.servers import Server

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]

PATH = "/oauth/introspect"
STRANGER = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of the sandbox."""
    return tmp_path_factory.mktemp("introspection")


@pytest.fixture(scope="module")
def wire(folder: Path) -> Iterator[WireClient]:
    """Yield a client of a sandbox that commands may change."""
    with (
        Server("sandbox", "--limits", "--data-dir", str(folder)) as server,
        WireClient(server) as client,
    ):
        yield client


def created(folder: Path, name: str) -> tuple[str, str]:
    """Register a server; return its name and secret."""
    result = run(folder, "client", "create", name, "--json")
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)
    assert set(row) == {"name", "createdAt", "secret"}
    assert row["name"] == name
    return name, row["secret"]


@pytest.fixture(scope="module")
def backend(folder: Path, wire: WireClient) -> tuple[str, str]:
    """Return name and secret of a registered server."""
    del wire  # it has created the store
    return created(folder, "backend")


def ask(
    wire: WireClient,
    fields: Mapping[str, str],
    basic: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Introspect a token."""
    given = dict(headers or {})
    if basic is not None:
        given["authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
    reply = wire.http.post(PATH, data=fields, headers=given)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    return reply


def test_a_live_token(wire: WireClient, backend: tuple[str, str]) -> None:
    """The response has owner, start, end and device; credentials come by Basic or in the form."""
    account = wire.account(nickname="湖畔", deviceId="phone 1", platform="web")
    token = {"token": account.token}
    answer = ask(wire, token, backend).json()
    name, secret = backend
    form = {**token, "client_id": name, "client_secret": secret, "token_type_hint": "any"}
    assert ask(wire, form).json() == answer
    assert answer.pop("exp") - answer.pop("iat") == 30 * 86_400
    assert len(answer.pop("sid")) == 64
    assert answer == {
        "active": True,
        "sub": account.id,
        "username": "湖畔",
        "client_id": "hupan",
        "token_type": "Bearer",
        "device_id": "phone 1",
        "platform": "web",
    }


def test_other_tokens_are_not_active(wire: WireClient, backend: tuple[str, str]) -> None:
    """Unknown, ended and banned ones get the same response, without details (RFC 7662 2.2)."""
    ended, banned = wire.account(), wire.account(banDays=1)
    assert ask(wire, {"token": ended.token}, backend).json()["active"]
    assert wire.post("user/logout", token=ended.token).code == 1
    for token in (ended.token, banned.token, STRANGER, "x", "湖", " " + wire.account().token):
        reply = ask(wire, {"token": token}, backend)
        assert (reply.status_code, reply.content) == (200, b'{"active":false}')


def test_asking_is_no_use_of_the_session(wire: WireClient, backend: tuple[str, str]) -> None:
    """Daily introspection neither extends a session nor counts as a day online."""
    account = wire.account()
    before = ask(wire, {"token": account.token}, backend).json()
    wire.set_clock(advance=2 * 86_400)
    assert ask(wire, {"token": account.token}, backend).json() == before
    wire.set_clock(advance=29 * 86_400)
    assert ask(wire, {"token": account.token}, backend).json() == {"active": False}


def test_wrong_requests_are_named(wire: WireClient, backend: tuple[str, str]) -> None:
    """The errors are OAuth's: two kinds of credentials, no token, a field twice, a wrong method."""
    name, secret = backend
    both = {"token": "a", "client_id": name, "client_secret": secret}
    for reply in (
        ask(wire, both, backend),
        ask(wire, {}, backend),
        ask(wire, {"token": ""}, backend),
        wire.http.post(PATH, content=b"token=a&token=b", auth=backend),
        wire.http.post(PATH, content=b"token=%ff", auth=backend),
    ):
        assert (reply.status_code, reply.json()) == (400, {"error": "invalid_request"})
    large = ask(wire, {"token": "a" * 8192}, backend)
    assert (large.status_code, large.json()) == (413, {"error": "invalid_request"})
    assert wire.http.get(PATH, auth=backend).status_code == 404
    assert wire.http.post("/oauth/token", auth=backend).status_code == 404


def test_revoked_servers_are_refused(folder: Path, wire: WireClient) -> None:
    """They are refused from the next request on, even if another server takes the name."""
    first = created(folder, "short-lived")
    assert ask(wire, {"token": STRANGER}, first).status_code == 200
    call(folder, "client", "revoke", "short-lived")
    assert ask(wire, {"token": STRANGER}, first).status_code == 401
    second = created(folder, "short-lived")
    assert ask(wire, {"token": STRANGER}, first).status_code == 401
    assert ask(wire, {"token": STRANGER}, second).status_code == 200


def test_names_are_unique_and_plain(folder: Path, backend: tuple[str, str]) -> None:
    """A taken, unknown or malformed name is refused with an explanation."""
    assert "已有同名" in refused(folder, "client", "create", backend[0])
    assert "没有这个名称" in refused(folder, "client", "revoke", "nobody")
    for name in ("", "A", "a b", "a:b", ".a", "x" * 65):
        refused(folder, "client", "create", name)


def test_secrets_are_shown_once(folder: Path, backend: tuple[str, str]) -> None:
    """Neither the list nor the operators' log nor the store contains a secret (security L3)."""
    name, secret = backend
    listed = run(folder, "client", "list", "--json").stdout
    assert [row["name"] for row in json.loads(listed) if row["name"] == name] == [name]
    lines = [line for line in written(folder) if line["event"].startswith("operator-client")]
    assert {"operator-client-create"} <= {line["event"] for line in lines}
    files = [path.read_bytes() for path in folder.iterdir() if path.is_file()]
    assert secret not in listed + repr(lines)
    assert not any(secret.encode() in content for content in files)


def read_events(
    wire: WireClient, backend: tuple[str, str], last_id: str = "", *, until: str
) -> list[dict[str, str]]:
    """Read the stream until a text arrives; return the events with their fields."""
    events, headers = [], {"last-event-id": last_id} if last_id else {}
    with wire.http.stream("GET", "/oauth/events", headers=headers, auth=backend) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "text/event-stream"
        fields: dict[str, str] = {}
        for line in reply.iter_lines():
            name, _, value = line.partition(": ")
            if not line and fields:
                events.append(fields)
                if until in str(fields):
                    return events
                fields = {}
            elif name:
                fields[name] = value
    raise AssertionError(events)


def test_ends_are_sent(folder: Path, wire: WireClient, backend: tuple[str, str]) -> None:
    """A sign-out and a ban by a command are sent as events with account, session and cause."""
    out, banned = wire.account(deviceId="phone 1"), wire.account()
    sid = ask(wire, {"token": out.token}, backend).json()["sid"]
    assert wire.post("user/logout", token=out.token).code == 1
    call(folder, "account", "ban", banned.id, "--reason", "spam")
    *_, last = read_events(wire, backend, until=banned.id)
    assert json.loads(last["data"])["reason"] == "banned"
    first = read_events(wire, backend, until=out.id)[-1]
    assert first["event"] == "session-end"
    data = json.loads(first["data"])
    assert isinstance(data.pop("ended_at"), int)
    assert data == {"sub": out.id, "sid": sid, "device_id": "phone 1", "reason": "signed-out"}


def test_a_stream_is_resumed(wire: WireClient, backend: tuple[str, str]) -> None:
    """After the last id nothing is missing; after an outdated id a gap is sent first."""
    first, second = wire.account(), wire.account()
    assert wire.post("user/logout", token=first.token).code == 1
    last = read_events(wire, backend, until=first.id)[-1]["id"]
    assert wire.post("user/logout", token=second.token).code == 1
    resumed = read_events(wire, backend, last, until=second.id)
    assert "gap" not in [event.get("event") for event in resumed]
    assert int(resumed[-1]["id"]) >= int(last)
    assert read_events(wire, backend, "1", until="gap")[-1]["event"] == "gap"
    wrong = wire.http.get("/oauth/events", headers={"last-event-id": "x"}, auth=backend)
    assert wrong.status_code == 400


def test_streams_are_for_registered_servers(folder: Path, wire: WireClient) -> None:
    """Without credentials there is no stream, and a revoked server's stream ends."""
    assert wire.http.get("/oauth/events").status_code == 401
    revoked = created(folder, "listener")
    with wire.http.stream("GET", "/oauth/events", auth=revoked) as reply:
        lines = reply.iter_lines()
        assert next(lines) == "retry: 2000"
        call(folder, "client", "revoke", "listener")
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in lines:
                pass


def test_a_stream_does_not_delay_the_end(tmp_path: Path) -> None:
    """A stopping server closes the event streams instead of waiting for them."""
    with (
        Server("sandbox", "--data-dir", str(tmp_path)) as server,
        WireClient(server) as wire,
        wire.http.stream("GET", "/oauth/events", auth=created(tmp_path, "reader")) as reply,
    ):
        lines = reply.iter_lines()
        assert next(lines) == "retry: 2000"
        assert server.stop() == 0
        assert "took too long" not in server.output()
        assert "ERROR" not in server.output()


def test_guessing_is_limited(wire: WireClient, backend: tuple[str, str]) -> None:
    """Wrong secrets are logged, and count towards the limit of an address (C6, E5, L2)."""
    name, secret = backend
    wrong = [(name, secret[:-1] + "?"), ("nobody", secret), (name, ""), ("", "")]
    for credentials in (*wrong, None):
        reply = ask(wire, {"token": STRANGER}, credentials)
        assert (reply.status_code, reply.json()) == (401, {"error": "invalid_client"})
        assert reply.headers["www-authenticate"].startswith("Basic ")
    assert ask(wire, {"token": STRANGER}, headers={"authorization": "Basic ?"}).status_code == 401
    assert "event=introspection result=refused" in wire.server.output()
    statuses = [ask(wire, {"token": STRANGER}, wrong[0]).status_code for _ in range(60)]
    assert statuses[-1] == 429
    assert set(statuses) == {401, 429}
    wire.set_clock(advance=3600)
    assert ask(wire, {"token": STRANGER}, backend).status_code == 200
