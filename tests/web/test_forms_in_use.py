"""Forms in a browser: input methods, double clicks, going back (web.md W-7, W-9)."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import visit
from tests.support.client import WireClient
from tests.support.sandbox_pages import PREFIX
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

NEW_ACCOUNT = f"form[method=post][action='{PREFIX}/accounts']"


def test_an_input_method_types_a_name(browser: Browser, shown_sandbox: Server) -> None:
    """Enter that ends a composition does not submit; full-width digits are accepted (W-7)."""
    with visit(browser, shown_sandbox.url) as visitor:
        page = visitor.open(f"{PREFIX}/accounts")
        page.locator("summary").first.click()
        name = page.locator(f"{NEW_ACCOUNT} [name=nickname]")
        name.focus()
        input_method = page.context.new_cdp_session(page)
        end = {"selectionStart": 6, "selectionEnd": 6}
        input_method.send("Input.imeSetComposition", {"text": "xiaohu", **end})
        expect(name).to_have_value("xiaohu")
        input_method.send("Input.insertText", {"text": "小湖"})
        expect(name).to_have_value("小湖")
        page.locator(f"{NEW_ACCOUNT} [name=coins]").fill("１２．５")
        page.get_by_role("button", name="创建").click()
        expect(page.get_by_role("heading", name="账号已创建")).to_be_visible()
        row = page.locator("#rows tr[data-key]").first
        expect(row).to_contain_text("小湖")
        expect(row).to_contain_text("12.50")


@pytest.mark.parametrize("script", [True, False])
def test_an_account_is_created_and_used(
    browser: Browser, shown_sandbox: Server, shown_wire: WireClient, script: bool
) -> None:
    """The form redirects to the token, which signs in, with and without script (W-2, K-2)."""
    with visit(browser, shown_sandbox.url, script=script) as visitor:
        page = visitor.open(f"{PREFIX}/accounts")
        page.locator("summary").first.click()
        page.locator(f"{NEW_ACCOUNT} [name=phone]").fill("１３７ 0000 000" + str(int(script)))
        page.locator(f"{NEW_ACCOUNT} [name=password]").fill("long enough 1")
        page.get_by_role("button", name="创建").click()
        assert "created=" in page.url
        token = page.locator(".done code[id^=token-]").text_content() or ""
        assert shown_wire.own_info(token).code == 1
        expect(page.locator(".done")).to_contain_text("long enough 1")


def test_a_double_click_creates_one_account(browser: Browser, shown_sandbox: Server) -> None:
    """Going back and forward does not submit again either (W-9)."""
    with visit(browser, shown_sandbox.url) as visitor:
        page = visitor.open(f"{PREFIX}/accounts")
        before = page.locator("#rows tr[data-key]").count()
        page.locator("summary").first.click()
        page.locator(f"{NEW_ACCOUNT} [name=nickname]").fill("一次")
        page.get_by_role("button", name="创建").dblclick()
        expect(page.locator(".done")).to_be_visible()
        page.go_back()
        page.go_forward()
        page.reload()
        expect(page.locator("#rows tr[data-key]")).to_have_count(before + 1)


def test_a_password_is_never_shown_again(browser: Browser, shown_sandbox: Server) -> None:
    """A refused form keeps the input, but no secret (W-8, W-9)."""
    with visit(browser, shown_sandbox.url) as visitor:
        page = visitor.open(f"{PREFIX}/accounts")
        page.locator("summary").first.click()
        form = page.locator(NEW_ACCOUNT)
        form.locator("[name=email]").fill("no address")
        form.locator("[name=password]").fill("very secret 1")
        form.locator("button").click()
        expect(form.locator("[name=email]")).to_have_value("no address")
        expect(form.locator("[name=email]")).to_have_attribute("aria-invalid", "true")
        expect(form.locator("[name=password]")).to_have_value("")
        expect(form.locator("[name=password]")).to_have_attribute("autocomplete", "new-password")
        assert "very secret 1" not in page.content()


def test_everything_is_deleted_after_a_question(
    browser: Browser, shown_sandbox: Server, shown_wire: WireClient
) -> None:
    """A link leads to the question, a button deletes, and the page confirms it (W-2, W-10)."""
    account = shown_wire.account()
    with visit(browser, shown_sandbox.url, script=False) as visitor:
        page = visitor.open(f"{PREFIX}/accounts")
        page.get_by_role("link", name="清空沙盒").click()
        assert shown_wire.own_info(account.token).code == 1
        page.get_by_role("button", name="清空沙盒").click()
        expect(page.locator(".done")).to_have_text("沙盒已清空。")
        expect(page.get_by_text("还没有账号")).to_be_visible()
        assert shown_wire.own_info(account.token).code == -101
        page.get_by_role("button", name="创建一个账号").click()
        expect(page.locator("#account-panel")).to_contain_text("lakeside minimal")
