"""Sixty hostile texts in each displayed field stay text (web.md W-12)."""

import json
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser, FilePayload

from tests.support.browser import visit
from tests.support.client import WireClient
from tests.support.payloads import PAYLOADS
from tests.support.sandbox_pages import PREFIX
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

CHARACTERS_OF_A_NAME, CHARACTERS_OF_A_SEARCH, CHARACTERS_OF_A_FIELD = 32, 120, 200
QUERIES = (("/outbox", "to"), ("/accounts", "search"))
"""Pages that show a query parameter in a field."""
FORMS = (
    (
        "/accounts",
        f"form[method=post][action='{PREFIX}/accounts']",
        ["phone", "email", "coins", "medals", "banReason", "invitedBy"],
    ),
)
"""Forms that refuse the texts and show them again."""
OTHER_FORMS = (
    ("/seed", f"form[action='{PREFIX}/seed']", ["number"]),
    ("/clock", "form:has(#amount)", ["amount"]),
    ("/clock", "form:has(#time)", ["time"]),
    (
        "/faults",
        "form:has(#nth)",
        [
            *("path", "account", "nth", "probability", "code"),
            *("httpStatus", "delayMs", "truncate", "trickle"),
        ],
    ),
    ("/rules", "form:has(#json)", ["path", "method", "status", "forward", "json"]),
    ("/snapshots", "form:has(#name)", ["name"]),
)
"""All other forms, which get all texts at once."""
SUBMIT = """([form, names, value]) => {
  const element = document.querySelector(form);
  for (const name of names) element.elements[name].value = value;
  element.requestSubmit();
}"""
READ = """([place, names]) =>
  names.map((name) => document.querySelector(`${place} [name=${name}]`).value)"""


def joined(max_characters: int) -> list[str]:
    """Return all texts, several in a line, so that a page is loaded less often."""
    lines = [""]
    for payload in PAYLOADS:
        if len(lines[-1]) + len(payload) > max_characters:
            lines.append("")
        lines[-1] = f"{lines[-1]} {payload}".strip()
    return lines


@pytest.fixture(scope="module")
def attacked(shown_wire: WireClient) -> WireClient:
    """Return the sandbox with an account for each text: nickname, password, ban, medal."""
    for payload in PAYLOADS:
        fields = {"nickname": payload[:CHARACTERS_OF_A_NAME], "password": payload}
        shown_wire.account(**fields, banReason=payload)
    return shown_wire


def test_accounts_show_text_as_text(
    browser: Browser, shown_sandbox: Server, attacked: WireClient
) -> None:
    """Every text is displayed as typed, without a dialog or a report (W-12)."""
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
    """The input stays in its field as typed (W-9, W-12)."""
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
        (everything,) = joined(len("".join(PAYLOADS)) + len(PAYLOADS))
        for path, form, names in OTHER_FORMS:
            page = visitor.open(PREFIX + path)
            with page.expect_navigation(wait_until="domcontentloaded"):
                page.evaluate(SUBMIT, [form, names, everything])
            assert page.locator("#problem").count() == 1, path
            assert page.evaluate(READ, [form, names]) == [everything] * len(names), path
        file = FilePayload(
            name=f"{everything.replace('/', '')[:200]}.snapshot",
            mimeType="text/plain",
            buffer=everything.encode(),
        )
        page = visitor.open(f"{PREFIX}/snapshots")
        upload = page.locator("form[enctype]")
        name_field = upload.locator("[name=upload-name]")
        upload.locator("[type=file]").set_input_files(file)
        name_field.evaluate("(field, text) => field.value = text", everything)
        upload.locator("button").click()
        assert page.locator("#problem").count() == 1
        assert name_field.input_value() == everything


def test_requests_and_rules_show_text_as_text(
    browser: Browser, shown_sandbox: Server, shown_wire: WireClient
) -> None:
    """This covers path, query, header and body of a request, rules and faults (W-12)."""
    lines = joined(CHARACTERS_OF_A_FIELD)
    assert shown_wire.request("DELETE", "/sandbox/requests").is_success
    for text in lines:
        path = f"/v1/user/email-login/{quote(text, safe='')}?{urlencode({'q': text})}"
        body = {text: text, "email": text, "deviceId": [text]}
        shown_wire.request("POST", path, body, headers={"x-text": text})
        shown_wire.request("POST", "/v1/user/email-login", body, headers={"x-text": text})
    rules = [{"path": f"/v1/{number}/*", "json": text} for number, text in enumerate(lines)]
    assert shown_wire.request("PUT", "/sandbox/rules", json.dumps(rules).encode()).is_success
    faults = [{"path": f"/v1/{text.replace('?', '').replace('*', '')}", "nth": 1} for text in lines]
    faults = [{**fault, "code": 1100} for fault in faults]
    assert shown_wire.request("PUT", "/sandbox/faults", json.dumps(faults).encode()).is_success
    entries = shown_wire.http.get("/sandbox/requests").json()
    assert len(entries) == 2 * len(lines)
    with visit(browser, shown_sandbox.url) as visitor:
        for path in ("/requests", "/rules", "/faults"):
            page = visitor.open(PREFIX + path)
            assert page.locator("#content").locator("img, svg, iframe, style, base").count() == 0
        for entry in entries:
            page = visitor.open(f"{PREFIX}/requests/{entry['id']}")
            shown = page.locator("#content").text_content() or ""
            sent = dict(entry["request"]["headers"])["x-text"]
            assert sent in lines
            assert sent in shown
            assert page.locator("#content").locator("img, svg, iframe, style, base").count() == 0
