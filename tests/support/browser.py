"""A real browser, Debian's chromium, driven by playwright; and axe, which finds barriers."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import axe_playwright_python
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    sync_playwright,
)

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# The same engine without a user interface takes half the time.
SHELL_NAMES = ("chromium-headless-shell", "chrome-headless-shell")
Language = Literal["zh-CN", "en"]
Scheme = Literal["light", "dark"]
WIDE, NARROW = 1280, 320


def find_chromium(names: Iterable[str] = CHROMIUM_NAMES) -> str | None:
    """Return the installed browser, if any: the first of these names."""
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the browser; skip if there is none."""
    path = find_chromium((*SHELL_NAMES, *CHROMIUM_NAMES))
    if path is None:
        pytest.skip("chromium is not installed")
    # Its sandbox does not work for root in a container.
    options = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A visitor of the pages: a separate window, and the errors of the browser.

    Attributes:
        page: the open page.
        url: of the server.
        complaints: errors, violations of the content security policy, dialogs.
        statuses: the status of each response.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page and return it."""
        self.page.goto(self.url + path)
        return self.page


@contextmanager
def visit(
    browser: Browser,
    url: str,
    *,
    language: Language = "zh-CN",
    scheme: Scheme = "light",
    width: int = WIDE,
    script: bool = True,
    bypass_csp: bool = False,
) -> Iterator[Visit]:
    """Open a window; check in the end that there were no errors."""
    context = browser.new_context(
        locale=language,
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        java_script_enabled=script,
        bypass_csp=bypass_csp,
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    context.set_default_timeout(20_000)
    try:
        visitor = Visit(context.new_page(), url)
        _listen(context, visitor)
        yield visitor
        assert visitor.complaints == []
    finally:
        context.close()


def _listen(context: BrowserContext, visitor: Visit) -> None:
    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            visitor.complaints.append(message.text)

    def on_dialog(dialog: Dialog) -> None:
        visitor.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    context.on("console", on_console)
    context.on("weberror", lambda error: visitor.complaints.append(str(error.error)))
    context.on("dialog", on_dialog)
    visitor.page.on("response", lambda response: visitor.statuses.append(response.status))


RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
CONTRAST = {"type": "rule", "values": ["color-contrast"]}
Rules = Literal["all", "contrast", "all but contrast"]
OPTIONS: Mapping[Rules, Mapping[str, object]] = {
    "all": {"runOnly": RULES},
    "contrast": {"runOnly": CONTRAST},
    "all but contrast": {"runOnly": RULES, "rules": {"color-contrast": {"enabled": False}}},
}
"""Rules of WCAG 2.2 A and AA; that of contrast takes more time than all others together."""
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
RUN_AXE = """async (options) => {
  const found = await axe.run(document, {...options, resultTypes: ["violations"]});
  return found.violations.map(({id, nodes}) => `${id}: ${nodes.map((node) => node.html)}`);
}"""


def prepare_to_look(visitor: Visit, unchanging: str) -> None:
    """Bring axe into each page that is opened, and block one address, so that pages stay as is."""
    visitor.page.add_init_script(path=AXE)
    # A route would do it, but ends the use of the cache.
    network = visitor.page.context.new_cdp_session(visitor.page)
    network.send("Network.enable")
    network.send("Network.setBlockedURLs", {"urls": [unchanging]})


def find_barriers(page: Page, rules: Rules) -> list[str]:
    """Return what axe finds on an open page."""
    found: list[str] = page.evaluate(RUN_AXE, OPTIONS[rules])
    return found


def is_scrolled_sideways(page: Page) -> bool:
    """Return whether a page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
