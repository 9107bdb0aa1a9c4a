"""The checks find every planted defect of a server (kit K-10)."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hupan.conformance import screen_checks
from hupan.conformance.checks import run_checks
from hupan.conformance.suite import ALL_CHECKS
from hupan.conformance.target import Reply, Wire, parse_target
from hupan.conformance.world import Account, World
from tests.conformance.mutants import (
    Mutant,
    Mutate,
    MutatedWire,
    Request,
    Send,
    SocketDefect,
    first_answer_again,
    header,
    in_data,
    in_json,
    in_message,
    moved,
    on_reply,
    on_request,
    put,
    status,
    swap_body,
    without,
)
from tests.conformance.screen_mutants import SCREEN_MUTANTS
from tests.support import pb
from tests.support.servers import CHEAP_HASHES, Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

BY_ID = {check.id: check for check in ALL_CHECKS}
CAPTCHA, INFO, USER = "/v1/user/captcha", "/v1/user/info", "/v1/user/get-user"
LOGIN, DATA = "/v1/user/verification-login", "/v1/user/get-user-data"
SMS, CLIENTS = "/v1/verification/get-verification-code", "/v1/user/clients"


def unauthorized_is_401(request: Request, send: Send) -> Reply:
    """Answer -101 with HTTP 401."""
    reply = send(request)
    is_unauthenticated = reply.header("x-result") == "unauthenticated"
    return replace(reply, status=401) if is_unauthenticated else reply


def missing_token_in_protobuf(request: Request, send: Send) -> Reply:
    """Answer a missing token of a protobuf endpoint in protobuf."""
    if request.is_for(INFO) and "token" not in request.headers:
        return send(replace(request, headers={"token": "dead"}))
    return send(request)


def decoder_by_content_type(request: Request, send: Send) -> Reply:
    """Accept JSON only with its content type."""
    is_json = request.headers.get("content-type", "").startswith("application/json")
    if request.is_for(LOGIN) and not is_json:
        return send(replace(request, body=b"[["))
    return send(request)


def strict_keys(request: Request, send: Send) -> Reply:
    """Refuse a body with an unknown key."""
    if request.body and b'"unknown"' in request.body:
        return send(replace(request, body=b"[["))
    return send(request)


def small_bodies(request: Request, send: Send) -> Reply:
    """Answer a body that is too large like any unreadable one."""
    return send(replace(request, body=b"[[") if len(request.body or b"") > 60_000 else request)


def bearer_dropped(request: Request) -> Request:
    """Read only the header `token`."""
    kept = {name: value for name, value in request.headers.items() if name != "authorization"}
    return replace(request, headers=kept)


def only_app(request: Request) -> Request:
    """Route by the path alone."""
    kept = {name: value for name, value in request.headers.items() if name != "host"}
    return replace(request, headers=kept)


def nothing_done(path: str) -> Mutate:
    """Answer success without doing anything."""
    done = b'{"code":1,"msg":"success"}'

    def mutate(request: Request, send: Send) -> Reply:
        if not request.is_for(path):
            return send(request)
        kind = (("content-type", "application/json; charset=utf-8"),)
        return Reply(200, kind, done)

    return mutate


def one_device(request: Request) -> Request:
    """Treat all devices as one."""
    body = json.loads(request.body or b"{}")
    body["deviceId"] = "same"
    return replace(request, body=json.dumps(body).encode())


def no_device(request: Request) -> Request:
    """Replace no session."""
    body = json.loads(request.body or b"{}")
    body.pop("deviceId", None)
    return replace(request, body=json.dumps(body).encode())


def other_nickname_field(request: Request) -> Request:
    """Read the nickname from field 2."""
    fields = pb.decode(request.body or b"").fields
    moved_fields = [
        pb.text(3 if n == 2 else 9, v.decode()) for n, _, v in fields if isinstance(v, bytes)
    ]
    return replace(request, body=b"".join(moved_fields))


MUTANTS = [
    Mutant("404 is 200", "unknown-path", on_reply("/v1/user/no-such-path", status(200))),
    Mutant("wrong method is 405", "wrong-method", on_reply(CAPTCHA, status(405))),
    Mutant("no web prefix", "web-prefix", on_reply("/web/v1/user/homepage", status(404))),
    Mutant("no web host", "web-host", on_request("", only_app)),
    Mutant("no bearer", "bearer", on_request("", bearer_dropped)),
    Mutant("decoder by type", "content-type-ignored", decoder_by_content_type),
    Mutant("no JSON form", "json-form", on_reply(USER, header("content-type", "text/json"))),
    Mutant("strict keys", "unknown-keys", strict_keys),
    Mutant(
        "a body is needed",
        "any-body",
        lambda r, send: send(r) if r.body else replace(send(r), body=b'{"code":1100,"msg":"x"}'),
    ),
    Mutant(
        "type without charset",
        "answer-types",
        on_reply("", header("content-type", "application/json")),
    ),
    Mutant(
        "octet-stream",
        "answer-types",
        on_reply(INFO, header("content-type", "application/octet-stream")),
    ),
    Mutant("-101 is 401", "status-200", unauthorized_is_401),
    Mutant("413 is 200", "too-large", small_bodies),
    Mutant(
        "data null in errors",
        "json-error",
        in_json("/v1/user/email-login", lambda v: v.update(data=None)),
    ),
    Mutant("no msg on success", "json-error", in_json(CAPTCHA, lambda v: v.pop("msg"))),
    Mutant("data in errors", "protobuf-error", in_message(USER, put(2, b""))),
    Mutant("no data on success", "protobuf-success", in_message(INFO, without(2))),
    Mutant("missing token in protobuf", "no-token", missing_token_in_protobuf),
    Mutant("dead token in JSON", "dead-token", on_request(INFO, lambda r: replace(r, headers={}))),
    Mutant("same request id", "request-id", in_data(USER, put(1, 7), at=1)),
    Mutant("huge request id", "request-id", in_data(USER, put(1, 1 << 60), at=1)),
    Mutant("no x-request-id", "request-id-header", on_reply("", header("x-request-id", None))),
    Mutant(
        "preflight without token",
        "cors",
        on_reply("", header("access-control-allow-headers", "content-type")),
    ),
    Mutant(
        "no origin in answers",
        "cors-answer",
        on_reply("", header("access-control-allow-origin", None)),
    ),
    Mutant("always compressed", "not-compressed", on_reply("", header("content-encoding", "gzip"))),
    Mutant("ISO times", "times", in_data(USER, put(7, b"2026-01-01T00:00:00Z"))),
    Mutant("4404 for 4402", "own-codes", in_data(USER, put(2, 4404), at=1)),
    Mutant(
        "English messages",
        "messages",
        on_request("", lambda r: replace(r, headers={**r.headers, "accept-language": "en"})),
    ),
    Mutant(
        "Chinese only",
        "english",
        on_request(
            "",
            lambda r: replace(
                r, headers={n: v for n, v in r.headers.items() if n != "accept-language"}
            ),
        ),
    ),
    Mutant("field unnamed", "messages", on_reply(LOGIN, swap_body("mobile", "phone"))),
    Mutant(
        "misprint image//png", "captcha", on_reply(CAPTCHA, swap_body("image/png", "image//png"))
    ),
    Mutant("bare base64", "captcha", on_reply(CAPTCHA, swap_body("data:image/png;base64,", ""))),
    Mutant("captcha twice", "captcha-once", first_answer_again(SMS)),
    Mutant("captcha id repeats", "captcha", first_answer_again(CAPTCHA)),
    Mutant("code twice", "code-once", first_answer_again(LOGIN)),
    Mutant("code unchecked", "code-wrong", nothing_done(LOGIN)),
    Mutant(
        "upper-case token",
        "optional-fields",
        on_reply(
            LOGIN,
            lambda r: replace(
                r,
                body=r.body.upper()
                .replace(b"TOKEN", b"token")
                .replace(b"CODE", b"code")
                .replace(b"DATA", b"data"),
            ),
        ),
    ),
    Mutant("one session each", "optional-fields", on_request(LOGIN, one_device)),
    Mutant("devices pile up", "one-session", on_request(LOGIN, no_device)),
    Mutant("clients renumbered", "clients", in_data(CLIENTS, moved(3, 2))),
    Mutant("logout does nothing", "logout", nothing_done("/v1/user/logout")),
    Mutant("offline does nothing", "device-offline", nothing_done("/v1/user/device-offline")),
    Mutant("phone hidden", "own-info", in_data(INFO, without(6))),
    Mutant("coins as a varint", "own-info", in_data(INFO, put(8, 12))),
    Mutant(
        "coins in hundredths",
        "own-info-vip",
        in_data(
            INFO,
            lambda f: [(n, k, b"\0" * 6 + b"\x93\x40") if n == 8 else (n, k, v) for n, k, v in f],
        ),
    ),
    Mutant("vip_status lost", "own-info-vip", in_data(INFO, without(11))),
    Mutant("get-user renumbered", "get-user", in_data(USER, moved(7, 8))),
    Mutant(
        "phone shown",
        "get-user",
        on_reply(USER, lambda r: replace(r, body=r.body + pb.text(9, ALICE[0].phone))),
    ),
    Mutant(
        "medals wrapped",
        "get-user-vip",
        in_message(
            "/v1/user/medal", lambda f: [(2, 2, b"") if n == 2 else (n, k, v) for n, k, v in f]
        ),
    ),
    Mutant(
        "nickname in field 2",
        "edit-nickname",
        on_request("/v1/user/edit-nickname", other_nickname_field),
    ),
    Mutant("edit answers data", "edit-avatar", in_message("/v1/user/edit-avatar", put(2, b""))),
    Mutant(
        "ten keys", "personal-data", in_json(DATA, lambda v: v["data"]["data"].pop("update_time"))
    ),
    Mutant(
        "null city", "personal-data", in_json(DATA, lambda v: v["data"]["data"].update(city=None))
    ),
    Mutant("remarks for all", "remarks", in_data(USER, put(18, pb.text(1, "老友")))),
    Mutant("notifications not kept", "notifications", nothing_done("/v1/user/notification-info")),
    Mutant(
        "amounts as text",
        "coin-record",
        in_json(
            "/v1/user/gold-coin-increase-decrease-record",
            lambda v: [
                e.update(afterAmount="12.50") for e in v.get("data", {}).get("goldCoinRecord", [])
            ],
        ),
    ),
    Mutant("modules not kept", "module-ignore", nothing_done("/v1/user/module-ignore")),
    Mutant(
        "invitation not kept",
        "invitations",
        nothing_done("/v1/user/invite/change-user-invite-code"),
    ),
    Mutant(
        "unknown homepage refused",
        "web-homepage",
        in_json("/web/v1/user/homepage", lambda v: v.update(code=4402)),
    ),
    Mutant(
        "avatarId a number",
        "web-info",
        in_json("/web/v1/user/info", lambda v: v["data"]["user"].update(avatarId=0)),
    ),
    Mutant("no md5", "conversations", in_message("/v1/conversation/list", without(4))),
    Mutant("groups unnamed", "address-book", in_data("/v1/friend/address-book-list", without(1))),
    Mutant(
        "spelt right",
        "server-settings",
        in_json(
            "/v1/misc/setting",
            lambda v: v["data"].update(fileSizeLimitVip=v["data"].pop("fileeSizeLimitVip")),
        ),
    ),
    Mutant(
        "search one group",
        "home-search",
        in_json("/v1/search/home-search", lambda v: v["data"].update(list=v["data"]["list"][:1])),
    ),
    Mutant(
        "scope without policy",
        "upload-token",
        in_json("/v1/misc/qiniu-token", lambda v: v["data"].update(token="a:b")),
    ),
    Mutant("cancel does nothing", "cancel", nothing_done("/v1/user/cancel-user")),
    Mutant("ban hidden", "banned", in_data(USER, put(2, 4402), at=1)),
    *SCREEN_MUTANTS,
]
ALICE: list[Account] = []


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Yield the address of a sandbox that has an account."""
    with Server("sandbox", "--quiet", environment=CHEAP_HASHES) as server:
        ALICE[:] = [World(Wire(parse_target(server.url))).alice]
        yield server.url


def problems_of(url: str, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what the mutant's check finds."""
    target, ends_at = parse_target(url), time.monotonic() + 60
    if isinstance(mutant.defect, SocketDefect):
        monkeypatch.setattr(screen_checks, "connect", mutant.defect.connect)
        world = World(Wire(target, "", ends_at))
    else:
        world = World(MutatedWire(target, "", ends_at, mutant.defect))
    world.__dict__["alice"] = ALICE[0]  # the account that a whole run has created by then
    [outcome] = run_checks(world, [BY_ID[mutant.found_by]])
    return [*outcome.problems]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_mutant_is_found(url: str, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check that is responsible reports the defect."""
    assert problems_of(url, mutant, monkeypatch) != []


def test_a_sandbox_conforms(url: str) -> None:
    """Without a defect every check passes: no must, no should, no difference."""
    outcomes = run_checks(World(Wire(parse_target(url))), ALL_CHECKS)
    assert [
        (one.check.id, one.status, one.problems) for one in outcomes if one.status != "passed"
    ] == []


def test_there_are_enough() -> None:
    """There are at least forty defects, and no name is used twice."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 40


def test_every_check_finds_something() -> None:
    """Every check fails for some defect; the length of a captcha is not on the wire."""
    assert {mutant.found_by for mutant in MUTANTS} == set(BY_ID) - {"captcha-length"}
