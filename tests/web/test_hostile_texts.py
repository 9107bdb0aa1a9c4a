"""Sixty texts in each field that a page shows: text stays text (web.md W-12)."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser

from tests.support.browser import visit
from tests.support.client import WireClient
from tests.support.payloads import PAYLOADS
from tests.support.sandbox_pages import PREFIX
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

CHARACTERS_OF_A_NAME, CHARACTERS_OF_A_SEARCH, CHARACTERS_OF_A_FIELD = 32, 120, 200
QUERIES = (("/outbox", "to"), ("/accounts", "search"))
"""Pages that show a word of their address in a field."""
FORMS = (
    (
        "/accounts",
        f"form[method=post][action='{PREFIX}/accounts']",
        ["phone", "email", "coins", "medals", "banReason", "invitedBy"],
    ),
)
"""Forms that refuse the texts and show them again."""
SUBMIT = """([form, names, value]) => {
  const element = document.querySelector(form);
  for (const name of names) element.elements[name].value = value;
  element.requestSubmit();
}"""
READ = """([place, names]) =>
  names.map((name) => document.querySelector(`${place} [name=${name}]`).value)"""


def joined(max_characters: int) -> list[str]:
    """Return all texts, some in a line, so that a page is loaded less often."""
    lines = [""]
    for payload in PAYLOADS:
        if len(lines[-1]) + len(payload) > max_characters:
            lines.append("")
        lines[-1] = f"{lines[-1]} {payload}".strip()
    return lines


@pytest.fixture(scope="module")
def attacked(shown_wire: WireClient) -> WireClient:
    """The sandbox with an account for each text: nickname, password, ban, medal."""
    for payload in PAYLOADS:
        fields = {"nickname": payload[:CHARACTERS_OF_A_NAME], "password": payload}
        shown_wire.account(**fields, banReason=payload)
    return shown_wire


def test_accounts_show_text_as_text(
    browser: Browser, shown_sandbox: Server, attacked: WireClient
) -> None:
    """Every text stands on a page as it was typed; no dialog, no report (W-12)."""
    del attacked
    with visit(browser, shown_sandbox.url) as visitor:
        page = visitor.open(f"{PREFIX}/accounts")
        shown = page.locator("#rows").text_content() or ""
        while page.get_by_role("link", name="更早的").count():
            page.get_by_role("link", name="更早的").click()
            shown += page.locator("#rows").text_content() or ""
        assert [text for text in PAYLOADS if text not in shown] == []
        assert page.locator("#rows").locator("img, script, svg, iframe, style, base").count() == 0


def test_searches_and_refused_forms_show_text_as_text(
    browser: Browser, shown_sandbox: Server
) -> None:
    """What was typed stays in its field as it was typed (W-9, W-12)."""
    assert len(set(PAYLOADS)) == 60
    with visit(browser, shown_sandbox.url) as visitor:
        page = visitor.page
        for text in joined(CHARACTERS_OF_A_SEARCH):
            for path, name in QUERIES:
                address = f"{PREFIX}{path}?{urlencode({name: text})}"
                page.goto(shown_sandbox.url + address, wait_until="domcontentloaded")
                assert page.evaluate(READ, ["#content", [name]]) == [text]
        for path, form, names in FORMS:
            page = visitor.open(PREFIX + path)
            for text in joined(CHARACTERS_OF_A_FIELD):
                with page.expect_navigation(wait_until="domcontentloaded"):
                    page.evaluate(SUBMIT, [form, names, text])
                assert page.locator("#problem").count() == 1
                assert page.evaluate(READ, [form, names]) == [text] * len(names)
