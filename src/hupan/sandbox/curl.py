"""Writes a shell command that sends the bytes of a request again (K-3).

The command is pasted into a shell, and a client chose most of what it holds. So all of it is in
single quotes, or in octal for `printf`; nothing in it can begin an option, name a file, or reach a
terminal as a control character.
"""

import re

from hupan.sandbox.journal import Entry

MAX_ARGUMENT_BYTES = 64 * 1024
"""The maximum of an argument: a shell accepts 128 KiB; a larger body goes through a pipe."""
_PLAIN_IN_PRINTF = frozenset(
    b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 {}[]":,._/=+@;<>()#&?*$|~^'
)
"""No `!`: an interactive shell replaces it by an earlier command, also within quotes."""
_HEADER_NAME = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+")
_METHOD = re.compile(r"[A-Z]+(-[A-Z]+)*")
_WRITTEN_BY_CURL = (b"accept", b"user-agent", b"content-type")
"""Headers that curl adds by itself, unless an option prevents it."""
_LEFT_OUT = frozenset({b"content-length", b"transfer-encoding", b"expect", b"connection"})
"""Headers about the connection and the length, which curl sets itself."""
_UPGRADE = b"upgrade"


def replay_command(entry: Entry) -> str:
    """Return a command for a POSIX shell; "" if the same bytes cannot be sent again."""
    request = entry.request
    headers = request.headers
    if (
        entry.kind != "request"
        or request.is_truncated
        or not entry.server[1]
        or not _METHOD.fullmatch(entry.method)
        or not entry.target.startswith(b"/")
        or not all(_HEADER_NAME.fullmatch(name) for name, _ in headers)
        or any(name == _UPGRADE for name, _ in headers)
    ):
        return ""
    words = ["curl", "-sS", "-i", "-g", "--path-as-is", *_method_words(entry)]
    if entry.http_version == "1.0":
        words.append("--http1.0")
    given = {name for name, _ in headers}
    has_body = bool(request.body) or b"content-length" in given
    absent = [name for name in _WRITTEN_BY_CURL if name not in given]
    words += [f"-H {quote(name + b':')}" for name in absent if name != b"content-type" or has_body]
    words += [f"-H {_header_word(name, value)}" for name, value in headers if name not in _LEFT_OUT]
    pipe = ""
    if has_body:
        body_words, pipe = _body_words(request.body)
        words += [*body_words, f"-H {quote(b'expect:')}"]
    host, port = entry.server
    authority = f"[{host}]" if ":" in host else host
    words.append(quote(f"http://{authority}:{port}".encode() + entry.target))
    return pipe + " ".join(words)


def _method_words(entry: Entry) -> list[str]:
    if entry.method == "HEAD":
        return ["--head"]
    return ["-X", entry.method]


def _header_word(name: bytes, value: bytes) -> str:
    return quote(name + b": " + value if value else name + b";")  # curl drops a header with ":"


def _body_words(body: bytes) -> tuple[list[str], str]:
    """Return the words for a body, and what is piped into curl."""
    if len(body) <= MAX_ARGUMENT_BYTES and _is_safe_text(body):
        return [f"--data-raw {quote(body)}"], ""
    return ["--data-binary @-"], f"printf '{_in_octal(body)}' | "


def quote(data: bytes) -> str:
    """Return one word of a shell that stands for these bytes, which must hold no NUL."""
    if _is_safe_text(data):
        return "'" + data.decode().replace("'", "'\\''") + "'"
    return f"\"$(printf '{_in_octal(data)}')\""


def _is_safe_text(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char == "\n" for char in text)


def _in_octal(data: bytes) -> str:
    """Return the format of `printf` for these bytes."""
    encoded = (chr(byte) if byte in _PLAIN_IN_PRINTF else f"\\{byte:03o}" for byte in data)
    text = "".join(encoded)
    return f"\\{data[0]:03o}{text[1:]}" if text.startswith("-") else text
