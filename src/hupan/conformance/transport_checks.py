"""Checks of what all endpoints have in common (wire.md 1, 2)."""

import re

from hupan.conformance import protobuf as pb
from hupan.conformance.checks import Probe, check
from hupan.conformance.world import JSON_TYPE, PROTOBUF_TYPE, World

UNKNOWN_ID = "999999999999999"
DEAD_TOKEN = "01234567-89ab-4cde-8f01-23456789abcd"  # noqa: S105 - of no session
BOUND = 1 << 53
NO_CODE = "0" * 6
_ALLOWED_HEADERS = {"token", "content-type", "device-id", "authorization"}
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
SESSION_ENDPOINTS = (
    ("GET", "user/info", PROTOBUF_TYPE),
    ("POST", "user/medal", PROTOBUF_TYPE),
    ("POST", "user/edit-nickname", PROTOBUF_TYPE),
    ("POST", "user/edit-avatar", PROTOBUF_TYPE),
    ("GET", "user/clients", PROTOBUF_TYPE),
    ("POST", "conversation/list", PROTOBUF_TYPE),
    ("POST", "friend/address-book-list", PROTOBUF_TYPE),
    ("POST", "friend/request-list", PROTOBUF_TYPE),
    ("POST", "user/get-user-data", JSON_TYPE),
    ("POST", "user/save-user-data", JSON_TYPE),
    ("POST", "user/save-user-remarks", JSON_TYPE),
    ("POST", "user/recommend-category-list", JSON_TYPE),
    ("POST", "user/recommend-list", JSON_TYPE),
    ("POST", "user/recommend", JSON_TYPE),
    ("POST", "user/module-ignore-info", JSON_TYPE),
    ("POST", "user/module-ignore", JSON_TYPE),
    ("POST", "user/notification-status", JSON_TYPE),
    ("POST", "user/notification-info", JSON_TYPE),
    ("POST", "user/gold-coin-increase-decrease-record", JSON_TYPE),
    ("POST", "user/bing-phone", JSON_TYPE),
    ("POST", "user/bing-email", JSON_TYPE),
    ("POST", "user/change-phone-check", JSON_TYPE),
    ("POST", "user/change-email-check", JSON_TYPE),
    ("POST", "user/get-user-show-adv", JSON_TYPE),
    ("POST", "user/cancel-user", JSON_TYPE),
    ("POST", "user/device-offline", JSON_TYPE),
    ("POST", "user/invite/invite-progress", JSON_TYPE),
    ("POST", "user/invite/change-user-invite-code", JSON_TYPE),
    ("POST", "coin/task/my-task-info", JSON_TYPE),
    ("GET", "misc/qiniu-token", JSON_TYPE),
    ("GET", "misc/configure-distribution", JSON_TYPE),
)


@check("unknown-path", "must", "wire.md 1.1", "未知路径为 404", "an unknown path returns 404")
def _unknown_path(world: World, probe: Probe) -> None:
    for method in ("GET", "POST"):
        probe.same(method, world.wire.send(method, "/v1/user/no-such-path").status, 404)


@check("wrong-method", "must", "wire.md 1.1", "方法不符为 404", "a wrong method returns 404")
def _wrong_method(world: World, probe: Probe) -> None:
    probe.same("GET captcha", world.wire.send("GET", "/v1/user/captcha").status, 404)
    probe.same("POST info", world.wire.send("POST", "/v1/user/info").status, 404)


@check(
    "web-prefix",
    "must",
    "wire.md 1.1",
    "/web 前缀对应 Web 接口",
    "the prefix /web selects the web API",
)
def _web_prefix(world: World, probe: Probe) -> None:
    reply = world.wire.send("GET", "/web/v1/user/homepage?userId=0")
    probe.same("status", reply.status, 200)


@check(
    "web-host",
    "must",
    "wire.md 1.1",
    "以 chat-web-go. 开头的主机名对应 Web 接口",
    "a host name that starts with chat-web-go. selects the web API",
)
def _web_host(world: World, probe: Probe) -> None:
    headers = {"host": "chat-web-go.example"}
    reply = world.wire.send("GET", "/v1/user/homepage?userId=0", None, headers)
    probe.same("status", reply.status, 200)
    plain = world.wire.send("GET", "/v1/user/homepage?userId=0")
    probe.same("app has none", plain.status, 404)


@check("token-header", "must", "wire.md 1.2", "token 请求头登录", "the header token signs in")
def _token_header(world: World, probe: Probe) -> None:
    probe.code("token", world.own_info(world.alice.token))


@check(
    "bearer",
    "should",
    "wire.md 1.2",
    "接受 Authorization: Bearer",
    "Authorization: Bearer signs in",
)
def _bearer(world: World, probe: Probe) -> None:
    bearer = f"Bearer {world.alice.token}"
    probe.code("bearer", world.call("GET", "user/info", authorization=bearer))


@check(
    "content-type-ignored",
    "must",
    "wire.md 1.3",
    "请求体的解码不取决于 Content-Type",
    "a body is decoded whatever its Content-Type",
)
def _content_type(world: World, probe: Probe) -> None:
    body = pb.text(2, world.alice.id)
    for kind in ("application/x-protobuf", "application/octet-stream", "application/json", ""):
        answer = world.post(
            "user/get-user", body, "any", **({"content_type": kind} if kind else {})
        )
        probe.code(f"protobuf as {kind or 'nothing'}", answer)
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        body_type = {"content_type": kind} if kind else {}
        answer = world.post("user/verification-login", {"captcha": NO_CODE}, **body_type)
        probe.code(f"JSON as {kind or 'nothing'}", answer, 1100)
        probe.that("field", "mobile" in answer.msg, "a message that names mobile", answer.msg)


@check(
    "json-form", "should", "wire.md 1.3", "protobuf 接口的 JSON 形式", "the JSON form of protobuf"
)
def _json_form(world: World, probe: Probe) -> None:
    body = f' {{"id": "{world.alice.id}"}}'.encode()
    answer = world.post("user/get-user", body, "any", content_type="application/json")
    probe.same("content type", answer.reply.header("content-type"), JSON_TYPE)
    probe.code("code", answer)
    probe.same("id", answer.data.get("id"), world.alice.id)


@check(
    "any-body",
    "must",
    "wire.md 1.4",
    "无参数的接口接受任何请求体",
    "endpoints without parameters accept any body",
)
def _any_body(world: World, probe: Probe) -> None:
    bodies = {"none": None, "empty": b"", "{}": b"{}", "keys": b'{"x":1}', "bytes": b"\xff\x00"}
    for name, body in bodies.items():
        probe.code(name, world.post("user/captcha", body))
    probe.code("protobuf endpoint", world.post("user/medal", b"{}", world.alice.token))


@check(
    "unknown-keys",
    "must",
    "wire.md 1.4",
    "忽略未知的键与字段",
    "unknown keys and fields are ignored",
)
def _unknown_keys(world: World, probe: Probe) -> None:
    token = world.alice.token
    body = pb.text(99, "x") + pb.number(1, 7) + pb.text(2, world.alice.id)
    probe.code("protobuf", world.post("user/get-user", body, "any"))
    probe.code("JSON", world.post("user/save-user-data", {"city": "湖州", "unknown": {}}, token))
    probe.code("null", world.post("user/save-user-data", {"city": "湖州", "district": None}, token))


@check(
    "answer-types",
    "must",
    "wire.md 1.5",
    "响应的 Content-Type 正确",
    "responses have the exact content type",
)
def _answer_types(world: World, probe: Probe) -> None:
    captcha = world.post("user/captcha").reply.header("content-type")
    probe.same("JSON", captcha, JSON_TYPE)
    own = world.own_info(world.alice.token).reply.header("content-type")
    probe.same("protobuf", own, PROTOBUF_TYPE)
    error = world.get_user(UNKNOWN_ID).reply.header("content-type")
    probe.same("protobuf error", error, PROTOBUF_TYPE)


@check("status-200", "must", "wire.md 1.5", "已知接口总是 HTTP 200", "HTTP 200 for every outcome")
def _status_200(world: World, probe: Probe) -> None:
    answers = {
        "no token": world.call("GET", "user/info"),
        "dead token": world.own_info(DEAD_TOKEN),
        "dead token, JSON": world.post("user/get-user-data", token=DEAD_TOKEN),
        "bad field": world.post("user/verification-login", b"{}"),
        "no JSON": world.post("user/verification-login", b"[["),
        "unknown user": world.get_user(UNKNOWN_ID),
        "no VIP": world.post("user/module-ignore-info", {"deviceId": "d"}, world.alice.token),
    }
    for name, answer in answers.items():
        probe.same(name, answer.reply.status, 200)
        probe.that(f"{name}: code", answer.code not in (0, 1), "a refusal", answer.code)


@check("too-large", "must", "wire.md 1.5", "超过 64 KiB 为 413", "a body over 64 KiB returns 413")
def _too_large(world: World, probe: Probe) -> None:
    body = b'{"captcha":"' + b"0" * (64 << 10) + b'"}'
    probe.same("status", world.wire.send("POST", "/v1/user/verification-login", body).status, 413)


@check("json-error", "must", "wire.md 1.6", "JSON 错误没有 data 键", "a JSON error has no data")
def _json_error(world: World, probe: Probe) -> None:
    for name, body in {"field": b"{}", "form": b"[["}.items():
        answer = world.post("user/email-login", body)
        probe.same(f"{name}: keys", sorted(answer.values), ["code", "msg"])
    success = world.post("user/captcha")
    probe.same("success: keys", sorted(success.values), ["code", "data", "msg"])
    probe.same("success: msg", success.msg, "success")


@check(
    "protobuf-error",
    "must",
    "wire.md 1.6",
    "protobuf 错误只有 status",
    "a protobuf error has only status",
)
def _protobuf_error(world: World, probe: Probe) -> None:
    answer = world.get_user(UNKNOWN_ID)
    probe.same("fields", answer.message.kinds(), {1: pb.LENGTH})
    probe.same("status", answer.message.message(1).kinds(), {1: 0, 2: 0, 3: 2})
    dead = world.own_info(DEAD_TOKEN)
    probe.same("dead token", dead.message.kinds(), {1: pb.LENGTH})


@check("protobuf-success", "must", "wire.md 3", "成功时总有 data", "a success always has data")
def _protobuf_success(world: World, probe: Probe) -> None:
    for name, answer in {
        "own info": world.own_info(world.alice.token),
        "get-user": world.get_user(world.alice.id),
    }.items():
        probe.same(name, answer.message.kinds(), {1: pb.LENGTH, 2: pb.LENGTH})


@check("no-token", "must", "wire.md 1.7", "没有令牌：JSON 的 -101", "without a token: -101 in JSON")
def _no_token(world: World, probe: Probe) -> None:
    for method, path, _ in SESSION_ENDPOINTS:
        answer = world.call(method, path)
        probe.same(f"{path}: type", answer.reply.header("content-type"), JSON_TYPE)
        probe.code(path, answer, -101)
    probe.code("empty", world.own_info(""), -101)
    probe.code("get-user", world.post("user/get-user", pb.text(2, "1")), -101)


@check(
    "dead-token",
    "must",
    "wire.md 1.7",
    "无效令牌：接口自身的格式",
    "an invalid token: -101 in the endpoint's form",
)
def _dead_token(world: World, probe: Probe) -> None:
    for method, path, kind in SESSION_ENDPOINTS:
        answer = world.call(method, path, token=DEAD_TOKEN)
        probe.same(f"{path}: type", answer.reply.header("content-type"), kind)
        probe.code(path, answer, -101)


@check("request-id", "must", "wire.md 1.8", "status.number 为正且唯一", "status.number is unique")
def _request_id(world: World, probe: Probe) -> None:
    answers = [world.get_user(UNKNOWN_ID) for _ in range(3)]
    numbers = [answer.message.message(1).number(1) for answer in answers]
    in_range = all(0 < number < BOUND for number in numbers)
    probe.that("range", in_range, "positive, below 2^53", numbers)
    probe.same("unique", len(set(numbers)), len(numbers))


@check(
    "request-id-header",
    "should",
    "wire.md 1.8",
    "x-request-id 与之相同",
    "x-request-id equals status.number",
)
def _request_id_header(world: World, probe: Probe) -> None:
    answer = world.get_user(UNKNOWN_ID)
    number = str(answer.message.message(1).number(1))
    probe.same("x-request-id", answer.reply.header("x-request-id"), number)


@check("cors", "must", "wire.md 1.9", "响应浏览器的预检", "a browser's preflight is answered")
def _cors(world: World, probe: Probe) -> None:
    reply = world.wire.send(
        "OPTIONS",
        "/v1/user/info",
        None,
        {
            "origin": "https://client.example",
            "access-control-request-method": "GET",
            "access-control-request-headers": ",".join(sorted(_ALLOWED_HEADERS)),
        },
    )
    allowed = {name.strip().lower() for name in _list(reply.header("access-control-allow-headers"))}
    probe.that("status", reply.status in (200, 204), "200 or 204", reply.status)
    probe.that("headers", allowed >= _ALLOWED_HEADERS, "all four headers", sorted(allowed))
    probe.that("origin", reply.header("access-control-allow-origin"), "an origin", "none")
    methods = reply.header("access-control-allow-methods")
    probe.that("methods", {"GET", "POST"} <= set(_list(methods)), "GET and POST", methods)


@check(
    "cors-answer", "must", "wire.md 1.9", "跨源响应可读", "a response can be read across origins"
)
def _cors_answer(world: World, probe: Probe) -> None:
    reply = world.post("user/captcha", origin="https://client.example").reply
    probe.that("origin", reply.header("access-control-allow-origin"), "an origin", "none")


@check(
    "not-compressed", "must", "wire.md 1.10", "未要求则不压缩", "no compression unless requested"
)
def _not_compressed(world: World, probe: Probe) -> None:
    for name, reply in {
        "captcha": world.post("user/captcha").reply,
        "recommend": world.post("user/recommend", token=world.alice.token).reply,
    }.items():
        probe.same(name, reply.header("content-encoding"), "")


@check("times", "must", "wire.md 1.11", "时间文本的格式", "the format of times in text")
def _times(world: World, probe: Probe) -> None:
    data = world.get_user(world.alice.id).pb_data
    registered = data.text(7)
    probe.that("register_time", _TIME.fullmatch(registered), "YYYY-MM-DD hh:mm:ss", registered)


@check(
    "own-codes", "must", "wire.md 2", "公共服务的错误码", "the error codes of the public service"
)
def _own_codes(world: World, probe: Probe) -> None:
    probe.code("unknown user", world.get_user(UNKNOWN_ID), 4402)
    probe.code("bad field", world.post("user/verification-login", b"{}"), 1100)
    body = {"deviceId": "d"}
    probe.code("no VIP", world.post("user/module-ignore-info", body, world.alice.token), -1)


@check("messages", "must", "wire.md 2", "中文错误信息", "error messages in Chinese")
def _messages(world: World, probe: Probe) -> None:
    probe.same("-101", world.call("GET", "user/info").msg, "未登录")
    probe.same("4402", world.get_user(UNKNOWN_ID).msg, "该用户不存在")
    no_vip = world.post("user/module-ignore-info", {"deviceId": "d"}, world.alice.token)
    probe.same("-1", no_vip.msg, "功能仅限VIP用户使用")
    field = world.post("user/verification-login", {"captcha": "1"}).msg
    probe.same("1100", field, "请求参数错误，mobile字段值非法")


@check(
    "english",
    "should",
    "wire.md 2",
    "Accept-Language: en 时为英文",
    "error messages in English on request",
)
def _english(world: World, probe: Probe) -> None:
    answer = world.call("GET", "user/info", accept_language="en")
    probe.that("ascii", answer.msg.isascii() and answer.msg, "an English message", answer.msg)


@check("field-types", "must", "wire.md 2", "类型错误为 1100", "a wrong type returns 1100")
def _field_types(world: World, probe: Probe) -> None:
    bodies: dict[str, dict[str, object]] = {
        "number": {"mobile": 13800138000, "captcha": NO_CODE},
        "list": {"mobile": [], "captcha": NO_CODE},
        "empty": {"mobile": "", "captcha": NO_CODE},
    }
    for name, body in bodies.items():
        probe.code(name, world.post("user/verification-login", body), 1100)


@check("banned", "must", "wire.md 2", "被封禁的账号为 7100", "a banned account returns 7100")
def _banned(world: World, probe: Probe) -> None:
    account = world.sandbox_account(banDays=3)
    probe.code("get-user", world.get_user(account.id), 7100)
    probe.code("its token", world.own_info(account.token), 7100)
    probe.code("sign-in", world.login(account.phone, world.sms_code(account.phone)), 7100)


def _list(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]
