"""Advertisements (wire.md 4: get-user-show-adv)."""

from msgspec import Struct


class AdvertsShown(Struct, rename="camel"):
    """What the advertising services know the app by, and whether to show any.

    Attributes:
        is_show: 1 or 0; always 0 for VIP.
    """

    android_code_id: str
    bottom_height: int
    ios_code_id: str
    is_show: int
