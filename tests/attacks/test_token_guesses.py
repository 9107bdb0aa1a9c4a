"""Values close to a token, or shown to others, give no access (security T1, T2, T9)."""

import base64
import hashlib
import itertools
from collections.abc import Iterator

import pytest

from hupan.crypto import SecretBox
from hupan.domain.sessions import Tokens
from hupan.model import AccountId
from hupan.rng import SystemRandomSource
from tests.support import pb
from tests.support.client import WireClient

pytestmark = pytest.mark.slow

TOKEN_BITS = 128


def opens(wire: WireClient, token: str | bytes) -> bool:
    """Return whether a text is accepted where a session is required."""
    return wire.own_info(token).code != -101


def shaped(value: int) -> str:
    """Return 128 bits formatted like a token."""
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def one_bit_off(token: str) -> Iterator[str]:
    """Yield each token that differs in one bit; some of them name neighbouring accounts."""
    value = int(token.replace("-", ""), 16)
    for bit in range(TOKEN_BITS):
        yield shaped(value ^ 1 << bit)


def of_another_length(token: str) -> Iterator[str]:
    """Yield shorter and longer texts, padded with zeros and with the token's own characters."""
    for count in range(1, 37):
        yield token[:-count]
        yield token[count:]
        yield token + token[:count]
        yield token[:-count] + "0" * count
        yield "0" * count + token


def in_another_case(token: str) -> Iterator[str]:
    """Yield the token with each letter in upper case, and with all of them."""
    for at, letter in enumerate(token):
        if letter.isalpha():
            yield token[:at] + letter.upper() + token[at + 1 :]
    yield token.upper()


def written_otherwise(token: str) -> Iterator[str | bytes]:
    """Yield the same bits in other encodings, and digits of other scripts."""
    raw = bytes.fromhex(token.replace("-", ""))
    yield raw.hex()
    yield base64.b64encode(raw)
    yield base64.urlsafe_b64encode(raw).rstrip(b"=")
    yield str(int(raw.hex(), 16))
    yield token.replace("0", "\u0660").replace("1", "\uff11").encode()
    yield "".join(chr(ord(letter) + 0xFEE0) for letter in token).encode()
    yield token.replace("-", "\u2010").encode()
    yield token.replace("-", "%2d")
    yield "".join(f"%{ord(letter):02x}" for letter in token)


def test_nothing_near_a_token_opens_anything(wire: WireClient) -> None:
    """Other bits, length, case or encoding: only the exact token is accepted (security T2)."""
    token = wire.account().token
    near = itertools.chain(
        one_bit_off(token),
        of_another_length(token),
        in_another_case(token),
        written_otherwise(token),
    )
    tried = [text for text in near if text not in {token, token.encode(), "", b""}]
    assert len(tried) > 300
    assert [text for text in tried if opens(wire, text)] == []
    assert opens(wire, token)


def test_two_halves_of_two_tokens(wire: WireClient) -> None:
    """Parts of two tokens, cut anywhere, never join into a valid one (security T2)."""
    first, second = wire.account().token, wire.account().token
    crossed = {first[:at] + second[at:] for at in range(1, len(first))} - {first, second}
    assert [text for text in crossed if opens(wire, text)] == []


def test_what_is_stored_is_no_token(wire: WireClient) -> None:
    """Hashes of a token, in any encoding, are not accepted (security T2)."""
    token = wire.account().token
    hashes = [hashlib.new(name, token.encode()) for name in ("sha256", "sha1", "md5", "blake2s")]
    texts = [
        text for one in hashes for text in (one.hexdigest(), shaped(int(one.hexdigest()[:32], 16)))
    ]
    assert [text for text in texts if opens(wire, text)] == []


def test_what_is_public_is_no_token(wire: WireClient) -> None:
    """Ids, numbers, captchas, codes, invitation codes and operators' names are no sessions (T9)."""
    phone = wire.fresh_phone()
    account, captcha = wire.account(phone=phone), wire.captcha()
    own = wire.own_info(account.token)
    told = [
        *(account.id, phone, own.pb_data.text(12), str(own.request_id), wire.sms_code(phone)),
        *(captcha.id, captcha.answer, "admin", "root", "owner", "support", "sandbox", "true", "1"),
    ]
    assert [text for text in told if opens(wire, text)] == []
    for header, value in (
        ("cookie", f"token={account.token}; __Host-session={account.token}"),
        (
            "authorization",
            "Basic " + base64.b64encode(f"{account.id}:{account.token}".encode()).decode(),
        ),
        ("x-token", account.token),
        ("x-user-id", account.id),
        ("x-forwarded-user", account.id),
        ("x-admin", "true"),
    ):
        assert wire.own_info(None, {header: value}).code == -101, header


def test_a_token_of_one_kind_opens_no_route_of_another(wire: WireClient) -> None:
    """The chat API has no operator route under any likely name (T9)."""
    token = wire.account(vipDays=3).token
    for path in ("admin", "v1/admin", "console", "v1/admin/user", "metrics", "debug", "docs"):
        for method in ("GET", "POST"):
            reply = wire.request(method, f"/{path}", pb.text(2, "1"), token=token)
            assert reply.status_code == 404, (method, path)


@pytest.mark.one_engine
def test_ten_thousand_tokens_share_nothing() -> None:
    """No token repeats, and no two share eight digits at both ends (security T1)."""
    tokens = Tokens(SecretBox(b"k" * 32), SystemRandomSource())
    made = [tokens.make(AccountId(1_000_000 + number // 10)) for number in range(10_000)]
    assert len(set(made)) == len(made)
    assert len({(text[:8], text[-8:]) for text in made}) == len(made)
    ones = [sum(int(text.replace("-", ""), 16) >> bit & 1 for text in made) for bit in range(128)]
    # Six standard deviations of a fair coin: one run in four million would fail by chance.
    assert all(4_700 < count < 5_300 for count in ones), ones
