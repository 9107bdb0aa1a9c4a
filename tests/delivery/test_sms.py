"""The HTTP gateway sender against real servers on the loopback address."""

import asyncio
import hashlib
import hmac
import json
import logging
import socket
import threading
from base64 import b64encode
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from hupan.delivery.sender import InvalidOption, Message, NotSent, OutcomeUnknown
from hupan.delivery.sms import GatewaySender
from hupan.delivery.sms_options import GatewayOptions, SuccessRule
from tests.support.certificates import issue
from tests.support.delivery_samples import (
    CODE,
    PASSWORD,
    PHONE,
    assert_discreet,
    mail,
    refusal,
    send,
    sms,
)
from tests.support.http_servers import HOST, Gateway, Seen, serving, talking

pytestmark = pytest.mark.slow

NOW = 1_760_000_060.75
JSON_BODY = '{"to": "{to}", "text": "{text}", "at": {timestamp}, "kind": ["{purpose}"]}'
TEXT = "【湖畔】验证码 493817，5 分钟内有效。请勿告诉他人。"


def options(url: str, **changes: object) -> GatewayOptions:
    """Return options for a test gateway."""
    fields: dict[str, object] = {"body": JSON_BODY, "timeout_seconds": 5.0} | changes
    return GatewayOptions(url, **fields)  # type: ignore[arg-type]  # the fields vary by test


def sender(url: str, **changes: object) -> GatewaySender:
    """Return a sender with a clock that stands still."""
    return GatewaySender(options(url, **changes), now=lambda: NOW)


def deliver(gateway: Gateway, message: Message, path: str = "/send", **changes: object) -> Seen:
    """Send one message and return the one request that arrived."""
    with serving(gateway) as port:
        send(sender(f"http://{HOST}:{port}{path}", **changes), message)
    (seen,) = gateway.seen
    return seen


def test_json_request() -> None:
    """The body is the filled template, with the headers of every request."""
    seen = deliver(Gateway(), sms(key="outbox-42"), headers={"Authorization": "Bearer k"})
    assert (seen.method, seen.target) == ("POST", "/send")
    assert json.loads(seen.body) == {
        "to": PHONE,
        "text": TEXT,
        "at": 1_760_000_060,
        "kind": ["code"],
    }
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["idempotency-key"] == "outbox-42"
    assert seen.headers["x-timestamp"] == "1760000060"
    assert seen.headers["authorization"] == "Bearer k"
    assert "x-signature" not in seen.headers


def test_signature() -> None:
    """A receiver that knows the secret can compute the signature from the request."""
    seen = deliver(Gateway(), sms(), hmac_secret="密钥", hmac_header="X-Hupan-Sign")
    signed = seen.headers["x-timestamp"].encode() + b"." + seen.body
    expected = hmac.new("密钥".encode(), signed, hashlib.sha256).hexdigest()
    assert seen.headers["x-hupan-sign"] == expected


def test_form_request() -> None:
    """A form is URL-encoded, so the plus of an international number stays a plus."""
    seen = deliver(
        Gateway(),
        sms(to="+4915112345678"),
        body="mobile={to}&content={text}&sign=%7B1%7D",
        content_type="application/x-www-form-urlencoded; charset=utf-8",
        method="PUT",
    )
    assert seen.method == "PUT"
    assert parse_qs(seen.body.decode()) == {
        "mobile": ["+4915112345678"],
        "content": [TEXT],
        "sign": ["{1}"],
    }


def test_get_request() -> None:
    """A gateway may get everything in the URL, encoded, and no body."""
    path = "/{to}/send?code={code}&text={text}"
    seen = deliver(Gateway(), sms(to="+4915112345678"), path, method="GET", body="")
    parts = urlsplit(seen.target)
    assert seen.method == "GET"
    assert parts.path == "/%2B4915112345678/send"
    assert parse_qs(parts.query) == {"code": [CODE], "text": [TEXT]}
    assert "content-type" not in seen.headers
    assert seen.body == b""


def test_header_template() -> None:
    """Header values are filled in as well."""
    seen = deliver(Gateway(), sms(), headers={"X-Mobile": "cn {to} {id}"})
    assert seen.headers["x-mobile"] == f"cn {PHONE} m-1"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_success(status: int) -> None:
    """Any 2xx means that the gateway accepted the message."""
    deliver(Gateway(status), sms())


@pytest.mark.parametrize(
    ("status", "again"),
    [(400, False), (401, False), (404, False), (429, True), (500, True), (503, True)],
)
def test_refusal_of_the_gateway_decides(status: int, *, again: bool) -> None:
    """429 and 5xx may be retried, other 4xx never; one request was made."""
    gateway = Gateway(status, body=f"{CODE} for {PHONE}".encode())
    with pytest.raises(NotSent, match=str(status)) as refused:
        deliver(gateway, sms())
    assert refusal(refused) is again
    assert len(gateway.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(status: int) -> None:
    """A redirect, even to another host, is not followed."""
    elsewhere = Gateway()
    with serving(elsewhere) as port, pytest.raises(NotSent, match=str(status)) as refused:
        deliver(Gateway(status, {"Location": f"http://{HOST}:{port}/"}), sms())
    assert refusal(refused) is False
    assert elsewhere.seen == []


SUCCESSES = [
    (SuccessRule(text="0"), b"0"),
    (SuccessRule(text="0"), b"\xef\xbb\xbf 0\r\n"),
    (SuccessRule(text="成功"), "成功".encode("gb18030")),
    (SuccessRule(pattern="0,[0-9]+"), b"0,8812345678\n"),
    (SuccessRule(pattern=".*成功.*"), '{"msg":\n"发送成功"}'.encode("gbk")),
    (SuccessRule(pattern="(ok|OK)?0"), b"OK0"),
    (SuccessRule(json_path="code", json_value="0"), b'{"code": 0, "msg": "ok"}'),
    (SuccessRule(json_path="$.code", json_value="0"), b'{"code": "0"}'),
    (SuccessRule(json_path="a.b[1].c", json_value="Ok"), b'{"a":{"b":[{},{"c":"Ok"}]}}'),
    (SuccessRule(json_path="ok", json_value="true"), b'{"ok": true}'),
    (SuccessRule(json_path="[0].code", json_value="0"), b'[{"code": 0}]'),
]
FAILURES = [
    *((SuccessRule(text="0"), body) for body in (b"30", b"50", b"0,1", b"", b"00", b"-0", b"0 0")),
    (SuccessRule(text="成功"), '{"msg":"成功"}'.encode()),
    (SuccessRule(pattern="0,[0-9]+"), b"30,1"),
    (SuccessRule(pattern="0"), b"0" + b" " * 70_000 + b"0"),
    (SuccessRule(pattern=".*0.*"), b"0" * 2001),
    (SuccessRule(json_path="code", json_value="0"), b'{"code": 30}'),
    (SuccessRule(json_path="code", json_value="0"), b'{"code": null}'),
    (SuccessRule(json_path="code", json_value="0"), b'{"code": [0]}'),
    (SuccessRule(json_path="code", json_value="0"), b'{"data": {"code": 0}}'),
    (SuccessRule(json_path="code", json_value="0"), b"[" * 60_000),
    (SuccessRule(json_path="a[9].b", json_value="0"), b'{"a": [{"b": 0}]}'),
    (SuccessRule(json_path="code", json_value="0"), b"0"),
]


@pytest.mark.parametrize(("rule", "body"), SUCCESSES)
def test_what_counts_as_a_success(rule: SuccessRule, body: bytes) -> None:
    """R07: if a gateway answers 200 to everything, the body decides."""
    deliver(Gateway(body=body), sms(), success=rule)


@pytest.mark.parametrize(("rule", "body"), FAILURES)
def test_what_is_no_success(rule: SuccessRule, body: bytes) -> None:
    """R07: `0` is not `30` (a wrong password at a gateway that is widely used)."""
    with pytest.raises(NotSent, match="without what counts as a success") as refused:
        deliver(Gateway(body=body), sms(), success=rule)
    assert refusal(refused) is False


def test_an_answer_that_is_cut_off_is_no_success() -> None:
    """R07: its rest may look like a success, and the SMS may or may not be sent."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n0")

    with talking(talk) as port, pytest.raises(OutcomeUnknown, match="closed the connection"):
        send(sender(f"http://{HOST}:{port}/send", success=SuccessRule(text="0")), sms())


def test_the_body_is_read_as_far_as_its_bound() -> None:
    """Content beyond 64 KiB is not searched."""
    with pytest.raises(NotSent):
        deliver(Gateway(body=b" " * 65_536 + b"0"), sms(), success=SuccessRule(text="0"))


@pytest.mark.parametrize(
    ("content_type", "charset", "encoding"),
    [
        ("text/plain; charset=gbk", "auto", "gb18030"),
        ('text/plain; Charset="GB2312"', "auto", "gb18030"),
        ("text/plain", "auto", "gb18030"),
        ("text/plain", "auto", "utf-8"),
        ("text/plain; charset=nothing-known", "auto", "utf-8"),
        ("text/plain; charset=hex", "auto", "utf-8"),
        ("text/plain; charset=punycode", "auto", "utf-8"),  # 64 KiB of it took 0.4 s
        ("text/plain; charset=utf-8", "auto", "gb18030"),  # a wrong label
        ("text/plain; charset=us-ascii", "auto", "utf-8"),
        ("text/plain; charset=utf-8", "gbk", "gb18030"),
        ("", "big5", "big5"),
    ],
)
def test_an_answer_is_read_by_its_charset(content_type: str, charset: str, encoding: str) -> None:
    """R07: Content-Type decides, or the setting, or the bytes themselves."""
    word = "密碼錯誤" if encoding == "big5" else "密码错误"
    gateway = Gateway(500, {"Content-Type": content_type}, word.encode(encoding))
    with pytest.raises(NotSent, match=word):
        deliver(gateway, sms(), success=SuccessRule(charset=charset))


def test_the_words_of_a_gateway_stand_in_the_log_without_secrets(subtests: pytest.Subtests) -> None:
    """L1, R07: the reason is logged on one short line; number, code and keys are masked."""
    for status in [200, 403, 500]:
        for said in [
            f"{PHONE}",
            f"+86{PHONE}",
            f"+86 {PHONE[:3]} {PHONE[3:7]} {PHONE[7:]}",
            "".join(chr(ord(digit) + 0xFEE0) for digit in PHONE),
            json.dumps("".join(f"\\u{ord(digit):04x}" for digit in PHONE)).replace("\\\\", "\\"),
            f"code {CODE}",
            "-".join(CODE),
            "".join(f"&#{ord(digit)};" for digit in CODE),
            f"key {PASSWORD}",
            f"https://sms.example/?key={PASSWORD}",
            b64encode(PASSWORD.encode()).decode(),
            f"Bearer {PASSWORD}",
        ]:
            with subtests.test(status=status, said=said):
                gateway = Gateway(
                    status, body=f"余额不足\r\n\x1b[2J {said} {'很长' * 500}".encode()
                )
                rule = SuccessRule(text="0")
                with pytest.raises(NotSent, match=r"余额不足") as refused:
                    deliver(
                        gateway,
                        sms(),
                        success=rule,
                        headers={"Authorization": f"Bearer {PASSWORD}"},
                        hmac_secret=PASSWORD,
                    )
                told = str(refused.value)
                assert_discreet(refused.value)
                assert PASSWORD not in told
                assert b64encode(PASSWORD.encode()).decode().rstrip("=") not in told
                assert told.isprintable()
                assert len(told) < 300


@pytest.mark.parametrize(
    "fields",
    [
        {"pattern": "("},
        {"pattern": "(a+)+"},
        {"pattern": "(a*)*b"},
        {"pattern": "(?:a|a)*b"},
        {"pattern": "(a|a){2,40}b"},
        {"pattern": "a*a*a*b"},
        {"pattern": "a?" * 30 + "a" * 30},
        {"pattern": "(a|a)" * 40},
        {"pattern": r"(a)\1"},
        {"pattern": "(?=a)a"},
        {"pattern": "(?P<n>a)"},
        {"json_path": "code"},
        {"json_value": "0"},
        {"json_path": "a..b", "json_value": "0"},
        {"json_path": "a[x]", "json_value": "0"},
        {"text": "0", "pattern": "0"},
        {"charset": "utf-7"},
    ],
)
def test_a_rule_that_cannot_work_is_refused(fields: dict[str, str]) -> None:
    """R07: this includes a pattern whose match could take for ever."""
    with pytest.raises(InvalidOption, match=r"^(success|answer)_"):
        SuccessRule(**fields)


def test_words_that_never_end_do_not_hide_the_status() -> None:
    """R07: the status is a refusal, however slowly the body arrives."""

    def trickle(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nx")
        connection.recv(1)

    with talking(trickle) as port, pytest.raises(NotSent, match="500") as refused:
        send(sender(f"http://{HOST}:{port}/", timeout_seconds=0.5), sms())
    assert refusal(refused) is True


def test_environment_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender does not send codes through a proxy in the environment."""
    proxy = Gateway(status=500)
    with serving(proxy) as port:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{HOST}:{port}")
        deliver(Gateway(), sms())
    assert proxy.seen == []


def test_tls(tmp_path: Path) -> None:
    """A certificate of the trusted authority for this host is accepted."""
    issued, gateway = issue(tmp_path, HOST), Gateway()
    with serving(gateway, issued.server_context()) as port:
        send(sender(f"https://{HOST}:{port}/", ca_file=str(issued.authority)), sms())
    assert len(gateway.seen) == 1


@pytest.mark.parametrize("host", ["sms.elsewhere.example", "127.0.0.2"])
def test_certificate_of_another_name_is_refused(tmp_path: Path, host: str) -> None:
    """A certificate for another name ends the connection, even if trusted (security L9)."""
    issued, gateway = issue(tmp_path, host), Gateway()
    with serving(gateway, issued.server_context()) as port, pytest.raises(NotSent) as refused:
        send(sender(f"https://{HOST}:{port}/", ca_file=str(issued.authority)), sms())
    assert refusal(refused) is True
    assert gateway.seen == []


def test_unknown_authority_is_refused(tmp_path: Path) -> None:
    """A certificate of an untrusted authority ends the connection (security L9)."""
    gateway = Gateway()
    with (
        serving(gateway, issue(tmp_path, HOST).server_context()) as port,
        pytest.raises(NotSent) as refused,
    ):
        send(sender(f"https://{HOST}:{port}/"), sms())
    assert refusal(refused) is True
    assert gateway.seen == []


def test_no_listener() -> None:
    """A gateway that is down is retried."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSent) as refused:
        send(sender(f"http://{HOST}:{port}/"), sms())
    assert refusal(refused) is True


def until_hang_up(connection: socket.socket) -> None:
    """Read without responding until the client disconnects."""
    while connection.recv(4096):
        pass


def test_hang_after_the_request_is_unknown() -> None:
    """A gateway that never answers may have sent: no retry, and no thread is left (R07)."""
    with talking(until_hang_up) as port, pytest.raises(OutcomeUnknown) as unknown:
        send(sender(f"http://{HOST}:{port}/", timeout_seconds=0.3), sms())
    assert_discreet(unknown.value)


def trickle(connection: socket.socket) -> None:
    """Answer one byte at a time, faster than any time-out of a single read."""
    connection.recv(4096)
    connection.settimeout(0.02)
    for _ in range(250):
        try:
            connection.sendall(b"H")
            if not connection.recv(4096):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def test_tar_pit_ends_at_the_deadline() -> None:
    """A trickling response blocks neither the call nor its thread beyond the deadline (R07)."""
    with talking(trickle) as port, pytest.raises(OutcomeUnknown) as unknown:
        send(sender(f"http://{HOST}:{port}/", timeout_seconds=0.3), sms())
    assert_discreet(unknown.value)


def test_tls_handshake_that_hangs_is_not_sent() -> None:
    """A gateway that never finishes the handshake received nothing."""
    with talking(until_hang_up) as port, pytest.raises(NotSent) as refused:
        send(sender(f"https://{HOST}:{port}/", timeout_seconds=0.3), sms())
    assert refusal(refused) is True


def hang_up(connection: socket.socket) -> None:
    """Read the request and disconnect."""
    connection.recv(65_536)


def babble(connection: socket.socket) -> None:
    """Send a response that is not HTTP."""
    connection.recv(65_536)
    connection.sendall(b"\xff\xfe\r\n\r\n")
    until_hang_up(connection)


def promise(connection: socket.socket) -> None:
    """Answer 202 with a body that never comes."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\n")
    until_hang_up(connection)


def test_body_that_never_comes() -> None:
    """The status decides; if the body should decide, its absence leaves the result unknown."""
    with talking(promise) as port:
        send(sender(f"http://{HOST}:{port}/"), sms())
    wanting = {"timeout_seconds": 0.3, "success": SuccessRule(text="ok")}
    with talking(promise) as port, pytest.raises(OutcomeUnknown) as unknown:
        send(sender(f"http://{HOST}:{port}/", **wanting), sms())
    assert_discreet(unknown.value)


@pytest.mark.parametrize("script", [hang_up, babble])
def test_broken_answer_is_unknown(script: object) -> None:
    """A gateway that disconnects or sends garbage after the request may have sent."""
    assert callable(script)
    with talking(script) as port, pytest.raises(OutcomeUnknown) as unknown:
        send(sender(f"http://{HOST}:{port}/?code={{code}}"), sms())
    assert_discreet(unknown.value)


async def test_hanging_gateway_costs_four_threads() -> None:
    """While four calls hang, the others wait; each is sent once (R07)."""

    async def run(port: int) -> list[BaseException | None]:
        gateway = sender(f"http://{HOST}:{port}/", timeout_seconds=0.3)
        calls = [gateway.send(sms(key=f"m-{number}")) for number in range(6)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        names = [thread.name for thread in threading.enumerate()]
        assert 0 < sum("hupan-gateway" in name for name in names) <= 4
        await gateway.close()
        return outcomes

    with socket.create_server((HOST, 0)) as listener:
        outcomes = await run(listener.getsockname()[1])
        requests = waiting_requests(listener)
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 6
    assert len(requests) == 6
    assert all(request.startswith(b"POST / HTTP/1.1\r\n") for request in requests)


def waiting_requests(listener: socket.socket) -> list[bytes]:
    """Read the requests of clients that have disconnected."""
    requests: list[bytes] = []
    listener.settimeout(0)
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return requests
        with connection:
            connection.settimeout(5)
            requests.append(connection.recv(65_536))


async def test_cancelled_call_frees_its_thread() -> None:
    """A cancelled call disconnects at once, with any time-out."""
    arrived = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.recv(4096)
        arrived.set()
        until_hang_up(connection)

    with talking(script) as port:
        gateway = sender(f"http://{HOST}:{port}/", timeout_seconds=60)
        call = asyncio.create_task(gateway.send(sms()))
        await asyncio.to_thread(arrived.wait, 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await gateway.close()
    assert arrived.is_set()


@pytest.mark.parametrize(
    "message",
    [mail(), sms(to=""), sms(to="138,139"), sms(to="1380013\r\n8000"), sms(to="+"), sms(key="a b")],
)
def test_unfit_message_is_refused(message: Message) -> None:
    """An e-mail, a target that is no single number and an invalid id cause no request."""
    with pytest.raises(NotSent) as refused:
        send(sender(f"http://{HOST}:9/"), message)
    assert refusal(refused) is False


def malformed(connection: socket.socket) -> None:
    """Answer 200 with a header line that cannot be parsed."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nGood: 1\r\nbroken line\r\nContent-Length: 0\r\n\r\n")
    connection.shutdown(socket.SHUT_WR)
    until_hang_up(connection)


def test_log_has_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """At the lowest level no log has the URL, which may contain the code (security C13)."""
    with caplog.at_level(logging.DEBUG), talking(malformed) as port:
        send(sender(f"http://{HOST}:{port}/?code={{code}}&to={{to}}"), sms())
    assert CODE not in caplog.text
    assert PHONE not in caplog.text
