"""Find sentences of one language in texts of the other."""

import re

CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_WORDS = re.compile(r"(?<![\w/.:`'\"-])[A-Za-z]+(?:'[a-z]+)?(?: [A-Za-z]+(?:'[a-z]+)?)+(?![\w/`-])")


_OF_LIBRARIES = re.compile(r"\b(?:int|str|float|array|object|expected|got|[Ee]rrno)\b")
"""English words that libraries use alone, to describe a value."""


def english_in_chinese(text: str) -> list[str]:
    """Return the English phrases in a Chinese text: names alone, such as JSON, are allowed.

    Two consecutive words are a phrase if one is in lower case and no JSON value, which may be in
    any language.
    """
    values = {"true", "false", "null"}
    phrases = [
        phrase
        for phrase in _WORDS.findall(text)
        if any(word.islower() and word not in values for word in phrase.split())
    ]
    return phrases + _OF_LIBRARIES.findall(text)
