"""The pages of the sandbox, and the states in which they are looked at."""

from tests.support.client import WireClient

PREFIX = "/sandbox/pages"
PAGES = ("/", "/outbox", "/accounts", "/connect", "/reset")
"""Each page that is opened by a link, below the prefix."""
REFUSED_FORMS = (
    ("/accounts", "/accounts", {"phone": "1", "nickname": "小湖"}),
    ("/accounts", "/accounts", {"coins": "-1", "email": "a@example.com"}),
    ("/accounts", "/seed", {"number": "a"}),
)
"""Page, action of the form on it, fields: forms whose values are refused."""
LONGEST_NAME = "W" * 32
LONGEST_ADDRESS = f"{'w' * 63}@{'w' * 60}.{'w' * 60}.example"


def fill(wire: WireClient) -> None:
    """Bring something onto each page, the longest texts that are taken among it."""
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
    for _ in range(30):
        wire.sms_code(wire.fresh_phone())
    wire.ask_email(LONGEST_ADDRESS)
