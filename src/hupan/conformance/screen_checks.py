"""Checks of a client's first screen, of pictures and of the socket (wire.md 8.1, 8.2, 8.3, 8.4)."""

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from hupan.conformance import protobuf as pb
from hupan.conformance.account_checks import check_types
from hupan.conformance.checks import Probe, check
from hupan.conformance.target import Unreachable
from hupan.conformance.world import World

_INVALID = "数据不合法".encode()
_ENDED = 4001
_MAX_DRAFTS, _DRAFT_SECONDS = 30, 0.1
_MD5_CHARACTERS = 32
_TOKEN_PARTS = 3
_PICTURE_HOST = "chat-img.jwznb.com"
_BOUNDARY = "boundary7MA4YWxk"
_FORM_TYPE = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAA"
    "D0lEQVR4nGNgaGgAIQgFABoOBAH77Fo+AAAAAElFTkSuQmCC"
)
_GROUPS = [("用户", 1), ("我加入的群聊", 2), ("机器人", 3)]


@check("conversations", "must", "wire.md 8.2", "空的会话列表", "an empty list of conversations")
def _conversations(world: World, probe: Probe) -> None:
    for name, body in {"no body": None, "md5": pb.text(2, "d41d8cd98f00b204")}.items():
        answer = world.post("conversation/list", body, world.alice.token)
        probe.code(name, answer)
        probe.same(f"{name}: conversations", len(answer.message.messages(2)), 0)
        probe.same(f"{name}: total", answer.message.number(3), 0)
        md5 = answer.message.text(4)
        probe.that(f"{name}: md5", len(md5) == _MD5_CHARACTERS, "32 characters", md5)


@check("address-book", "must", "wire.md 8.2", "通讯录的三组", "three groups of contacts")
def _address_book(world: World, probe: Probe) -> None:
    answer = world.post("friend/address-book-list", None, world.alice.token)
    probe.code("code", answer)
    groups = answer.message.messages(2)
    probe.same("groups", [(group.text(1), group.number(3)) for group in groups], _GROUPS)


@check("friend-requests", "must", "wire.md 8.2", "空的好友申请", "no friend requests")
def _friend_requests(world: World, probe: Probe) -> None:
    answer = world.post("friend/request-list", None, world.alice.token)
    probe.code("protobuf", answer)
    probe.same("total", (answer.message.number(3), answer.message.number(4)), (0, 0))
    as_json = world.post("friend/request-list", {"size": 10, "page": 1}, world.alice.token)
    probe.same("data.list", as_json.data.get("list"), [])


@check("small-lists", "must", "wire.md 8.2", "其他空列表", "the other empty lists")
def _small_lists(world: World, probe: Probe) -> None:
    token = world.alice.token
    probe.same("sticky", world.post("sticky/list", None, token).data.get("sticky"), [])
    beta = world.post("beta/info", None, token).data
    probe.same("beta", (beta.get("beta"), beta.get("info")), ("noapply", ""))
    for path in ("dismiss-notification", "remove", "sort-change"):
        probe.code(path, world.post(f"conversation/{path}", b"{}", token))


@check(
    "not-accounts", "must", "wire.md 8.2", "消息等接口为 404", "messages and the like return 404"
)
def _not_accounts(world: World, probe: Probe) -> None:
    for path in ("msg/send-message", "group/info", "community/x", "disk/x", "live/x"):
        reply = world.wire.send("POST", f"/v1/{path}", b"{}", {"token": world.alice.token})
        probe.same(path, reply.status, 404)


@check("distribution", "must", "wire.md 8.3", "各服务的地址", "the addresses of services")
def _distribution(world: World, probe: Probe) -> None:
    data = world.call("GET", "misc/configure-distribution", token=world.alice.token).data
    names = ("audioUrl", "fileUrl", "imageUrl", "serverUrl", "shareUrl", "videoUrl", "websocketUrl")
    check_types(probe, "", data, dict.fromkeys(names, str))


@check("server-settings", "must", "wire.md 8.3", "上传大小与灰度", "sizes of uploads, gray status")
def _server_settings(world: World, probe: Probe) -> None:
    data = world.call("GET", "misc/setting").data
    normal = ("fileSizeLimitNormal", "imageSizeLimitNormal", "videoSizeLimitNormal")
    vip = ("fileeSizeLimitVip", "imageSizeLimitVip", "videoSizeLimitVip")
    check_types(probe, "", data, dict.fromkeys((*normal, *vip), int))
    probe.same("gray", world.call("GET", "misc/gray-status").data.get("status"), 0)


@check("home-search", "must", "wire.md 8.3", "首页搜索的三组", "three groups of search results")
def _home_search(world: World, probe: Probe) -> None:
    answer = world.post("search/home-search", {"word": world.alice.id}, world.alice.token)
    groups = answer.data.get("list")
    found = groups if isinstance(groups, list) else []
    titles = [group.get("title") for group in found if isinstance(group, dict)]
    probe.same("titles", titles, ["用户", "群组", "机器人"])
    users = found[0].get("list") if titles else None
    ids = [user.get("friendId") for user in users or [] if isinstance(user, dict)]
    probe.same("user", ids, [world.alice.id])


@check("shop", "must", "wire.md 8.3", "金币商城与会员页", "the shop and the VIP page")
def _shop(world: World, probe: Probe) -> None:
    token = world.alice.token
    products = world.post("coin/shop/product-recommend", {"size": 10, "page": 1}, token).data
    check_types(probe, "", products, {"list": list, "total": int})
    vip = world.post("vip/vip-product-list", None, token).data
    check_types(probe, "vip: ", vip, {"list": list, "qrCodeUrl": str})
    benefits = world.call("GET", "vip/vip-benefits-list", token=token).data
    check_types(probe, "benefits: ", benefits, {"list": list})
    tasks = world.post("coin/task/my-task-info", None, token).data
    names = ("adsWatchNumber", "avatarEditNumber", "nicknameEditNumber", "raffleTimes")
    check_types(probe, "tasks: ", tasks, dict.fromkeys(names, int))
    unknown = world.post("coin/shop/product-detail", {"id": 999_999_999}, token)
    probe.refused("unknown product", unknown)


@check("web-pages", "must", "wire.md 8.3", "网页的群聊与机器人", "groups and bots in the web API")
def _web_pages(world: World, probe: Probe) -> None:
    for path, key, name in (
        ("group/group-info", "groupId", "group"),
        ("bot/bot-info", "botId", "bot"),
    ):
        body = json.dumps({key: "999999999"}).encode()
        reply = world.wire.send("POST", f"/web/v1/{path}", body)
        probe.same(f"{path}: status", reply.status, 200)
        probe.that(f"{path}: wrapper", f'"{name}"'.encode() in reply.body, name, reply.body[:60])


@check("upload-token", "should", "wire.md 8.4", "上传凭证的形式", "the form of an upload token")
def _upload_token(world: World, probe: Probe) -> None:
    answer = world.call("GET", "misc/qiniu-token", token=world.alice.token)
    parts = str(answer.data.get("token")).split(":")
    probe.same("parts", len(parts), _TOKEN_PARTS)
    try:
        policy = json.loads(base64.urlsafe_b64decode(parts[-1]))
    except ValueError:
        policy = {}
    check_types(probe, "policy: ", policy, {"scope": str, "deadline": int})


@check("pictures", "should", "wire.md 8.4", "四步更换头像", "an avatar in four steps, by host")
def _pictures(world: World, probe: Probe) -> None:
    account, key = world.sign_up(), f"check/{secrets.token_hex(8)}.png"
    token = str(world.call("GET", "misc/qiniu-token", token=account.token).data.get("token"))
    query = f"/v4/query?ak={token.partition(':')[0]}&bucket=b"
    hosts = json.loads(world.wire.send("GET", query, None, {"host": "api.qiniu.com"}).body)
    domain = hosts["up"]["domains"][0]
    probe.same("both forms", hosts["hosts"][0]["up"]["domains"][0], domain)
    fields = {"token": token.encode(), "key": key.encode(), "file": _PICTURE}
    uploaded = world.wire.send("POST", "/", _form(fields), {"host": domain, **_FORM_TYPE})
    answer = json.loads(uploaded.body)
    probe.same("upload", (answer.get("key"), answer.get("fsize")), (key, len(_PICTURE)))
    refused = world.wire.send(
        "POST", "/", _form({**fields, "token": b"a:b:c"}), {"host": domain, **_FORM_TYPE}
    )
    probe.that("wrong token", "error" in json.loads(refused.body), "{error}", refused.status)
    address = f"https://{_PICTURE_HOST}/{key}"
    probe.code("avatar", world.post("user/edit-avatar", pb.text(2, address), account.token))
    sized = f"/{key}?imageView2/2/w/120/h/120"
    shown = world.wire.send("GET", sized, None, {"host": _PICTURE_HOST, "referer": "https://x/"})
    kind = shown.header("content-type")
    probe.that("picture", kind.startswith("image/"), "an image", f"{shown.status} {kind}")


def _form(fields: Mapping[str, bytes]) -> bytes:
    """Return a multipart form."""
    body = b""
    for name, content in fields.items():
        file = '; filename="a.png"' if name == "file" else ""
        head = f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{_BOUNDARY}--\r\n".encode()


@check(
    "heartbeat", "must", "wire.md 8.1", "登录前也响应心跳", "a heartbeat is answered before login"
)
def _heartbeat(world: World, probe: Probe) -> None:
    with _socket(world) as socket:
        _send(socket, "heartbeat", {}, "七")
        expected = pb.text(1, pb.text(1, "七") + pb.text(2, "heartbeat_ack"))
        probe.same("answer", _receive(world, socket), expected)


@check("socket-refusal", "must", "wire.md 8.1", "登录失败与非 JSON", "failed logins and bad frames")
def _socket_refusal(world: World, probe: Probe) -> None:
    with _socket(world) as socket:
        _send(socket, "login", {"token": "dead", "userId": "", "platform": "x", "deviceId": ""})
        probe.same("login", _receive(world, socket), _INVALID)
        socket.send("no JSON")
        probe.same("frame", _receive(world, socket), _INVALID)
        _send(socket, "heartbeat", {}, "1")
        stays = b"heartbeat_ack" in _receive(world, socket)
        probe.that("stays open", stays, "an answer", "none")


@check("draft", "must", "wire.md 8.1", "草稿转给其他连接", "a draft goes to the other sockets")
def _draft(world: World, probe: Probe) -> None:
    with _socket(world) as one, _socket(world) as other:
        message = pb.decode(_send_draft(world, world.alice.token, one, other))
        probe.same(
            "info", (message.message(1).text(1), message.message(1).text(2)), ("9", "draft_input")
        )
        draft = message.message(2).message(2)
        probe.same("draft", (draft.text(1), draft.text(2)), ("7", "你好"))


def _send_draft(world: World, token: str, one: ClientConnection, other: ClientConnection) -> bytes:
    """Log two sockets in; return the first draft of one that reaches the other.

    A login is not answered, so drafts are sent until both are logged in.
    """
    for socket in (one, other):
        _send(socket, "login", {"token": token})
    for _ in range(_MAX_DRAFTS):
        _send(one, "inputInfo", {"chatId": "7", "input": "你好", "deviceId": "d"}, "9")
        with suppress(TimeoutError):
            return _receive(world, other, _DRAFT_SECONDS)
    raise pb.Malformed("no draft arrived")


@check("socket-end", "must", "wire.md 8.1", "会话结束则断开", "an ended session closes its sockets")
def _socket_end(world: World, probe: Probe) -> None:
    account = world.sign_up()
    with _socket(world) as socket, _socket(world) as other:
        _send_draft(world, account.token, socket, other)
        world.post("user/logout", None, account.token)
        try:
            socket.recv(timeout=min(2, world.wire.seconds_left()))
        except ConnectionClosed as closed:
            probe.same("close code", closed.rcvd.code if closed.rcvd else 0, _ENDED)
        else:
            probe.that("closed", holds=False, expected="closed", got="a message")


@contextmanager
def _socket(world: World) -> Iterator[ClientConnection]:
    target = world.wire.target
    scheme = "wss" if target.secure else "ws"
    try:
        with connect(
            f"{scheme}://{target.authority}{target.prefix}/ws",
            ssl=world.wire.tls_context() if target.secure else None,
            compression=None,
            proxy=None,
            ping_interval=None,
            open_timeout=world.wire.seconds_left(),
            close_timeout=1,
        ) as socket:
            yield socket
    except (OSError, TimeoutError, WebSocketException) as error:
        reason = str(error) or type(error).__name__
        raise Unreachable(f"连接 /ws 失败：{reason}", f"/ws failed: {reason}") from error


def _send(socket: ClientConnection, cmd: str, data: object, seq: str = "1") -> None:
    socket.send(json.dumps({"seq": seq, "cmd": cmd, "data": data}, ensure_ascii=False))


def _receive(world: World, socket: ClientConnection, within: float = 60) -> bytes:
    """Return the next message, which is binary."""
    message = socket.recv(timeout=min(within, world.wire.seconds_left()))
    if isinstance(message, str):
        raise pb.Malformed(f"a text frame: {message[:40]!r}")
    return message
