"""What a client runs on, where it does not say so itself (wire.md 4: verification-login)."""

from hupan.api.call import Headers

_MOST_CHARACTERS = 32
_KNOWN = ((b"okhttp", "android"), (b"dart", "flutter"), (b"mozilla", "web"))


def platform_of(headers: Headers) -> str:
    """A word of User-Agent: a known one, else what the agent calls itself; "" where it is silent.

    The most active client never names its platform, and its owner shall know the device again.
    """
    agent = next((value for name, value in headers if name == b"user-agent"), b"")[:256].strip()
    start = agent.lower()
    known = next((word for mark, word in _KNOWN if start.startswith(mark)), "")
    return known or _own_name(agent)


def _own_name(agent: bytes) -> str:
    name = (agent.split() or [b""])[0].partition(b"/")[0]
    plain = "".join(chr(byte) for byte in name if 0x21 <= byte <= 0x7E)  # noqa: PLR2004 - ASCII that is seen
    return plain[:_MOST_CHARACTERS]
