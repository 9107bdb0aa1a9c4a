"""The outbox in a browser: live, copied by one click, and the same without script."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import visit
from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

OUTBOX = "/sandbox/pages/outbox"


def test_a_code_appears_by_itself_and_one_click_copies_it(
    browser: Browser, shown_sandbox: Server, shown_wire: WireClient
) -> None:
    """A new row appears without reloading, and 已复制 is announced once (web.md K-2, W-1)."""
    with visit(browser, shown_sandbox.url) as visitor:
        page = visitor.open(OUTBOX)
        page.evaluate("window.isTheSame = true")
        phone = shown_wire.fresh_phone()
        code = shown_wire.sms_code(phone)
        row = page.get_by_role("row").filter(has_text=phone)
        expect(row).to_contain_text(code)
        row.get_by_role("button", name="复制").click()
        expect(page.locator("#said")).to_have_text("已复制")
        expect(row.get_by_text("已复制")).to_have_count(1)
        assert page.evaluate("navigator.clipboard.readText()") == code
        expect(row.get_by_text("已复制")).to_have_count(0)
        assert page.evaluate("window.isTheSame")


def test_without_script_a_reload_shows_the_same(
    browser: Browser, shown_sandbox: Server, shown_wire: WireClient
) -> None:
    """Rows, filters and languages need no script (W-2)."""
    with visit(browser, shown_sandbox.url, script=False) as visitor:
        page = visitor.open(OUTBOX)
        expect(page.get_by_text("脚本已关闭")).to_be_visible()
        phone, other = shown_wire.fresh_phone(), shown_wire.fresh_phone()
        code = shown_wire.sms_code(phone)
        shown_wire.sms_code(other)
        page.reload()
        expect(page.get_by_role("row").filter(has_text=phone)).to_contain_text(code)
        page.get_by_label("收件人").fill(phone)
        page.get_by_role("button", name="筛选").click()
        expect(page.get_by_role("row")).to_have_count(2)
        page.get_by_role("link", name="English").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Outbox")
        expect(page.get_by_label("To", exact=True)).to_have_value(phone)
        assert "lang=" not in page.url


def test_a_row_in_use_stays(
    browser: Browser, shown_sandbox: Server, shown_wire: WireClient
) -> None:
    """An open text stays open while others come (K-2)."""
    with visit(browser, shown_sandbox.url) as visitor:
        phone, other = shown_wire.fresh_phone(), shown_wire.fresh_phone()
        shown_wire.sms_code(phone)
        page = visitor.open(OUTBOX)
        row = page.get_by_role("row").filter(has_text=phone)
        row.locator("summary").click()
        shown_wire.sms_code(other)
        expect(page.get_by_role("row").filter(has_text=other)).to_have_count(1)
        expect(row.locator("details")).to_have_attribute("open", "")
        expect(row.locator("summary")).to_be_focused()
        expect(page.locator("#news")).to_have_text("列表有更新")
