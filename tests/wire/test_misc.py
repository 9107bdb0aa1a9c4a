"""Information about the server, the tasks and VIP (wire.md 8.3), byte for byte."""

import json
from collections.abc import Iterator

import pytest

from tests.support import pb
from tests.support.answers import JSON_TYPE, read_answer, refused_field
from tests.support.client import WireClient
from tests.support.raw_http import exchange
from tests.support.seeding import seed
from tests.support.servers import Server

pytestmark = pytest.mark.one_engine

DISTRIBUTION = "/v1/misc/configure-distribution"
DISTRIBUTION_GOLDEN = (
    '{"code":1,"data":{"audioUrl":"%(media)s","fileUrl":"%(media)s","imageUrl":"%(media)s",'
    '"serverUrl":"%(server)s","shareUrl":"%(server)s","videoUrl":"%(media)s",'
    '"websocketUrl":"%(socket)s"},"msg":"success"}'
)
VIP_PAGE = {
    "products": [
        {
            "id": 1,
            "name": "月卡",
            "description": "三十天",
            "price": 12.5,
            "priceOriginal": 15,
            "day": 30,
            "productId": "vip-30",
        }
    ],
    "benefits": [{"id": 2, "name": "精简界面", "description": "d", "target": "t", "sort": 9}],
    "qrCodeUrl": "https://pay.example.com/code.png",
}


def distribution(wire: WireClient, token: str, **headers: str) -> str:
    """Return the whole response."""
    reply = wire.request("GET", DISTRIBUTION, token=token, headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (200, JSON_TYPE)
    return reply.content.decode()


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("chat.example.com", "https://chat.example.com"),
        ("chat-go.example:8443", "https://chat-go.example:8443"),
        ("127.0.0.1:8480", "http://127.0.0.1:8480"),
        ("localhost", "http://localhost"),
        ("[::1]:8480", "http://[::1]:8480"),
    ],
)
def test_distribution_follows_the_host(wire: WireClient, host: str, server: str) -> None:
    """Without public_url the response has the host of the request (wire.md 8.3)."""
    urls = {
        "server": server,
        "media": f"{server}/media/",
        "socket": f"{server.replace('http', 'ws', 1)}/ws",
    }
    assert distribution(wire, wire.account().token, host=host) == DISTRIBUTION_GOLDEN % urls


@pytest.mark.parametrize("host", ["", "a b", 'a"b', "a/b", "a?b", "user@a", "a:port", "<script>"])
def test_no_odd_host_comes_back(wire: WireClient, host: str) -> None:
    """An invalid host is not repeated (wire.md 8.3)."""
    token = wire.account().token
    lines = f"GET {DISTRIBUTION} HTTP/1.1\r\nhost: {host}\r\ntoken: {token}\r\n"
    status, _, body = exchange(wire.server, f"{lines}connection: close\r\n\r\n".encode())
    nothing = {"server": "", "media": "", "socket": ""}
    assert status == 400 or body.decode() == DISTRIBUTION_GOLDEN % nothing


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireClient]:
    """Yield a sandbox with configured addresses, sizes and VIP page."""
    page = tmp_path_factory.mktemp("vip") / "page.json"
    page.write_text(json.dumps(VIP_PAGE), "utf-8")
    environment = {
        "HUPAN_PUBLIC_URL": "https://chat.example.com/",
        "HUPAN_WEBSOCKET_URL": "wss://socket.example.com/ws",
        "HUPAN_FILE_LIMIT_MB": "20",
        "HUPAN_VIP_PAGE_FILE": str(page),
    }
    with Server("sandbox", environment=environment) as server, WireClient(server) as wire:
        yield wire


def test_distribution_of_settings(configured: WireClient) -> None:
    """The settings give all clients the same addresses (wire.md 8.3)."""
    urls = {
        "server": "https://chat.example.com",
        "media": "https://chat.example.com/media/",
        "socket": "wss://socket.example.com/ws",
    }
    token = configured.account().token
    assert distribution(configured, token, host="other.example") == DISTRIBUTION_GOLDEN % urls


SIZES = (
    '{"code":1,"data":{"fileSizeLimitNormal":%d,"fileeSizeLimitVip":%d,"imageSizeLimitNormal":8,'
    '"imageSizeLimitVip":8,"videoSizeLimitNormal":0,"videoSizeLimitVip":0},"msg":"success"}'
)


def test_sizes(wire: WireClient, configured: WireClient) -> None:
    """The response has six numbers in megabytes, without a token (wire.md 8.3)."""
    assert wire.request("GET", "/v1/misc/setting").content.decode() == SIZES % (0, 0)
    assert configured.request("GET", "/v1/misc/setting").content.decode() == SIZES % (20, 20)


def test_gray_status(wire: WireClient) -> None:
    """The response is a zero, without a token (wire.md 8.3)."""
    reply = wire.request("GET", "/v1/misc/gray-status?x=1")
    assert reply.content == b'{"code":1,"data":{"status":0},"msg":"success"}'


TASKS = (
    '{"code":1,"data":{"adsWatchNumber":0,"avatarEditNumber":%d,"nicknameEditNumber":%d,'
    '"raffleTimes":0},"msg":"success"}'
)


def test_tasks(wire: WireClient) -> None:
    """A completed task is 1, however often it was done (wire.md 8.3)."""
    token = wire.account().token

    def tasks() -> str:
        reply = wire.request("POST", "/v1/coin/task/my-task-info", b"", token=token)
        return reply.content.decode()

    assert tasks() == TASKS % (0, 0)
    for name in ("one", "two"):
        assert wire.post("user/edit-nickname", pb.text(3, name), token=token).code == 1
    assert tasks() == TASKS % (0, 1)
    url = pb.text(2, "https://a.example/a.png")
    assert wire.post("user/edit-avatar", url, token=token).code == 1
    assert tasks() == TASKS % (1, 1)


def test_vip_lists(wire: WireClient, configured: WireClient) -> None:
    """The lists are the operator's, empty by default (wire.md 8.3)."""
    products, benefits = "/v1/vip/vip-product-list", "/v1/vip/vip-benefits-list"
    token = wire.account().token
    reply = wire.request("POST", products, b"", token=token)
    assert reply.content == b'{"code":1,"data":{"list":[],"qrCodeUrl":""},"msg":"success"}'
    reply = wire.request("GET", benefits, token=token)
    assert reply.content == b'{"code":1,"data":{"list":[]},"msg":"success"}'
    token = configured.account().token
    reply = configured.request("POST", products, b"{}", token=token)
    assert reply.content.decode() == (
        '{"code":1,"data":{"list":[{"id":1,"name":"月卡","description":"三十天","price":12.5,'
        '"priceOriginal":15,"day":30,"productId":"vip-30"}],'
        '"qrCodeUrl":"https://pay.example.com/code.png"},"msg":"success"}'
    )
    reply = configured.request("GET", benefits, token=token)
    assert reply.content.decode() == (
        '{"code":1,"data":{"list":[{"id":2,"name":"精简界面","description":"d","target":"t",'
        '"sort":9}]},"msg":"success"}'
    )


GROUP, BOT = "/web/v1/group/group-info", "/web/v1/bot/bot-info"
NO_GROUP = (
    '{"code":1,"data":{"group":{"id":0,"groupId":"","name":"","introduction":"","createBy":"",'
    '"createTime":0,"avatarId":0,"avatarUrl":"","headcount":0,"readHistory":0,"category":"",'
    '"banId":0}},"msg":"success"}'
)
NO_BOT = (
    '{"code":1,"data":{"bot":{"id":0,"botId":"","nickname":"","nicknameId":0,"avatarId":0,'
    '"avatarUrl":"","token":"","link":"","introduction":"","createBy":"","createTime":0,'
    '"headcount":0,"private":0}},"msg":"success"}'
)
UNKNOWN = [
    "",
    "0",
    "1",
    "999999999",
    "99999999",
    "999999999999",
    "x",
    "１２３４５６７８９",
    "1' or 1",
]


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_unknown_groups_and_bots(wire: WireClient, unknown: str) -> None:
    """An unknown id is a success with empty strings (wire.md 8.3)."""
    reply = wire.request("POST", GROUP, {"groupId": unknown})
    assert reply.content.decode() == NO_GROUP
    reply = wire.request("POST", BOT, {"botId": unknown})
    assert reply.content.decode() == NO_BOT


def test_groups_and_bots_of_discovery(own_wire: WireClient) -> None:
    """A group or bot of discovery is complete, by Host and by prefix (wire.md 8.3)."""
    seed(own_wire, "discovery", 5)
    token = own_wire.account().token
    wish = {"category": "", "keyword": "", "size": 1, "page": 1}
    listed = own_wire.post("user/recommend-list", wish, token=token).data
    assert listed is not None
    group = json.loads(json.dumps(listed))["groupList"][0]
    for path, host in ((GROUP, ""), (GROUP.removeprefix("/web"), "chat-web-go.a")):
        headers = {"host": host} if host else {}
        body = {"groupId": group["chatId"]}
        told = own_wire.request("POST", path, body, headers=headers).json()["data"]["group"]
        assert (told["id"], told["groupId"]) == (int(group["chatId"]), group["chatId"])
        assert told["name"] == group["nickname"]
        for key in ("introduction", "avatarUrl", "headcount", "createTime", "banId"):
            assert told[key] == group[key]
    bots = own_wire.post("user/recommend", token=token).data
    assert bots is not None
    bot = json.loads(json.dumps(bots))["botList"][0]
    told = own_wire.request("POST", BOT, {"botId": bot["chatId"]}).json()["data"]["bot"]
    assert (told["id"], told["botId"]) == (int(bot["chatId"]), bot["chatId"])
    assert (told["headcount"], told["private"]) == (int(bot["headcount"]), 1 - bot["isAdd"])
    assert [told[key] for key in ("nickname", "introduction", "avatarUrl")] == [
        bot[key] for key in ("nickname", "introduction", "avatarUrl")
    ]


@pytest.mark.parametrize(("path", "field"), [(GROUP, "groupId"), (BOT, "botId")])
def test_bad_ids_are_named(wire: WireClient, path: str, field: str) -> None:
    """A missing, wrong or huge id is 1100 with its name (wire.md 2)."""
    for body in ({}, {field: None}, {field: 5}, {field: ["1"]}, {field: "1" * 65}):
        reply = wire.request("POST", path, body)
        answer = read_answer(reply.status_code, reply.headers, reply.content)
        assert refused_field(answer) == field
