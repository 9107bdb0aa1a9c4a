"""How deep a JSON body is nested, seen before it is decoded (security I4, X2).

Deep nesting ends a process whose thread has a small stack, inside the decoder, where nothing can
be caught. So the brackets are looked at first; text in quotes does not count. Each step is one
call for the whole body: to walk over 64 KiB token by token held the loop for 12 ms.
"""

DEEPEST = 16
MOST_NESTS = 4096
"""Lists and objects of one body; no request has more than a few."""
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def is_too_deep(body: bytes) -> bool:
    """Whether brackets are nested deeper than 16, or are more than 4,096, or have no partner."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    if b"\\" in body:  # an escaped quote ends no text
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(body.split(b'"')[::2]).translate(_TO_SQUARE, _NO_BRACKETS)
    if len(brackets) > 2 * MOST_NESTS:
        return True
    for _ in range(DEEPEST):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return True
