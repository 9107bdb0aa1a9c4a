"""Every route of the pages and of the sandbox, taken from the code that declares it."""

import ast
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from hupan.clock import SystemClock
from hupan.errors import Busy
from hupan.web.assets import load_assets
from hupan.web.forms import MAX_FORM_BYTES, FormState
from hupan.web.pages import PageSet
from hupan.web.sandbox.app import NAVIGATION
from hupan.web.sandbox.texts import SANDBOX_TEXTS
from tests.support.client import WireClient
from tests.support.sandbox_pages import COMMON_HEADERS as COMMON
from tests.support.sandbox_pages import PAGES, POLICY, PREFIX, fill

pytestmark = pytest.mark.one_engine

SOURCE = Path(__file__).parents[2] / "src" / "hupan"
ROUTE_POLICY = "default-src 'none'; frame-ancestors 'none'"
DECLARING = {"page": "GET", "action": "POST", "file_action": "POST"}
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


def page_routes() -> list[tuple[str, str]]:
    """Return method and path of each route that the pages declare."""
    tree = ast.parse((SOURCE / "web/sandbox/app.py").read_text("utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method = DECLARING.get(node.func.attr)
            if method and isinstance(node.args[0], ast.Constant):
                found.append((method, str(node.args[0].value).replace("{number:int}", "1")))
    return found


def sandbox_paths() -> list[str]:
    """Return each path below `/sandbox` that has a route."""
    files = [*(SOURCE / "sandbox").glob("*.py"), SOURCE / "sandbox_tools.py"]
    texts = [file.read_text("utf-8") for file in files]
    found = {path for text in texts for path in re.findall(r'"(/sandbox/[^"*]+)"', text)}
    return sorted(found - {PREFIX})


def headers_of(http: httpx.Client, method: str, url: str) -> httpx.Headers:
    """Return the headers of a response, which may be endless."""
    with http.stream(method, url) as reply:
        return reply.headers


@pytest.mark.slow
def test_every_route_has_the_headers(own_wire: WireClient) -> None:
    """Each page, form and route has them, with every method, even a form too large (web.md W-1)."""
    declared = page_routes()
    assert {entry.path for entry in NAVIGATION} <= {path for _, path in declared}
    assert len(declared) >= 20
    urls = [(method, PREFIX + path) for method, path in declared]
    urls += [(method, PREFIX + path) for _, path in declared for method in ("PUT", "DELETE")]
    for method, url in [*urls, ("GET", f"{PREFIX}/changes"), ("PUT", "/"), ("GET", "/")]:
        headers = headers_of(own_wire.http, method, url)
        assert headers.get("content-security-policy") == POLICY, (method, url)
        assert {name: headers.get(name) for name in COMMON} == COMMON, (method, url)
    large = own_wire.http.post(f"{PREFIX}/clock", content=b"a=" + b"x" * MAX_FORM_BYTES)
    assert large.status_code == 413
    assert large.headers["content-security-policy"] == POLICY

    paths = sandbox_paths()
    assert len(paths) >= 10
    for path in paths:
        url = path.replace("{name}", "one") + ("?timeout=0" if path.endswith("/wait") else "")
        for method in METHODS:
            headers = headers_of(own_wire.http, method, url)
            assert headers.get("content-security-policy") == ROUTE_POLICY, (method, url)
            assert {name: headers.get(name) for name in COMMON} == COMMON, (method, url)


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("ours"), 500), (Busy(), 503)], ids=["accident", "busy"]
)
async def test_an_accident_has_the_headers_and_an_id(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An internal error is a page with its number, which the log has, too (web.md W-1, W-10)."""

    async def fail(_request: Request, _form: FormState) -> Response:
        raise error

    pages = PageSet(
        load_assets(PREFIX),
        "sandbox/layout.html",
        SANDBOX_TEXTS,
        NAVIGATION,
        SystemClock(),
        ZoneInfo("Asia/Shanghai"),
        lambda: {"is_frozen": False, "clock_lead": 0, "fault_count": 0, "state": ""},
    )
    transport = httpx.ASGITransport(pages.build_app([pages.page("/x", fail)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        reply = await http.get(f"{PREFIX}/x")
    assert reply.status_code == status
    assert reply.headers["content-security-policy"] == POLICY
    assert {name: reply.headers.get(name) for name in COMMON} == COMMON
    (number,) = re.findall(r"<code[^>]*>([0-9a-f]{8})</code>", reply.text)
    assert (number in caplog.text) == (status == 500)
    assert "ours" not in reply.text


ROUTES_OF_FORMS = {
    ("/accounts", ""): "/sandbox/accounts",
    ("/seed", ""): "/sandbox/seed",
    ("/reset", ""): "/sandbox/reset",
    ("/requests", ""): "/sandbox/requests",
    ("/clock", ""): "/sandbox/clock",
    ("/clock", "advance"): "/sandbox/clock",
    ("/clock", "freeze"): "/sandbox/clock",
    ("/clock", "unfreeze"): "/sandbox/clock",
    ("/clock", "set"): "/sandbox/clock",
    ("/faults", ""): "/sandbox/faults",
    ("/faults", "add"): "/sandbox/faults",
    ("/faults", "remove"): "/sandbox/faults",
    ("/faults", "clear"): "/sandbox/faults",
    ("/rules", ""): "/sandbox/rules",
    ("/rules", "add"): "/sandbox/rules",
    ("/rules", "remove"): "/sandbox/rules",
    ("/rules", "clear"): "/sandbox/rules",
    ("/snapshots", "save"): "/sandbox/snapshots/{name}",
    ("/snapshots", "restore"): "/sandbox/snapshots/{name}/restore",
    ("/snapshots", "delete"): "/sandbox/snapshots/{name}",
    ("/snapshots/file", ""): "/sandbox/snapshots/{name}",
}
FORM = re.compile(rf'<form method="post" action="{PREFIX}([^"]*)".*?</form>', re.DOTALL)
ACT = re.compile(r'name="act" value="([^"]*)"')


@pytest.mark.slow
def test_every_button_has_a_route(own_wire: WireClient) -> None:
    """A script can do what a page can, by the route next to the form (K-2)."""
    fill(own_wire)
    own_wire.request("POST", "/sandbox/clock", {"freeze": True})
    found = set()
    for path in PAGES:
        text = own_wire.http.get(PREFIX + path).text
        for form in FORM.finditer(text):
            found |= {(form[1], act) for act in ACT.findall(form[0]) or [""]}
    assert found >= {("/snapshots", "restore"), ("/faults", "clear"), ("/clock", "unfreeze")}
    assert found <= set(ROUTES_OF_FORMS)
    assert set(ROUTES_OF_FORMS.values()) <= set(sandbox_paths())
