"""Screenshots of each page of the sandbox: zh light, en dark, and 320 px wide (web.md W-14).

`make screenshots` writes them to `screenshots/`, and those of the README to `docs/`. It needs
chromium and a font with Chinese.
"""

import json
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.support.browser import NARROW, WIDE, Language, Scheme, open_browser, visit
from tests.support.client import WireClient
from tests.support.sandbox_pages import PAGES, PREFIX
from tests.support.servers import CHEAP_HASHES, Server

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "screenshots"
LOOKS: tuple[tuple[str, Language, Scheme, int], ...] = (
    ("zh-light", "zh-CN", "light", WIDE),
    ("en-dark", "en", "dark", WIDE),
    ("zh-narrow", "zh-CN", "light", NARROW),
)
README_IMAGES: tuple[tuple[str, str, Language, Scheme], ...] = (
    ("sandbox-outbox.png", "/outbox", "en", "light"),
    ("sandbox-request.png", "/requests/refused", "en", "dark"),
    ("sandbox-outbox.zh-CN.png", "/outbox", "zh-CN", "light"),
    ("sandbox-request.zh-CN.png", "/requests/refused", "zh-CN", "dark"),
)
README_HEIGHT = 560


def fill(wire: WireClient) -> str:
    """Add typical data to the pages; return the path of a refused request."""
    for pack in ("banned", "vip", "minimal"):
        wire.request("POST", "/sandbox/seed", {"pack": pack})
    wire.account(phone="13800138000", nickname="小湖", coins=12.5)
    for phone in ("13800138001", "13800138002"):
        wire.sms_code(phone)
    wire.ask_email("xiaohu@example.com")
    faults = [
        {"path": "/v1/user/info", "httpStatus": 503, "nth": 3},
        {"path": "/v1/coin/*", "delayMs": 300, "probability": 0.5},
    ]
    wire.request("PUT", "/sandbox/faults", json.dumps(faults).encode())
    wire.request("POST", "/sandbox/snapshots/before-the-move", b"{}")
    wire.request("POST", "/v1/message/list", {"chatId": "1"})
    login = {"email": "xiaohu@example.com", "pasword": "lakeside", "deviceId": 7}
    wire.request("POST", "/v1/user/email-login", login)
    wire.sms_code("13800138000")
    refused = wire.http.get("/sandbox/requests", params={"path": "/v1/user/email-login"}).json()
    return f"/requests/{refused[0]['id']}"


def take(page: Page, path: Path, *, height: int) -> None:
    """Write one screenshot with few colours, so that it is small."""
    page.set_viewport_size({"width": page.evaluate("innerWidth"), "height": height})
    image = Image.open(BytesIO(page.screenshot()))
    image.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def take_all(browser: Browser, url: str, refused: str) -> None:
    """Take every page in every scheme and width, and the images of the README."""
    FOLDER.mkdir(exist_ok=True)
    for look, language, scheme, width in LOOKS:
        with visit(browser, url, language=language, scheme=scheme, width=width) as visitor:
            for path in (*PAGES, refused):
                page = visitor.open(PREFIX + path)
                name = path.strip("/").split("/")
                title = "overview" if name == [""] else "request" if len(name) > 1 else name[0]
                take(page, FOLDER / f"{title}-{look}.png", height=900)
    for file, path, language, scheme in README_IMAGES:
        with visit(browser, url, language=language, scheme=scheme, width=1120) as visitor:
            page = visitor.open(PREFIX + path.replace("/requests/refused", refused))
            take(page, ROOT / "docs" / file, height=README_HEIGHT)


def main() -> int:
    """Run a sandbox and take the screenshots."""
    with (
        Server("sandbox", environment=CHEAP_HASHES) as server,
        WireClient(server) as wire,
        open_browser() as browser,
    ):
        refused = fill(wire)
        take_all(browser, server.url, refused)
    sys.stdout.write(f"{FOLDER}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
