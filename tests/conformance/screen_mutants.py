"""Defects of the first screen, of pictures, of the socket (wire.md 8.1 to 8.4) and of sign-ins."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hupan.conformance.target import Reply
from tests.conformance.mutants import (
    Mutant,
    Mutate,
    Request,
    Send,
    SocketDefect,
    in_data,
    in_json,
    in_message,
    on_reply,
    on_request,
    put,
    status,
    swap_body,
)
from tests.support import pb

INFO, USER, BETA = "/v1/user/info", "/v1/user/get-user", "/v1/beta/info"
LOGIN, SMS = "/v1/user/verification-login", "/v1/verification/get-verification-code"
EMAIL_LOGIN = "/v1/user/email-login"
REFUSED = b'{"code":1202,"msg":"x"}'
DONE = b'{"code":1,"msg":"success"}'


def answered(path: str, body: bytes) -> Mutate:
    """Answer a path without asking the server."""
    kind = (("content-type", "application/json; charset=utf-8"),)
    return lambda r, send: Reply(200, kind, body) if r.is_for(path) else send(r)


def in_login(change: Callable[[dict[str, Any]], object]) -> Mutate:
    """Change the body of a sign-in by SMS."""

    def edit(request: Request) -> Request:
        body = json.loads(request.body or b"{}")
        change(body)
        return replace(request, body=json.dumps(body).encode())

    return on_request(LOGIN, edit)


def forgiving_captcha() -> Mutate:
    """Refuse the first answer to a captcha without using it up."""
    seen: list[Request] = []

    def mutate(request: Request, send: Send) -> Reply:
        if request.is_for(SMS) and not seen:
            seen.append(request)
            return Reply(200, (("content-type", "application/json; charset=utf-8"),), REFUSED)
        return send(request)

    return mutate


def any_number() -> Mutate:
    """Accept a code for any number, not only for its own."""
    codes: dict[str, str] = {}

    def mutate(request: Request, send: Send) -> Reply:
        body = json.loads(request.body or b"{}") if request.is_for(SMS) else {}
        codes.setdefault("phone", str(body.get("mobile", "")))
        if request.is_for(LOGIN):
            login = {**json.loads(request.body or b"{}"), "mobile": codes["phone"]}
            return send(replace(request, body=json.dumps(login).encode()))
        return send(request)

    return mutate


def only_live_tokens(request: Request, send: Send) -> Reply:
    """Require a session where any token is enough."""
    token = request.headers.get("token", "")
    return send(
        replace(request, headers={}) if request.is_for(USER) and len(token) < 20 else request
    )


def password_told(request: Request, send: Send) -> Reply:
    """Reveal which of address and password was wrong."""
    if request.is_for(EMAIL_LOGIN) and b"nobody-here" in (request.body or b""):
        return replace(send(request), body=b'{"code":1302,"msg":"no such address"}')
    return send(request)


def no_heartbeat_seq(frame: bytes) -> bytes:
    """Answer a heartbeat without its seq."""
    is_ack = b"heartbeat_ack" in frame
    return pb.delimited(1, pb.text(2, "heartbeat_ack")) if is_ack else frame


def logged_in_by_nobody(frame: str) -> str:
    """Ignore a login, so that the end of its session has no effect."""
    return frame.replace('"login"', '"heartbeat"')


SCREEN_MUTANTS = [
    Mutant(
        "requests pending",
        "friend-requests",
        lambda r, send: (
            send(r)
            if b"size" in (r.body or b"")
            else in_message("/v1/friend/request-list", put(4, 1))(r, send)
        ),
    ),
    Mutant("sticky null", "small-lists", on_reply("/v1/sticky/list", swap_body("[]", "null"))),
    Mutant("beta applied", "small-lists", on_reply(BETA, swap_body("noapply", "apply"))),
    Mutant("messages sent", "not-accounts", on_reply("/v1/msg/send-message", status(200))),
    Mutant(
        "no address of the socket",
        "distribution",
        in_json("/v1/misc/configure-distribution", lambda v: v["data"].pop("websocketUrl")),
    ),
    Mutant(
        "a product that is not there",
        "shop",
        in_json("/v1/coin/shop/product-detail", lambda v: v.update(code=1)),
    ),
    Mutant(
        "no picture of a code",
        "shop",
        in_json("/v1/vip/vip-product-list", lambda v: v["data"].pop("qrCodeUrl")),
    ),
    Mutant("unknown group is 404", "web-pages", on_reply("/web/v1/group/group-info", status(404))),
    Mutant(
        "bot unwrapped", "web-pages", on_reply("/web/v1/bot/bot-info", swap_body('"bot"', '"b"'))
    ),
    Mutant("slide as PNG", "slide-captcha", on_reply("/v1/captcha/get", swap_body("jpeg", "png"))),
    Mutant("one form of hosts", "pictures", on_reply("/v4/query", swap_body('"hosts"', '"h"'))),
    Mutant("uploads without token", "pictures", answered("/", b'{"key":"k","fsize":1}')),
    Mutant("avatar refused", "pictures", answered("/v1/user/edit-avatar", REFUSED)),
    Mutant("heartbeat without seq", "heartbeat", SocketDefect(received=no_heartbeat_seq)),
    Mutant("text frames", "heartbeat", SocketDefect(received=lambda f: f.decode("latin-1"))),
    Mutant(
        "refusal in English",
        "socket-refusal",
        SocketDefect(received=lambda f: f.replace("数据不合法".encode(), b"invalid")),
    ),
    Mutant(
        "draft renamed",
        "draft",
        SocketDefect(received=lambda f: f.replace(b"draft_input", b"draft-input")),
    ),
    Mutant("draft cut", "draft", SocketDefect(sent=lambda f: f.replace("你好", "你"))),
    Mutant("sockets outlive", "socket-end", SocketDefect(sent=logged_in_by_nobody)),
    Mutant("closed as usual", "socket-end", SocketDefect(close_code=1000)),
    Mutant("header ignored", "token-header", on_request(INFO, lambda r: replace(r, headers={}))),
    Mutant(
        "numbers taken for text",
        "field-types",
        in_login(lambda b: b.update(mobile=str(b.get("mobile") or "1"))),
    ),
    Mutant("data in 4402", "unknown-user", in_message(USER, put(2, b""))),
    Mutant("bots renamed", "discovery", on_reply("/v1/user/recommend", swap_body("botList", "b"))),
    Mutant(
        "adverts half",
        "adverts",
        in_json("/v1/user/get-user-show-adv", lambda v: v["data"].pop("isShow")),
    ),
    Mutant("wrong answers forgiven", "captcha-wrong", forgiving_captcha()),
    Mutant("no captcha needed", "captcha-needed", answered(SMS, DONE)),
    Mutant("a code for any number", "code-number", any_number()),
    Mutant("no SMS", "sms-code", answered(SMS, REFUSED)),
    Mutant(
        "platform unknown",
        "platform",
        on_request(LOGIN, lambda r: replace(r, headers={"user-agent": "x"})),
    ),
    Mutant("short ids", "ids", in_data(INFO, put(1, b"7"))),
    Mutant("password unchecked", "email-login", answered("/v1/user/forget-password", DONE)),
    Mutant("which was wrong", "one-answer", password_told),
    Mutant(
        "unknown address told",
        "forget-unknown",
        answered("/v1/verification/get-email-verification-code", REFUSED),
    ),
    Mutant("bound twice", "phone-bound", answered("/v1/user/bing-phone", DONE)),
    Mutant("a session for get-user", "any-token", only_live_tokens),
]
