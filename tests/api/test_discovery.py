"""Discovery over HTTP, on lists that the command line puts in while the server runs (wire.md 4)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server
from tests.stores import STORES
from tests.wire.answers import refused_field
from tests.wire.client import WireClient

CATEGORIES, GROUPS, BOTS = "user/recommend-category-list", "user/recommend-list", "user/recommend"
ALL = {"category": "", "keyword": "", "size": 30, "page": 1}
GROUP_ROWS = """\
chatId,banId,nickname,introduction,avatarUrl,headcount,createTime,category,featured
100000002,0,西湖交流群,"说 ""你好"" 的地方",https://img.example/a.png,123,1731231230,地区,1
100000001,7,东湖,,,123,0,,
999999999,0,Lake ＣＬＵＢ,西湖边,,5,1,游戏,0
"""
BOT_ROWS = """\
{"chatId": 12345678, "nickname": "签到", "introduction": "每天", "headcount": 9}
{"chatId": "87654321", "chatType": "3", "headcount": "1234", "nickname": "天气", "isAdd": 0,\
 "introductions": "", "avatarUrl": "https://img.example/b.png", "isApply": 1, "alwaysAgree": 1}
"""
WEST = (
    '{"chatId":"100000002","banId":0,"nickname":"西湖交流群",'
    '"introduction":"说 \\"你好\\" 的地方","avatarUrl":"https://img.example/a.png",'
    '"headcount":123,"createTime":1731231230}'
)
EAST = (
    '{"chatId":"100000001","banId":7,"nickname":"东湖","introduction":"","avatarUrl":"",'
    '"headcount":123,"createTime":0}'
)
LAKE = (
    '{"chatId":"999999999","banId":0,"nickname":"Lake ＣＬＵＢ","introduction":"西湖边",'
    '"avatarUrl":"","headcount":5,"createTime":1}'
)
BOTS_GOLDEN = (
    '{"code":1,"data":{"botList":['
    '{"chatId":"87654321","chatType":"3","headcount":"1234","nickname":"天气","introduction":"",'
    '"introductions":"","avatarUrl":"https://img.example/b.png","isAdd":0,"isApply":1,'
    '"alwaysAgree":1},'
    '{"chatId":"12345678","chatType":"3","headcount":"9","nickname":"签到","introduction":"每天",'
    '"introductions":"","avatarUrl":"","isAdd":1,"isApply":0,"alwaysAgree":0}'
    ']},"msg":"success"}'
)


def hupan(folder: Path, *arguments: str, rows: str = "") -> None:
    """Run a command on the server's data, as an operator would."""
    command = [str(Path(sys.executable).with_name("hupan")), *arguments, "--data-dir", str(folder)]
    subprocess.run(  # noqa: S603 - our own words
        command,
        input=rows.encode(),
        env={**os.environ, **STORES.environment(folder)},
        check=True,
        capture_output=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireClient]:
    """A running server with three groups and two bots."""
    folder = tmp_path_factory.mktemp("lake")
    with Server("sandbox", "--data-dir", str(folder)) as server, WireClient(server) as wire:
        hupan(folder, "group", "import", "-", "--format", "csv", rows=GROUP_ROWS)
        hupan(folder, "bot", "import", "-", "--format", "jsonl", rows=BOT_ROWS)
        yield wire
        assert server.is_running


@pytest.fixture(scope="module")
def token(lake: WireClient) -> str:
    """A member's token."""
    return lake.account().token


def test_categories_of_the_reference(lake: WireClient, token: str) -> None:
    """The categories, byte for byte, until an operator sets others."""
    reply = lake.request("POST", f"/v1/{CATEGORIES}", {"appChannel": "default"}, token=token)
    assert reply.content.decode() == (
        '{"code":1,"data":{"categories":["精选","粉丝群","地区","IT/互联网","玩机","游戏",'
        '"资讯订阅"]},"msg":"success"}'
    )


@pytest.mark.parametrize(
    ("wish", "groups"),
    [
        ({}, [EAST, WEST, LAKE]),
        ({"size": 1, "page": 2}, [WEST]),
        ({"size": 2, "page": 2}, [LAKE]),
        ({"size": 100, "page": 10_000}, []),
        ({"category": "精选"}, [WEST]),
        ({"category": "游戏"}, [LAKE]),
        ({"category": "玩机"}, []),
        ({"keyword": "西湖"}, [WEST, LAKE]),
        ({"keyword": "西湖", "category": "地区"}, [WEST]),
        ({"keyword": "湖"}, [EAST, WEST, LAKE]),
        ({"keyword": "club"}, [LAKE]),
        ({"keyword": "湖交流"}, [WEST]),
        ({"keyword": "999999999"}, [LAKE]),
        ({"keyword": "999999999", "category": "地区"}, []),
        ({"keyword": "99999999"}, []),
        ({"keyword": "湖" * 32}, []),
    ],
)
def test_groups(lake: WireClient, token: str, wish: dict[str, object], groups: list[str]) -> None:
    """Each wish has its golden answer: by headcount, equal ones by id, never null."""
    reply = lake.request("POST", f"/v1/{GROUPS}", {**ALL, **wish}, token=token)
    golden = '{"code":1,"data":{"groupList":[%s]},"msg":"success"}'
    assert reply.content.decode() == golden % ",".join(groups)


@pytest.mark.parametrize("body", [b"", b"{}", b"nonsense"])
def test_bots(lake: WireClient, token: str, body: bytes) -> None:
    """The golden answer; the endpoint has no documented body, so any is taken (wire.md 1.4)."""
    reply = lake.request("POST", f"/v1/{BOTS}", body, token=token)
    assert reply.content.decode() == BOTS_GOLDEN


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("category", None),
        ("category", 1),
        ("category", "x" * 65),
        ("keyword", None),
        ("keyword", ["湖"]),
        ("keyword", "湖" * 33),
        ("keyword", "湖\u0000"),
        ("size", 0),
        ("size", 101),
        ("size", "30"),
        ("size", 30.5),
        ("size", -1),
        ("size", 2**63),
        ("page", 0),
        ("page", 10_001),
        ("page", None),
        ("page", True),
    ],
)
def test_bad_fields_are_named(lake: WireClient, token: str, field: str, value: object) -> None:
    """A wrong value gets 1100 with its name (wire.md 2, security I5, I8)."""
    assert refused_field(lake.post(GROUPS, {**ALL, field: value}, token=token)) == field


@pytest.mark.one_engine
@pytest.mark.parametrize("field", ALL)
def test_missing_fields_are_named(lake: WireClient, token: str, field: str) -> None:
    """So does a missing one."""
    wish = {name: value for name, value in ALL.items() if name != field}
    assert refused_field(lake.post(GROUPS, wish, token=token)) == field


@pytest.mark.one_engine
def test_the_channel_is_asked_for(lake: WireClient, token: str) -> None:
    """The list of categories has one field, and names it."""
    assert refused_field(lake.post(CATEGORIES, {}, token=token)) == "appChannel"


@pytest.mark.one_engine
@pytest.mark.parametrize("path", [CATEGORIES, GROUPS, BOTS])
@pytest.mark.parametrize("token", [None, "", "12345678-1234-1234-1234-123456789012"])
def test_only_who_signed_in_discovers(lake: WireClient, path: str, token: str | None) -> None:
    """Without a valid token nothing is told (wire.md 1.7)."""
    assert lake.post(path, {**ALL, "appChannel": "default"}, token=token).code == -101
