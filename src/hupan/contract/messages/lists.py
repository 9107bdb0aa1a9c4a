"""Messages of the lists that are empty without a message server (wire.md 8.2)."""

from msgspec import Struct


class StickyList(Struct):
    """The pinned conversations.

    Attributes:
        sticky: always empty.
    """

    sticky: list[str] = []


class BetaInfo(Struct):
    """The caller's part in a beta test.

    Attributes:
        beta: always "noapply".
        info: always "".
    """

    beta: str = "noapply"
    info: str = ""


class FriendRequestList(Struct, rename={"requests": "list"}):
    """The requests to become friends, for a client that sends JSON.

    Attributes:
        requests: always empty.
    """

    requests: list[str] = []
