"""Checks of captchas, codes, sign-in and sessions (wire.md 4, 5, 7)."""

import base64
import re

from hupan.conformance import protobuf as pb
from hupan.conformance.checks import Probe, check
from hupan.conformance.transport_checks import NO_CODE
from hupan.conformance.world import LIMITED_CODES, World

_PNG_PREFIX = "data:image/png;base64,"
_TOKEN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MIN_ID_DIGITS = 7
_MAX_WRONG = 5
PASSWORD = "lake-side willow 7316"  # noqa: S105 - of accounts that the checks make


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}" if code.isdigit() else f"x{code}"


@check("captcha", "must", "wire.md 4 user/captcha", "图形验证码的形式", "the form of a captcha")
def _captcha(world: World, probe: Probe) -> None:
    first, second = world.post("user/captcha").data, world.post("user/captcha").data
    picture = str(first.get("b64s"))
    probe.that("prefix", picture.startswith(_PNG_PREFIX), _PNG_PREFIX, picture[:40])
    probe.that("lines", "\n" not in picture, "no line breaks", "a line break")
    try:
        png = base64.b64decode(picture.partition(",")[2], validate=True)
    except ValueError:
        png = b""
    probe.same("PNG", png[:8], b"\x89PNG\r\n\x1a\n")
    size = (int.from_bytes(png[16:20]), int.from_bytes(png[20:24]))
    probe.same("size", size, (230, 60))
    probe.that("id", isinstance(first.get("id"), str), "a string", first.get("id"))
    probe.that("unique", first.get("id") != second.get("id"), "another id", second.get("id"))


@check(
    "captcha-length",
    "known",
    "wire.md 4 user/captcha",
    "图形验证码默认四个字符",
    "four characters by default",
)
def _captcha_length(world: World, probe: Probe) -> None:
    probe.same("length", len(str(world.solved_captcha()["code"])), 4)


@check(
    "captcha-once",
    "must",
    "wire.md 4 user/captcha",
    "图形验证码只能用一次",
    "a captcha is valid once",
)
def _captcha_once(world: World, probe: Probe) -> None:
    phone, solved = world.new_phone(), world.solved_captcha()
    path = "verification/get-verification-code"
    probe.code("first", world.post(path, {"mobile": phone, **solved}))
    probe.refused("second", world.post(path, {"mobile": phone, **solved}))


@check(
    "captcha-wrong",
    "must",
    "wire.md 4 user/captcha",
    "答错即失效",
    "a wrong answer uses a captcha up",
)
def _captcha_wrong(world: World, probe: Probe) -> None:
    phone, solved = world.new_phone(), world.solved_captcha()
    path = "verification/get-verification-code"
    wrong = {**solved, "code": _wrong(str(solved["code"]))}
    probe.refused("wrong", world.post(path, {"mobile": phone, **wrong}))
    probe.refused("right afterwards", world.post(path, {"mobile": phone, **solved}))


@check(
    "captcha-needed",
    "must",
    "wire.md 4 get-verification-code",
    "须先答对图形验证码",
    "a code requires a captcha",
)
def _captcha_needed(world: World, probe: Probe) -> None:
    body = {"mobile": "13800138000", "id": "no-such-captcha", "code": "2345"}
    probe.refused("SMS", world.post("verification/get-verification-code", body))
    body = {"email": "a@example.com", "id": "no-such-captcha", "code": "2345"}
    probe.refused("e-mail", world.post("verification/get-email-verification-code", body))


@check("slide-captcha", "should", "wire.md 8.6", "滑块验证码的形式", "the form of a slide captcha")
def _slide(world: World, probe: Probe) -> None:
    data = world.post("captcha/get").data
    probe.same("type", data.get("type"), "slide")
    probe.same("master_size", data.get("master_size"), {"width": 300, "height": 220})
    probe.same("tile_size", data.get("tile_size"), {"width": 70, "height": 70})
    master, tile = str(data.get("master_image")), str(data.get("tile_image"))
    probe.that("master", master.startswith("data:image/jpeg;base64,"), "a JPEG", master[:30])
    probe.that("tile", tile.startswith(_PNG_PREFIX), "a PNG", tile[:30])
    probe.that("tile_y", type(data.get("tile_y")) is int, "an integer", data.get("tile_y"))


@check("sms-code", "must", "wire.md 4 get-verification-code", "六位数字", "six digits by SMS")
def _sms_code(world: World, probe: Probe) -> None:
    phone = world.new_phone()
    answer = world.request_sms(phone)
    if answer.code not in LIMITED_CODES:
        probe.code("answer", answer)
    code = world.code_of(answer, "sms", phone)
    probe.that("digits", re.fullmatch(r"[0-9]{6}", code), "six digits", f"{len(code)} characters")


@check(
    "code-once",
    "must",
    "wire.md 4 get-verification-code",
    "验证码只能用一次",
    "a code is valid once",
)
def _code_once(world: World, probe: Probe) -> None:
    phone = world.new_phone()
    code = world.sms_code(phone)
    probe.code("first", world.login(phone, code))
    probe.refused("second", world.login(phone, code))


@check(
    "code-wrong",
    "must",
    "wire.md 4 get-verification-code",
    "输错五次后失效",
    "five wrong attempts revoke a code",
)
def _code_wrong(world: World, probe: Probe) -> None:
    phone = world.new_phone()
    code = world.sms_code(phone)
    for attempt in range(_MAX_WRONG):
        probe.refused(f"wrong {attempt + 1}", world.login(phone, _wrong(code)))
    probe.refused("right afterwards", world.login(phone, code))


@check(
    "code-number",
    "must",
    "wire.md 4 get-verification-code",
    "只对该号码有效",
    "a code is valid for its number only",
)
def _code_number(world: World, probe: Probe) -> None:
    phone, other = world.new_phone(), world.new_phone()
    code = world.sms_code(phone)
    probe.refused("other number", world.login(other, code))
    probe.code("number with +86", world.login(f"+86{phone}", code))


@check(
    "optional-fields",
    "must",
    "wire.md 4 verification-login",
    "设备可以省略",
    "the device is optional",
)
def _optional(world: World, probe: Probe) -> None:
    phone = world.new_phone()
    token = world.sign_in(phone)
    probe.that("token", _TOKEN.fullmatch(token), "8-4-4-4-12 lower-case hex", "another form")
    again = world.sign_in(phone, deviceId=None, platform=None)
    probe.that("another", again != token, "another token", "the same")
    probe.code("first stays", world.own_info(token))


@check("one-session", "must", "wire.md 5", "同一设备再次登录则替换", "one session for each device")
def _one_session(world: World, probe: Probe) -> None:
    phone = world.new_phone()
    first = world.sign_in(phone, deviceId="one", platform="android")
    other = world.sign_in(phone, deviceId="two", platform="ios")
    second = world.sign_in(phone, deviceId="one", platform="android")
    probe.code("replaced", world.own_info(first), -101)
    probe.code("other device", world.own_info(other))
    probe.code("new", world.own_info(second))


@check("clients", "must", "wire.md 3 clients", "设备列表的字段", "the fields of clients")
def _clients(world: World, probe: Probe) -> None:
    phone = world.new_phone()
    token = world.sign_in(phone, deviceId="desk", platform="windows")
    answer = world.call("GET", "user/clients", token=token)
    probe.code("code", answer)
    found = answer.message.messages(2)
    probe.same("number", len(found), 1)
    for client in found:
        probe.same("fields", client.kinds(), {1: 2, 3: 2, 4: 2, 5: 0})
        probe.same("platform", client.text(3), "windows")
        probe.same("device", client.text(4), "desk")


@check(
    "platform",
    "should",
    "wire.md 4 verification-login",
    "由 User-Agent 得出平台",
    "the platform from User-Agent",
)
def _platform(world: World, probe: Probe) -> None:
    phone = world.new_phone()
    body = {"mobile": phone, "captcha": world.sms_code(phone), "deviceId": "d"}
    answer = world.post("user/verification-login", body, user_agent="okhttp/4.12.0")
    token = str(answer.data.get("token"))
    found = world.call("GET", "user/clients", token=token).message.messages(2)
    probe.same("platform", [client.text(3) for client in found], ["android"])


@check("logout", "must", "wire.md 4 user/logout", "退出后令牌失效", "a sign-out ends the token")
def _logout(world: World, probe: Probe) -> None:
    phone = world.new_phone()
    token, other = world.sign_in(phone, deviceId="a"), world.sign_in(phone, deviceId="b")
    probe.code("sign-out", world.post("user/logout", {"device-id": "a"}, token))
    probe.code("token", world.own_info(token), -101)
    probe.code("other session", world.own_info(other))
    probe.code("without a body", world.post("user/logout", None, other))
    probe.code("other token", world.own_info(other), -101)


@check(
    "device-offline",
    "must",
    "wire.md 4 user/device-offline",
    "使一台设备下线",
    "signing out one device",
)
def _device_offline(world: World, probe: Probe) -> None:
    phone = world.new_phone()
    token, other = world.sign_in(phone, deviceId="a"), world.sign_in(phone, deviceId="b")
    probe.code("request", world.post("user/device-offline", {"deviceId": "b"}, token))
    probe.code("ended", world.own_info(other), -101)
    probe.code("caller", world.own_info(token))


@check("ids", "must", "wire.md 5", "编号为递增的十进制数", "ids are ascending decimal numbers")
def _ids(world: World, probe: Probe) -> None:
    first, second = world.alice.id, world.sign_up().id
    for name, found in (("first", first), ("second", second)):
        is_id = found.isdecimal() and len(found) >= _MIN_ID_DIGITS
        probe.that(name, is_id, "seven digits and more", found)
    ascends = first.isdecimal() and second.isdecimal() and int(first) < int(second)
    probe.that("order", ascends, "ascending", f"{first}, {second}")


@check("email-login", "must", "wire.md 4 user/email-login", "邮箱登录", "sign-in by e-mail")
def _email_login(world: World, probe: Probe) -> None:
    account, email = world.sign_up(), world.new_email()
    bound = {"email": email, "captcha": world.email_code(email)}
    probe.code("bing-email", world.post("user/bing-email", bound, account.token))
    probe.same("own info", world.own_info(account.token).pb_data.text(7), email)
    code = world.email_code(email, typ="forget_password")
    other_use = world.post("user/change-email-check", {**bound, "captcha": code}, account.token)
    probe.refused("typ restricts", other_use)
    code = world.email_code(email, typ="forget_password")  # a wrong use may revoke a code
    reset = {"email": email, "captcha": code, "password": PASSWORD}
    probe.code("forget-password", world.post("user/forget-password", reset))
    probe.code("sessions ended", world.own_info(account.token), -101)
    login = {"email": email.upper(), "password": PASSWORD}
    probe.code("any case", world.post("user/email-login", login))


@check(
    "one-answer",
    "must",
    "wire.md 4 user/email-login",
    "出错时响应相同",
    "every failure gets the same response",
)
def _one_answer(world: World, probe: Probe) -> None:
    account, email = world.sign_up(), world.new_email()
    bound = {"email": email, "captcha": world.email_code(email)}
    probe.code("bing-email", world.post("user/bing-email", bound, account.token))
    wrong = {
        "no password": {"email": email, "password": PASSWORD},
        "unknown": {"email": "nobody-here@example.com", "password": PASSWORD},
    }
    answers = {name: world.post("user/email-login", body) for name, body in wrong.items()}
    for name, answer in answers.items():
        probe.refused(name, answer)
    texts = {(answer.code, answer.msg) for answer in answers.values()}
    probe.same("alike", len(texts), 1)


@check(
    "forget-unknown",
    "must",
    "wire.md 4 get-email-verification-code",
    "未知邮箱：响应相同且不发邮件",
    "an unknown address: the same response, no e-mail",
)
def _forget_unknown(world: World, probe: Probe) -> None:
    email = world.new_email()
    probe.code("answer", world.request_email(email, typ="forget_password"))
    if world.has_sandbox:
        probe.same("mails", len(world.outbox("email", email)), 0)


@check(
    "phone-bound",
    "must",
    "wire.md 4 user/bing-phone",
    "已绑定则拒绝",
    "a number that is already bound is refused",
)
def _phone_bound(world: World, probe: Probe) -> None:
    account, phone = world.sign_up(), world.new_phone()
    proof = {"phone": phone, "captcha": world.sms_code(phone)}
    probe.refused("bing-phone", world.post("user/bing-phone", proof, account.token))
    proof = {"phone": phone, "captcha": world.sms_code(phone)}
    probe.code("change", world.post("user/change-phone-check", proof, account.token))
    probe.same("own info", world.own_info(account.token).pb_data.text(6), phone)


@check("cancel", "must", "wire.md 4 user/cancel-user", "注销账号", "cancelling an account")
def _cancel(world: World, probe: Probe) -> None:
    account = world.sign_up()
    body = {"phone": account.phone, "captcha": NO_CODE}
    wrong = world.post("user/cancel-user", body, account.token)
    probe.refused("wrong code", wrong)
    body["captcha"] = world.sms_code(account.phone)
    probe.code("request", world.post("user/cancel-user", body, account.token))
    probe.code("token", world.own_info(account.token), -101)
    probe.code("get-user", world.get_user(account.id), 4402)


@check("any-token", "must", "wire.md 4 user/get-user", "任何非空令牌", "get-user accepts any token")
def _any_token(world: World, probe: Probe) -> None:
    for token in ("x", "0", "not a token"):
        answer = world.post("user/get-user", pb.text(2, world.alice.id), token)
        probe.code(token, answer)
