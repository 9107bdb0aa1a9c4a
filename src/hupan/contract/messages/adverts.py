"""Advertisements (wire.md 4: get-user-show-adv)."""

from msgspec import Struct


class AdvertsShown(Struct, rename="camel"):
    """What the advertising services know the app by, and whether to show any: `isShow` 1 or 0."""

    android_code_id: str
    bottom_height: int
    ios_code_id: str
    is_show: int
