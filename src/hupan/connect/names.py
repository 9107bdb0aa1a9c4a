"""The host names that clients have built in (wire.md 6, 8.4)."""

import ipaddress
from typing import Final

CHAT_NAMES: Final = ("chat-go.jwzhd.com", "chat-web-go.jwzhd.com", "chat-ws-go.jwzhd.com")
PICTURE_NAMES: Final = (
    "chat-img.jwznb.com",
    "api.qiniu.com",
    *(f"upload{zone}.qiniup.com" for zone in ("", "-z0", "-z1", "-z2", "-na0", "-as0")),
)
KNOWN_NAMES: Final = (*CHAT_NAMES, *PICTURE_NAMES)
LOCAL_NAMES: Final = ("localhost",)
LOCAL_ADDRESSES: Final = ("127.0.0.1", "::1")


def is_loopback_address(text: str) -> bool:
    """Return whether a text is a loopback address of this machine."""
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False
