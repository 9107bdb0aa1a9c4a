"""How deep a JSON body is nested, seen before it is decoded (security I4).

Deep nesting ends a process whose thread has a small stack, inside the decoder, where nothing can
be caught. So the brackets are counted first; text in quotes does not count.
"""

import re

DEEPEST = 16
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{\]}]', re.DOTALL)
_OPENING = frozenset(b"[{")
_CLOSING = frozenset(b"]}")


def is_too_deep(body: bytes) -> bool:
    """Whether brackets are nested deeper than 16."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for token in _TOKENS.finditer(body):
        first = body[token.start()]
        depth += (first in _OPENING) - (first in _CLOSING)
        if depth > DEEPEST:
            return True
    return False
