"""The form of a target under which its events are counted, and under which nothing else is.

Many mail systems deliver `name+anything@host` to `name@host`, and one large system ignores dots in
the local part. Limits count such addresses together, so that one mailbox has one limit (security
X11). Identity is never compared in this form: two people may own two such addresses.
"""

from hupan.model import Channel

_DOTLESS = ("gmail.com", "googlemail.com")


def folded(channel: Channel, key: str) -> str:
    """Return what the events of a target are counted under; a phone number is its own form."""
    if channel == "sms":
        return key
    local, _, domain = key.lower().rpartition("@")
    host = _ascii(domain)
    name = local.partition("+")[0] or local
    if host in _DOTLESS:
        name, host = name.replace(".", "") or name, _DOTLESS[0]
    return f"{name}@{host}"


def _ascii(domain: str) -> str:
    """Return the ASCII form of a domain, or the domain itself when it has none."""
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain
