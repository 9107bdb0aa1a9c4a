"""Pages of requests, answers, clock, faults and snapshots, with and without script (K-2, W-2)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import Visit, visit
from tests.support.client import WireClient
from tests.support.sandbox_pages import PREFIX
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def visitor(
    request: pytest.FixtureRequest, browser: Browser, shown_sandbox: Server, shown_wire: WireClient
) -> Iterator[Visit]:
    """Yield a visitor of an empty sandbox."""
    assert shown_wire.request("POST", "/sandbox/reset").is_success
    with visit(browser, shown_sandbox.url, script=request.param) as visitor:
        yield visitor


def rows(page: Page) -> list[str]:
    """Return the text of each row."""
    return page.locator("#content tbody tr").all_text_contents()


def test_a_refused_request_is_explained(visitor: Visit, shown_wire: WireClient) -> None:
    """The field is marked, and a command sends the same bytes again (K-3)."""
    shown_wire.request("POST", "/v1/user/email-login", {"email": "a@example.com", "pasword": 1})
    page = visitor.open(f"{PREFIX}/requests?result=refused")
    page.get_by_role("link", name="/v1/user/email-login").click()
    expect(page.locator(".problem")).to_contain_text("InvalidField")
    marked = page.locator("tr.marked").all_text_contents()
    assert ["未知字段" in text for text in marked if "pasword" in text] == [True]
    assert [text for text in marked if "缺失" in text]
    expect(page.locator("#curl")).to_contain_text("curl")
    page.get_by_role("link", name="返回请求列表").click()
    page.get_by_role("button", name="清空记录").click()
    expect(page.get_by_text("还没有请求")).to_be_visible()
    assert shown_wire.http.get("/sandbox/requests").json() == []


def test_an_unserved_path_gets_an_answer(visitor: Visit, shown_wire: WireClient) -> None:
    """It is listed with its count, and a rule answers from then on (K-4)."""
    for _ in range(2):
        assert shown_wire.request("POST", "/v1/msg/list-message").status_code == 404
    page = visitor.open(f"{PREFIX}/requests")
    expect(page.locator("#unserved li")).to_contain_text("2")
    page.get_by_role("link", name="为 /v1/msg/list-message 设定响应").click()
    page.get_by_role("button", name="添加").click()
    assert len(rows(page)) == 1
    assert shown_wire.request("POST", "/v1/msg/list-message").json()["code"] == 1
    page.reload()
    assert "1" in rows(page)[0]
    page.get_by_role("button", name="全部清除").click()
    assert shown_wire.request("POST", "/v1/msg/list-message").status_code == 404


def test_the_clock_is_frozen_and_moved(visitor: Visit, shown_wire: WireClient) -> None:
    """A code is pending; the clock moves to its end, and every page says it is frozen (K-6)."""
    shown_wire.sms_code(shown_wire.fresh_phone())
    page = visitor.open(f"{PREFIX}/clock")
    page.get_by_role("button", name="冻结时钟").click()
    expect(page.locator("#status")).to_contain_text("已冻结")
    before = shown_wire.http.get("/sandbox/clock").json()
    assert before["frozen"]
    assert len(rows(page)) == len(before["pending"]) == 1
    page.get_by_role("button", name="1 分钟", exact=True).click()
    assert shown_wire.http.get("/sandbox/clock").json()["now"] == before["now"] + 60
    page.get_by_role("button", name="验证码失效").click()
    expect(page.get_by_text("没有即将发生的事")).to_be_visible()
    page.locator("[name=amount]:visible").fill("１．５")
    page.locator("[name=unit]").select_option("hours")
    page.get_by_role("button", name="拨快").click()
    after = shown_wire.http.get("/sandbox/clock").json()
    assert after["now"] == before["pending"][0]["at"] + 5400
    page.get_by_role("button", name="让时钟继续走").click()
    assert not shown_wire.http.get("/sandbox/clock").json()["frozen"]


def test_a_fault_is_added_and_removed(visitor: Visit, shown_wire: WireClient) -> None:
    """The page shows the route's rule and its hits; every page shows the number of rules (K-5)."""
    page = visitor.open(f"{PREFIX}/faults")
    page.locator("[name=path]").fill("/v1/user/*")
    page.locator("[name=httpStatus]").fill("503")
    page.get_by_role("button", name="添加").click()
    expect(page.locator("#status")).to_contain_text("1 条生效")
    rule = {"path": "/v1/user/*", "httpStatus": 503}
    assert shown_wire.http.get("/sandbox/faults").json() == [{**rule, "hits": 0}]
    assert shown_wire.request("POST", "/v1/user/captcha").status_code == 503
    page.reload()
    assert "httpStatus=503" in rows(page)[0]
    expect(page.locator("td.number")).to_have_text("1")
    page.get_by_role("button", name="移除第 1 条规则").click()
    assert shown_wire.http.get("/sandbox/faults").json() == []


def test_a_snapshot_brings_the_state_back(
    visitor: Visit, shown_wire: WireClient, tmp_path: Path
) -> None:
    """It is saved, restored, downloaded, deleted and uploaded again (K-7)."""
    kept = shown_wire.account()
    page = visitor.open(f"{PREFIX}/snapshots")
    page.locator("[name=name]:visible").fill("start")
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".done")).to_contain_text("start")
    gone = shown_wire.account()
    page.get_by_role("button", name="恢复快照 start").click()
    expect(page.locator(".done")).to_contain_text("start")
    assert shown_wire.own_info(kept.token).code == 1
    assert shown_wire.own_info(gone.token).code == -101
    with page.expect_download() as download:
        page.get_by_role("link", name="下载快照 start").click()
    assert download.value.suggested_filename == "start.snapshot"
    file = tmp_path / "start.snapshot"
    download.value.save_as(file)
    page.get_by_role("button", name="删除快照 start").click()
    expect(page.get_by_text("还没有快照")).to_be_visible()
    assert shown_wire.http.get("/sandbox/snapshots").json() == []

    form = page.locator("form[enctype]")
    form.locator("[type=file]").set_input_files(file)
    form.locator("button").click()
    expect(page.locator(".done")).to_contain_text("start")
    form.locator("[type=file]").set_input_files(file)
    form.locator("[name=upload-name]").fill("other")
    form.locator("button").click()
    expect(page.locator(".done")).to_contain_text("other")
    kept_files = [shown_wire.http.get(f"/sandbox/snapshots/{n}") for n in ("start", "other")]
    assert [reply.content for reply in kept_files] == [file.read_bytes()] * 2
    for name in ("start", "other"):
        page.get_by_role("button", name=f"删除快照 {name}").click()
    expect(page.get_by_text("还没有快照")).to_be_visible()


def test_a_file_that_is_no_snapshot_is_refused(visitor: Visit, tmp_path: Path) -> None:
    """A foreign file, one with a bad name and a large one each get a sentence (K-7, W-9)."""
    page = visitor.open(f"{PREFIX}/snapshots")
    form = page.locator("form[enctype]")
    for name, typed, size, field, sentence in (
        ("a.snapshot", "", 10, "file", "这不是快照"),
        ("湖.snapshot", "", 10, "upload-name", "请填写名称"),
        ("a.snapshot", "a b", 10, "upload-name", "1 到 64 个字母"),
        ("a.snapshot", "", 0, "file", "请选择快照文件"),
        ("a.snapshot", "", 70 * 2**20, "file", "文件最多 64 MB"),
    ):
        file = tmp_path / name
        file.write_bytes(bytes(size))
        form.locator("[type=file]").set_input_files(file)
        form.locator("[name=upload-name]").fill(typed)
        form.locator("button").click()
        expect(page.locator("#problem")).to_contain_text(sentence)
        expect(page.locator(f"#{field}-note")).to_contain_text(sentence)
        expect(page).to_have_title(re.compile("^错误："))
    expect(page.get_by_text("还没有快照")).to_be_visible()


def test_requests_appear_by_themselves(
    browser: Browser, shown_sandbox: Server, shown_wire: WireClient
) -> None:
    """A new row appears without reloading (K-2)."""
    with visit(browser, shown_sandbox.url) as visitor:
        page = visitor.open(f"{PREFIX}/requests")
        page.evaluate("window.isTheSame = true")
        path = "/v1/user/never-heard-of"
        shown_wire.request("POST", path)
        expect(page.get_by_role("row").filter(has_text=path)).to_have_count(1)
        expect(page.locator("#unserved")).to_contain_text(path)
        assert page.evaluate("window.isTheSame")


def test_an_open_page_holds_up_no_stop(browser: Browser) -> None:
    """A server with an open page stops at once, and without an error (K-2)."""
    with Server("sandbox") as server, visit(browser, server.url) as visitor:
        with visitor.page.expect_response("**/changes?*"):
            visitor.open(f"{PREFIX}/outbox")
        assert server.stop() == 0
        assert "Traceback" not in server.output()
