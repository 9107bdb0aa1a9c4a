"""The proxies of deploy/ in front of a real server: nginx and Caddy (security D3, I10, L9)."""

import contextlib
import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import pb
from tests.support.audit_events import events
from tests.support.certificates import issue
from tests.support.client import WireClient
from tests.support.ports import LOOPBACK
from tests.support.proxies import FRONTS, MEDIA_NAMES, NAMES, front
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

NAME, WEB_NAME, SOCKET_NAME = NAMES
VISITOR, SPOOFED = "127.0.0.2", "203.0.113.9"
BEHIND = {"HUPAN_TRUSTED_PROXIES": f"{LOOPBACK}/32", "HUPAN_CLIENT_IP_HEADER": "x-real-ip"}


class Visit:
    """A client of the proxy, with its own address."""

    def __init__(self, front_url: str, context: ssl.SSLContext, backend: WireClient) -> None:
        transport = httpx.HTTPTransport(verify=context, local_address=VISITOR)
        self._http = httpx.Client(base_url=front_url, transport=transport, timeout=30)
        self.backend = backend

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
        """Send one request; names of headers have _ for -."""
        named = {"host": NAME} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self._http.request(
            method, path, content=body, headers=named, extensions={"sni_hostname": NAME}
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Yield a sandbox that trusts a proxy on this machine."""
    with Server("sandbox", environment=BEHIND) as server:
        yield server


@pytest.fixture(scope="module", params=FRONTS)
def visit(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Visit]:
    """Yield a client of each installed proxy."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp("front")
    issued = issue(folder, NAME)
    context = ssl.create_default_context(cafile=str(issued.authority))
    with (
        front(request.param, folder, server.port, issued.chain) as port,
        WireClient(server) as wire,
    ):
        visit = Visit(f"https://{LOOPBACK}:{port}", context, wire)
        yield visit
        visit.close()


def test_signing_in_works(visit: Visit) -> None:
    """A code, a token and own info in protobuf work over TLS, with the response headers (D3)."""
    phone = visit.backend.fresh_phone()
    code = visit.backend.sms_code(phone)
    body = json.dumps({"mobile": phone, "captcha": code, "deviceId": "d", "platform": "x"})
    signed_in = visit.request("POST", "/v1/user/verification-login", body.encode())
    assert signed_in.headers["content-type"] == "application/json; charset=utf-8"
    assert signed_in.headers["x-result"] == "ok"
    token = signed_in.json()["data"]["token"]
    info = visit.request("GET", "/v1/user/info", token=token)
    assert info.headers["content-type"] == "application/x-protobuf"
    assert pb.decode(info.content).message(2).text(6) == phone
    assert visit.request("GET", "/v1/user/info", token="x").headers["x-result"] == "unauthenticated"


def test_the_address_is_the_visitors(visit: Visit) -> None:
    """It is neither the proxy's address nor a forged header (security I10)."""
    body = b'{"email": "nobody@example.com", "password": "wrong one"}'
    said = {"x_real_ip": SPOOFED, "x_forwarded_for": SPOOFED, "forwarded": f"for={SPOOFED}"}
    reply = visit.request("POST", "/v1/user/email-login", body, **said)
    number = reply.headers["x-request-id"]
    (event,) = [e for e in events(visit.backend.server.output()) if e.get("request") == number]
    assert event["address"] == VISITOR


def test_the_name_selects_the_surface(visit: Visit) -> None:
    """The host name selects the web surface, through the proxy (wire.md 1.1)."""
    page = visit.request("GET", "/v1/user/homepage?userId=1", host=WEB_NAME)
    assert page.json()["data"]["user"]["registerTime"] == 0
    assert visit.request("GET", "/v1/user/homepage?userId=1").status_code == 404


def test_the_name_of_the_socket_ends_here(visit: Visit) -> None:
    """A client that opens its socket sends its token only to this server (wire.md 6)."""
    opening = {"connection": "upgrade", "upgrade": "websocket"}
    reply = visit.request("GET", "/ws", b"", host=SOCKET_NAME, **opening)
    assert reply.status_code == 426  # version and key are missing
    assert reply.headers["sec-websocket-version"] == "13"
    assert visit.request("POST", "/v1/user/captcha", host=SOCKET_NAME).json()["code"] == 1


@pytest.mark.parametrize("name", MEDIA_NAMES)
def test_the_names_of_pictures_end_here(visit: Visit, name: str) -> None:
    """An upload of 8 MiB reaches the server at these names, and gets its response (8.4)."""
    for method, path, body in (("GET", "/a.png", b""), ("POST", "/", b"x" * 8_000_000)):
        reply = visit.request(method, path, body, host=name)
        assert "x-result" in reply.headers, (reply.status_code, reply.text[:200])


@contextlib.contextmanager
def upgrading() -> Iterator[int]:
    """Run a server that accepts one upgrade at /ws and then echoes."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += connection.recv(4096)
                asked = {line.strip() for line in head.lower().split(b"\r\n")}
                assert {b"upgrade: websocket", b"connection: upgrade"} <= asked, head
                connection.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n"
                    b"upgrade: websocket\r\n\r\n"
                )
                with contextlib.suppress(ConnectionError):  # a proxy may end it
                    while data := connection.recv(4096):
                        connection.sendall(data)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(10)


@pytest.mark.parametrize("program", FRONTS)
def test_the_socket_passes(program: str, tmp_path: Path) -> None:
    """An upgrade at /ws is passed on, and then bytes go both ways (wire.md 8.1)."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    issued = issue(tmp_path, SOCKET_NAME)
    context = ssl.create_default_context(cafile=str(issued.authority))
    head = (
        f"GET /ws HTTP/1.1\r\nhost: {SOCKET_NAME}\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with (
        upgrading() as behind,
        front(program, tmp_path, behind, issued.chain) as port,
        socket.create_connection((LOOPBACK, port), timeout=15) as plain,
        context.wrap_socket(plain, server_hostname=SOCKET_NAME) as connection,
    ):
        connection.sendall(head.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"ping")
        assert connection.recv(4) == b"ping"


def test_browsers_may_ask(visit: Visit) -> None:
    """A preflight request and its headers pass (wire.md 1.9)."""
    asked = {"origin": "https://a.example", "access_control_request_method": "POST"}
    reply = visit.request("OPTIONS", "/v1/user/captcha", b"", **asked)
    assert reply.status_code == 204
    assert reply.headers["access-control-allow-origin"] == "*"


def test_large_bodies_end_early(visit: Visit) -> None:
    """Above 64 KiB Hupan refuses, far above the proxy does; the next request works (I1)."""
    little = visit.request("POST", "/v1/user/captcha", b"x" * (64 * 1024 + 1))
    assert (little.status_code, little.json()["code"]) == (413, 1113)
    # For a body that it cuts Caddy 2.6 returns 502, nginx 413.
    cut = visit.request("POST", "/v1/user/captcha", b"x" * 1_000_000)
    assert cut.status_code in (413, 502)
    assert visit.request("POST", "/v1/user/captcha").json()["code"] == 1


def test_many_requests_share_connections(visit: Visit) -> None:
    """The proxy reuses its connections to the server, and none fails."""
    found = {visit.request("GET", "/v1/user/info", token="x").status_code for _ in range(300)}
    assert found == {200}


def test_old_clients_may_come(visit: Visit) -> None:
    """TLS 1.2 is enabled: one client supports nothing newer (security L9)."""
    url = httpx.URL(str(visit.request("GET", "/healthz").url))
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx.Client(verify=context, trust_env=False) as http:
        reply = http.get(url, headers={"host": NAME}, extensions={"sni_hostname": NAME})
    assert reply.status_code == 200
