"""Times as operators write them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hupan.app.operating import OperationRefused


def moment(text: str, zone: ZoneInfo) -> int:
    """The unix seconds of `2026-12-31`, `2026-12-31 18:00` or the like; a date is its midnight.

    Args:
        text: a time of ISO 8601; without an offset it is one of the server's zone.
        zone: the server's zone.

    Raises:
        OperationRefused: it is no time.
    """
    try:
        written = datetime.fromisoformat(text.strip())
        return int((written if written.tzinfo else written.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError) as error:
        raise OperationRefused(
            f"{text!r} 不是时间，应如 2026-12-31 18:00 / is no time such as 2026-12-31 18:00"
        ) from error
