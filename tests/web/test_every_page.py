"""Requirements of every page: barriers, width, keyboard, weight (W-3 to W-5, W-11).

One visit serves many checks: a page is loaded once for each language and state, then shown in both
schemes and widths.
"""

from collections.abc import Iterator, Mapping, Sequence

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import (
    NARROW,
    WIDE,
    Language,
    Scheme,
    Visit,
    find_barriers,
    is_scrolled_sideways,
    prepare_to_look,
    visit,
)
from tests.support.client import WireClient
from tests.support.sandbox_pages import PAGES, PREFIX, REFUSED_FORMS, fill
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

CHANGES = "*/changes?*"
MAX_BYTES, MAX_REQUESTS = 60_000, 12
# A long list repeats the same row.
FEW_ROWS = "document.querySelectorAll('[data-key]:nth-child(n + 4)').forEach((row) => row.remove())"
# A text wider than its box would be below the button next to it.
COVERED = """[...document.querySelectorAll('.copyable code:not(.clip)')].some(
  (code) => code.scrollWidth > code.clientWidth + 1
)"""
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
Look = tuple[Scheme, int]
ALL_LOOKS: Sequence[Look] = [(scheme, width) for scheme in SCHEMES for width in (WIDE, NARROW)]
LOOKS: Mapping[Language, Sequence[Look]] = {"zh-CN": ALL_LOOKS, "en": ALL_LOOKS[:2]}
"""Where contrast is checked: colours are the same in both languages, so the dark ones once."""


def look(page: Page, language: Language, name: str, seen: Sequence[Look]) -> list[str]:
    """Return the faults of an open page, in both widths; those of contrast in the given looks."""
    faults = []
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="light")
        faults += find_barriers(page, "all" if ("light", width) in seen else "all but contrast")
        if is_scrolled_sideways(page):
            faults.append("scrolls sideways")
        if page.evaluate(COVERED):
            faults.append("a button covers what it copies")
        if ("dark", width) in seen:
            page.emulate_media(color_scheme="dark")
            faults += find_barriers(page, "contrast")
    return [f"{language} {name}: {fault}" for fault in faults]


def look_at_all(browser: Browser, url: str, paths: Sequence[str]) -> list[str]:
    """Return the faults of any of these pages, in both languages."""
    faults = []
    for language in LANGUAGES:
        with visit(browser, url, language=language) as visitor:
            prepare_to_look(visitor, CHANGES)
            for path in paths:
                page = visitor.open(PREFIX + path)
                expect(page.locator("html")).to_have_attribute("lang", language)
                page.evaluate(FEW_ROWS)
                faults += look(page, language, path, LOOKS[language])
    return faults


@pytest.fixture(scope="module")
def filled(shown_wire: WireClient) -> WireClient:
    """Return the sandbox with content on each page."""
    fill(shown_wire)
    return shown_wire


def test_empty_pages_have_no_barriers(browser: Browser, shown_sandbox: Server) -> None:
    """Empty pages have none for axe, in each language, scheme and width (W-3, W-10)."""
    assert look_at_all(browser, shown_sandbox.url, PAGES) == []


def test_full_pages_have_no_barriers(
    browser: Browser, shown_sandbox: Server, filled: WireClient
) -> None:
    """Rows and the longest texts cause none, and no sideways scrolling at 320 px (W-3, W-5)."""
    listed = filled.http.get("/sandbox/requests", params={"result": "refused"}).json()
    entries = [f"/requests/{entry['id']}" for entry in listed]
    assert len(entries) == 2
    assert look_at_all(browser, shown_sandbox.url, [*PAGES, *entries]) == []


def form_with(page: Page, action: str, name: str) -> Locator:
    """Return the form with an action and a text field."""
    field = page.locator(f"[name={name}]:not([type=hidden])")
    return page.locator(f"form[method=post][action='{PREFIX}{action}']").filter(has=field)


def open_details(page: Page) -> None:
    """Open all folded details."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")


@pytest.mark.parametrize("language", LANGUAGES)
def test_refused_forms_have_no_barriers(
    browser: Browser, shown_sandbox: Server, language: Language
) -> None:
    """A refusal is text, keeps the input and takes the focus (W-3, W-9)."""
    faults = []
    with visit(browser, shown_sandbox.url, language=language) as visitor:
        prepare_to_look(visitor, CHANGES)
        for path, action, fields in REFUSED_FORMS:
            page = visitor.open(PREFIX + path)
            open_details(page)
            form = form_with(page, action, next(iter(fields)))
            for name, value in fields.items():
                form.locator(f"[name={name}]").fill(value)
            form.locator("button").last.click()
            expect(page.locator("#problem")).to_be_focused()
            assert page.title().startswith({"zh-CN": "错误：", "en": "Error: "}[language])
            for name, value in fields.items():
                expect(form.locator(f"[name={name}]")).to_have_value(value)
            wrong = page.locator("[aria-invalid=true]")
            assert wrong.count() == int(action != "/faults" or "nth" in fields)
            for one in wrong.all():
                note = one.get_attribute("aria-describedby")
                expect(page.locator(f"#{note}")).to_be_visible()
            page.evaluate(FEW_ROWS)
            faults += look(page, language, path, LOOKS[language]) if language == "zh-CN" else []
        page = visitor.open(f"{PREFIX}/nothing")
        faults += look(page, language, "not found", LOOKS[language])
    assert faults == []


FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const box = element.getClientRects()[0]; // the first line of a link that wraps
  const style = getComputedStyle(element);
  const x = Math.min(Math.max(box.left + 3, 0), innerWidth - 1);
  const top = document.elementFromPoint(x, Math.max(box.top, 0) + Math.min(box.height, 8) / 2);
  return {
    index: [...document.querySelectorAll("*")].indexOf(element),
    name: element.outerHTML.slice(0, 80),
    isSeen: box.bottom > 0 && box.top < innerHeight && box.width > 0,
    isOutlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    isCovered: !(top && (element.contains(top) || top.contains(element))),
    isSkipLink: element.classList.contains("skip"),
  };
}"""
FOCUSABLE = "a[href], button:not([disabled]), input:not([type=hidden]), select, textarea, summary"

COUNT_FOCUSABLE = """(names) =>
[...document.querySelectorAll(names)].filter((element) => element.checkVisibility()).length"""


@pytest.fixture(scope="module", params=PAGES)
def visited(
    request: pytest.FixtureRequest, browser: Browser, shown_sandbox: Server, filled: WireClient
) -> Iterator[Visit]:
    """Yield a visitor of each page, for several tests."""
    del filled
    with visit(browser, shown_sandbox.url) as visitor:
        visitor.open(f"{PREFIX}{request.param}")
        yield visitor


def test_a_page_is_light(visited: Visit) -> None:
    """A full page has at most 60 kB and 12 requests, all from this server (W-11)."""
    entries = visited.page.evaluate(
        "[...performance.getEntriesByType('navigation'),"
        " ...performance.getEntriesByType('resource')]"
        ".map((entry) => [entry.name, entry.encodedBodySize])"
    )
    assert 3 <= len(entries) <= MAX_REQUESTS
    assert all(name.startswith(visited.url) for name, _ in entries)
    assert 5_000 < sum(size for _, size in entries) <= MAX_BYTES


def test_the_keyboard_reaches_everything(visited: Visit) -> None:
    """Tab reaches the skip link first, then everything, each visible and uncovered (W-4)."""
    page = visited.page
    open_details(page)
    page.evaluate(FEW_ROWS)
    expected = page.evaluate(COUNT_FOCUSABLE, FOCUSABLE)
    seen: dict[int, str] = {}
    faults: list[str] = []
    for step in range(expected + 5):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None or focused["index"] in seen:
            break
        seen[focused["index"]] = focused["name"]
        if step == 0 and not focused["isSkipLink"]:
            faults.append("the skip link is not first")
        if not focused["isSeen"] or not focused["isOutlined"] or focused["isCovered"]:
            faults.append(str(focused))
    assert faults == []
    assert len(seen) >= expected


def test_no_preference_loses_anything(
    browser: Browser, shown_sandbox: Server, filled: WireClient
) -> None:
    """Forced colours keep borders, reduced motion has no animation (W-5)."""
    del filled
    with visit(browser, shown_sandbox.url) as visitor:
        visitor.page.emulate_media(forced_colors="active", reduced_motion="reduce")
        page = visitor.open(f"{PREFIX}/outbox")
        for where in ("nav a[aria-current]", ".badge", "button"):
            border = f"getComputedStyle(document.querySelector('{where}')).borderLeftStyle"
            assert page.evaluate(border) == "solid"
        style = "row.classList.add('new'), getComputedStyle(row.cells[0]).animationName"
        assert page.evaluate(f"(row => ({style}))(document.querySelector('[data-key]'))") == "none"
