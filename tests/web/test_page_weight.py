"""The maximum weight of pages that show clients' data (web.md W-11)."""

import json

import pytest

from hupan.web.assets import load_assets
from tests.support.client import WireClient

pytestmark = pytest.mark.one_engine
PAGES = "/sandbox/pages"
MAX_PAGE_BYTES = 60_000 - sum(map(len, load_assets(PAGES).contents.values()))


def open_page(wire: WireClient, path: str) -> str:
    """Open a page and check its weight."""
    reply = wire.http.get(PAGES + path, headers={"accept-language": "en"})
    assert reply.status_code == 200
    assert len(reply.content) <= MAX_PAGE_BYTES
    return reply.text


@pytest.mark.parametrize(
    "body",
    [
        "<" * 60_000,
        "湖" * 20_000,
        json.dumps({f"{'<' * 60}{number}": "<" * 300 for number in range(150)}),
        json.dumps({"k" * 30_000: dict.fromkeys(map(str, range(1000)), 1)}),
    ],
)
def test_a_request_is_light_at_its_longest(own_wire: WireClient, body: str) -> None:
    """The page omits data that the route has, and says so (W-11)."""
    headers = {f"x-{number}": "<" * 200 for number in range(20)}
    sent = {**headers, "content-type": "application/json"}
    own_wire.http.post("/v1/user/email-login", content=body.encode(), headers=sent)
    (entry,) = own_wire.http.get("/sandbox/requests").json()
    shown = open_page(own_wire, f"/requests/{entry['id']}")
    assert "POST" in shown
    assert "only" in shown
    assert entry["request"]["text"] == body


def test_lists_are_light_with_long_paths(own_wire: WireClient) -> None:
    """A long path is cut, and its rule must be typed (W-11)."""
    for number in range(25):
        own_wire.http.post(f"/v1/none/{'%3C' * 600}{number}")
        own_wire.http.post(f"/v1/{'%E6%B9%96' * 60}{number}")
    open_page(own_wire, "/requests")


def test_a_long_name_comes_back_once(own_wire: WireClient) -> None:
    """The paths of a thousand fields do not repeat it (K-3)."""
    body = json.dumps({"k" * 100_000: dict.fromkeys(map(str, range(1000)), 1)})
    own_wire.http.post("/v1/none", content=body, headers={"content-type": "application/json"})
    reply = own_wire.http.get("/sandbox/requests")
    (entry,) = reply.json()
    assert len(reply.content) < 10 * len(body)
    assert len(entry["request"]["fields"]) == 1000
    assert entry["request"]["decoded"] == json.loads(body)
