"""Which origins may read answers (security W5)."""

import pytest

from hupan.api.responses import Cors

pytestmark = pytest.mark.one_engine

LISTED = Cors(["https://a.example", "https://b.example:443", "http://c.example:80", "tauri://d"])
SAME = [
    "https://a.example",
    "https://a.example:443",
    "https://b.example",
    "https://b.example:443",
    "http://c.example",
    "http://c.example:80",
    "tauri://d",
]
OTHERS = [
    "http://a.example",
    "http://a.example:443",
    "https://a.example:80",
    "https://a.example:4430",
    "https://a.example:443:443",
    "https://a.example.evil",
    "https://a.example.evil:443",
    "https://oka.example",
    "https://A.example",
    "https://c.example",
    "tauri://d:443",
    "null",
    "",
    ":443",
    "https:",
]


@pytest.mark.parametrize("origin", SAME)
def test_the_usual_port_may_be_left_out(origin: str) -> None:
    """In the list or by the client; what it wrote is what it is told."""
    told = dict(LISTED.headers({b"origin": origin.encode()}))
    assert told[b"access-control-allow-origin"] == origin.encode()
    assert told[b"vary"] == b"origin"


@pytest.mark.parametrize("origin", OTHERS)
def test_no_other_origin_may_read(origin: str) -> None:
    """Neither by its end nor by its beginning, its case, its scheme or another port."""
    asked = {
        b"origin": origin.encode(),
        b"access-control-request-method": b"POST",
        b"access-control-request-headers": b"x-a",
    }
    assert dict(LISTED.headers(asked)) == {b"vary": b"origin"}
    assert dict(LISTED.preflight_headers(asked)) == {b"vary": b"origin"}
