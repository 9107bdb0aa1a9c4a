"""The pages of the sandbox, and the states in which they are tested."""

import json

from tests.support.client import WireClient

PREFIX = "/sandbox/pages"
PAGES = (
    "/",
    "/outbox",
    "/requests",
    "/rules",
    "/accounts",
    "/clock",
    "/faults",
    "/snapshots",
    "/connect",
    "/reset",
)
"""Each page that a link opens, below the prefix."""
REFUSED_FORMS = (
    ("/accounts", "/accounts", {"phone": "1", "nickname": "小湖"}),
    ("/accounts", "/accounts", {"coins": "-1", "email": "a@example.com"}),
    ("/accounts", "/seed", {"number": "a"}),
    ("/clock", "/clock", {"time": "1999-01-01 00:00"}),
    ("/snapshots", "/snapshots", {"name": "a/b"}),
    ("/rules", "/rules", {"json": "{", "path": "/v1/x"}),
    ("/faults", "/faults", {"path": "v1", "code": "7100"}),
    ("/faults", "/faults", {"path": "/v1/*", "nth": "-1"}),
)
"""Page, action of the form on it, fields: forms whose values are refused."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
COMMON_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""The headers of every response (web.md W-1)."""
LONGEST_NAME = "W" * 32
LONGEST_ADDRESS = f"{'w' * 63}@{'w' * 60}.{'w' * 60}.example"


def fill(wire: WireClient) -> None:
    """Add content to each page, including the longest accepted texts."""
    for pack in ("vip", "banned", "coins", "unicode"):
        wire.request("POST", "/sandbox/seed", {"pack": pack, "number": 8})
    wire.account(
        nickname=LONGEST_NAME,
        email=LONGEST_ADDRESS,
        password="p" * 64,
        banReason="W" * 200,
        coins=9_999_999,
        vipDays=9,
    )
    rules = [
        {"path": f"/v1/{'w' * 200}", "code": 7100},
        *({"delayMs": 1, "nth": 9} for _ in "12345"),
    ]
    wire.request("PUT", "/sandbox/faults", json.dumps(rules).encode())
    for _ in range(30):
        wire.sms_code(wire.fresh_phone())
    wire.ask_email(LONGEST_ADDRESS)
    answer = {"path": f"/v1/{'w' * 300}/*", "json": "w" * 300, "status": 201}
    wire.request("PUT", "/sandbox/rules", json.dumps([answer]).encode())
    wire.request("POST", f"/sandbox/snapshots/{'w' * 64}")
    wire.request("GET", f"/v1/{'w' * 500}")
    wire.request("POST", "/v1/user/email-login", {"email": 1, "w" * 200: "w" * 2000})
