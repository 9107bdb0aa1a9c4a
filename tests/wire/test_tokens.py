"""How a token is sent, and that only the exact token is accepted (wire.md 1.2, T2)."""

import itertools

import pytest

from tests.support import pb
from tests.support.answers import NOT_SIGNED_IN, TOKEN_SHAPE, Answer, read_answer
from tests.support.client import WireClient
from tests.support.raw_http import ask, head
from tests.support.servers import Server

UNKNOWN_TOKEN = "01234567-89ab-4cde-8f01-23456789abcd"
# Code -101 as ten bytes and 未登录 in UTF-8, after the request's id.
NOT_SIGNED_IN_TAIL = bytes.fromhex("10 9bffffffffffffffff01 1a09 e69caae799bbe5bd95")


def refused(answer: Answer) -> bool:
    """Return whether the response says that there is no session."""
    return answer.code == -101 and answer.msg == NOT_SIGNED_IN


@pytest.mark.one_engine
@pytest.mark.parametrize("token", [None, ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "user/info"), ("POST", "user/get-user"), ("POST", "user/logout")],
)
def test_no_token_is_refused_in_json(
    wire: WireClient, method: str, path: str, token: str | None
) -> None:
    """No token or an empty one is -101 in JSON, on protobuf endpoints too (wire.md 1.7)."""
    body = pb.text(2, "1") if path == "user/get-user" else b""
    reply = wire.request(method, f"/v1/{path}", body, token=token)
    answer = read_answer(reply.status_code, reply.headers, reply.content)
    assert answer.form == "json"
    assert reply.json() == {"code": -101, "msg": NOT_SIGNED_IN}


def test_invalid_token_is_refused_in_protobuf(wire: WireClient) -> None:
    """An invalid token is refused in the endpoint's own message (wire.md 1.6, 1.7)."""
    answer = wire.own_info(UNKNOWN_TOKEN)
    status = b"\x08" + pb.varint(answer.request_id) + NOT_SIGNED_IN_TAIL
    assert answer.body == b"\x0a" + pb.varint(len(status)) + status


def test_bearer_is_a_fallback(wire: WireClient) -> None:
    """Without a token header, Authorization: Bearer is used (wire.md 1.2)."""
    account = wire.account()
    answer = wire.own_info(None, headers={"authorization": f"Bearer {account.token}"})
    assert answer.pb_data.text(1) == account.id


@pytest.mark.one_engine
@pytest.mark.parametrize("scheme", ["Basic {}", "{}", "Token {}", "Bearer{}", "Bearer x{}"])
def test_other_authorization_is_no_token(wire: WireClient, scheme: str) -> None:
    """Only Bearer with the exact token is a fallback (wire.md 1.2)."""
    token = wire.account().token
    assert refused(wire.own_info(None, headers={"authorization": scheme.format(token)}))


@pytest.mark.one_engine
@pytest.mark.parametrize("query", ["?token={}", "?Authorization=Bearer%20{}", "?access_token={}"])
def test_token_in_the_address_is_ignored(wire: WireClient, query: str) -> None:
    """A token in the query is ignored (security T8)."""
    reply = wire.request("GET", "/v1/user/info" + query.format(wire.account().token))
    answer = read_answer(reply.status_code, reply.headers, reply.content)
    assert answer.form == "json"
    assert refused(answer)


def test_token_in_cookie_or_body_is_ignored(wire: WireClient) -> None:
    """A token in a cookie or in a body is ignored (wire.md 1.2)."""
    token = wire.account().token
    assert refused(wire.own_info(None, headers={"cookie": f"token={token}"}))
    assert refused(wire.post("user/logout", {"token": token}))


def mutations(token: str) -> list[bytes]:
    """Return texts that resemble a token."""
    shapes = [
        token.upper(),
        token.title(),
        token.swapcase(),
        token.replace("-", ""),
        token.replace("-", "_"),
        f'"{token}"',
        f"{{{token}}}",
        f"urn:uuid:{token}",
        f"token={token}",
        f"Bearer {token}",
        f"{token}=",
        f"{token}0",
        f"0{token}",
        f"{token},",
        f"{token}, {token}",
        f"{token} {token}",
        f"{UNKNOWN_TOKEN}, {token}",
        f"{token};",
        f"{token}%",
        "%",
        "_" * 36,
        "null",
        "undefined",
        token[::-1],
        token[:8],
        "x" * 4000,
    ]
    return [shape.encode() for shape in shapes if shape != token] + [
        token.encode() + b"\xa0",
        token.encode() + b"\xc2\xa0",
        b"\xff" * 36,
        token.encode()[:-1] + b"\xb2",
    ]


def test_lookalikes_are_refused(wire: WireClient) -> None:
    """Only the exact token, byte for byte, is accepted (security T2)."""
    account = wire.account()
    accepted = [shape for shape in mutations(account.token) if not refused(wire.own_info(shape))]
    assert accepted == []
    assert wire.own_info(account.token).code == 1


def test_parts_of_a_token_are_refused(wire: WireClient) -> None:
    """No prefix, no suffix and no single changed character is accepted (security T2)."""
    token = wire.account().token
    parts = [token[:end] for end in range(1, len(token))]
    parts += [token[start:] for start in range(1, len(token))]
    parts += [
        token[:at] + ("0" if token[at] != "0" else "1") + token[at + 1 :]
        for at in range(len(token))
    ]
    assert [part for part in parts if not refused(wire.own_info(part))] == []


def tokens_of(wire: WireClient) -> tuple[str, str]:
    """Return two valid tokens of two accounts."""
    return wire.account().token, wire.account().token


def two_headers(server: Server, first: str, second: str) -> Answer:
    """Request own info with two token headers."""
    return ask(server, head("GET /v1/user/info HTTP/1.1", f"token: {first}", f"token: {second}"))


@pytest.mark.one_engine
def test_two_token_headers_are_refused(wire: WireClient) -> None:
    """Two token headers are refused, with any values (security T2)."""
    mine, other = tokens_of(wire)
    for first, second in itertools.permutations([mine, other, UNKNOWN_TOKEN], 2):
        assert refused(two_headers(wire.server, first, second)), (first, second)


@pytest.mark.slow
def test_token_shape_and_chance(wire: WireClient) -> None:
    """Tokens look like UUIDs in lower-case hex, and share nothing (wire.md 5, security T1)."""
    tokens = [wire.account().token for _ in range(50)]
    assert all(TOKEN_SHAPE.fullmatch(token) for token in tokens)
    assert len({token[:8] for token in tokens}) == len(tokens)
    assert len({token[24:] for token in tokens}) == len(tokens)


def test_secrets_are_in_no_output(wire: WireClient) -> None:
    """The server's output never has tokens or passwords (security T8)."""
    password, email = "canary-7d1f-柳浪闻莺", wire.fresh_email()
    door = wire.account(email=email, password=password).token
    token = wire.email_login(email, password, deviceId="log").text("token")
    assert wire.own_info(token).code == 1
    wire.post("user/logout", token=token)
    wire.email_login(email, password + "wrong")
    output = wire.server.output()
    assert not [secret for secret in (door, token, password) if secret in output]
