"""What a gateway or mail server said, as a log may repeat it (security L1, C13)."""

from base64 import b64encode
from urllib.parse import quote

import pytest

from hupan.delivery.texts import MAX_REPLY_CHARACTERS, sanitize_reply

NUMBER, CODE, KEY = "+8613800138000", "482913", "sk-Abc9/d+ef=="
LONG = 60_000


@pytest.mark.parametrize(
    "said",
    [
        CODE,
        "４８２９１３",
        "4, 8, 2, 9, 1, 3",
        "4 - 8 - 2 - 9 - 1 - 3",
        "482---913",
        '["4","8","2","9","1","3"]',
        "48<b>29</b>13",
        "4\u03018\u03012\u03019\u03011\u03013",
        "4\u200b8\u200b2\u200b9\u200b1\u200b3",
        "".join(f"\\\\u{ord(one):04x}" for one in CODE),
        "".join(f"%u{ord(one):04x}" for one in CODE),
        "".join(f"\\x{ord(one):02x}" for one in CODE),
        "".join(f"&amp;#{ord(one)};" for one in CODE),
        "".join(f"%25{ord(one):02x}" for one in CODE),
        b64encode(CODE.encode()).decode(),
        NUMBER,
        quote(quote(NUMBER)),
        "138 (0013) 8000",
        KEY,
        quote(KEY, safe=""),
        b64encode(KEY.encode()).decode(),
    ],
)
def test_what_is_private_is_masked_however_it_is_written(said: str) -> None:
    """C13, L1: nothing but the mask, and what stood around it, is left."""
    left = sanitize_reply(f"no: {said} !", [NUMBER, CODE, KEY])
    assert "***" in left
    assert not set(left) - set("no: *+=86[]\"'!"), left


@pytest.mark.parametrize("said", ["签名不合法", "30", "-1 余额不足", "code=isv.BUSINESS_LIMIT"])
def test_words_that_help_stay(said: str) -> None:
    """R07: an operator reads why nothing left."""
    assert sanitize_reply(said, [NUMBER, CODE, KEY]) == said


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "run",
    [
        *(
            "A",
            "1",
            "a1",
            "1 ",
            "%",
            "&",
            "a.",
            "a@",
            "a:/",
            "<",
            "\\u0041",
            "\u0344\u0316",
            "\ufdfa",
        )
    ],
)
def test_no_answer_costs_more_than_its_length(run: str) -> None:
    """X2: 2,000 letters in a row held the loop for 18 seconds."""
    assert (
        len(sanitize_reply(run * (LONG // len(run)), [NUMBER, CODE, KEY]))
        <= MAX_REPLY_CHARACTERS + 1
    )
