"""Bodies that are no JSON object (security I3-I5) get one refusal, and the server survives."""

import gzip
import json
import zlib

import pytest

from tests.support.answers import Answer, assert_refused
from tests.support.client import WireClient

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

BY_CODE = "user/verification-login"
PATHS = [
    BY_CODE,
    "user/email-login",
    "verification/get-verification-code",
    "verification/get-email-verification-code",
]
PHONE = "13900000000"
BROKEN = [
    b"{",
    b"}",
    b'{"mobile"',
    b'{"mobile":}',
    b'{"mobile": "13900000000",}',
    b'{"mobile": "13900000000" "captcha": "1"}',
    b"{'mobile': '13900000000'}",
    b'{mobile: "13900000000"}',
    b'{"mobile": "13900000000"} trailing',
    b'{"mobile": "13900000000"}{"captcha": "1"}',
    b'{"mobile": "13900000000"}\x00',
    b'\x00{"mobile": "13900000000"}',
    b'{"mobile": "139\n00000000"}',
    b'{"mobile": "\\x41"}',
    b'{"mobile": "\\u12"}',
    b'{"mobile": "unterminated',
    b'{"mobile": tru}',
    b'{"mobile": True}',
    b'{"mobile": 01}',
    b'{"mobile": +1}',
    b'{"mobile": .5}',
    b'{"mobile": 1.}',
    b'{"mobile": 0x10}',
    b'{"mobile": NaN}',
    b'{"mobile": Infinity}',
    b'{"mobile": -Infinity}',
    b'{"unknown": NaN}',
    b'{"unknown": -Infinity}',
    b'{// comment\n"mobile": "1"}',
    b'/* a */ {"mobile": "1"}',
    b"mobile=13900000000&captcha=123123",
    b"<mobile>13900000000</mobile>",
    b"not JSON",
    b"\x12\x0713900000",
]
BAD_TEXT = [
    b'{"mobile": "\xff\xfe"}',
    b'{"mobile": "\xc0\xaf"}',
    b'{"mobile": "\xed\xa0\x80"}',
    b'{"mobile": "\xf5\x80\x80\x80"}',
    b'{"mobile": "\xe6\xb9"}',
    b'{"mobile": "\\ud800"}',
    b'{"mobile": "\\udc00\\ud800"}',
    b'{"mobile": "\\ud800x"}',
    b'{"email": "\\ud83d@example.com"}',
    '{"mobile": "13900000000"}'.encode("utf-16"),
    '{"mobile": "13900000000"}'.encode("utf-16-le"),
    '{"mobile": "13900000000"}'.encode("utf-32"),
    '{"mobile": "湖畔"}'.encode("gb18030"),
]
NOT_AN_OBJECT = [b"[]", b"[{}]", b'"text"', b"1", b"null", b"true", b"1e400", b"", b" ", b"\n"]
NUMBERS = [b"1e400", b"-1e400", b"1" * 30, b"1" * 400, b"1e-400", b"-0", b"9223372036854775808"]


def post(wire: WireClient, path: str, body: bytes) -> Answer:
    """Send a body as JSON."""
    return wire.post(path, body, headers={"content-type": "application/json"})


def test_every_parser_error_is_one_code(wire: WireClient, subtests: pytest.Subtests) -> None:
    """Every parser error gets the same code (security I3)."""
    for body in BROKEN:
        with subtests.test(body=body):
            for path in PATHS:
                answer = post(wire, path, body)
                assert_refused(answer)
                assert answer.code == post(wire, path, b"[").code, path


def test_only_one_object_in_utf8(wire: WireClient, subtests: pytest.Subtests) -> None:
    """Other encodings, half characters and values other than an object are refused (I3)."""
    for body in BAD_TEXT + NOT_AN_OBJECT:
        with subtests.test(body=body):
            for path in PATHS:
                assert_refused(post(wire, path, body))


def test_odd_numbers_break_nothing(wire: WireClient, subtests: pytest.Subtests) -> None:
    """Numbers that exceed a machine word are refused, without a server error (security I5)."""
    for number in NUMBERS:
        for path in PATHS:
            with subtests.test(number=number, path=path):
                for field in (b"mobile", b"email", b"deviceId", b"id", b"unknown"):
                    assert_refused(post(wire, path, b'{"' + field + b'": ' + number + b"}"))


def nests() -> dict[str, bytes]:
    """Return nesting of 10 KB and 60 KB, open and closed."""
    found = {}
    for size in (10_000, 60_000):
        found[f"open arrays {size}"] = b"[" * size
        found[f"closed arrays {size}"] = b"[" * (size // 2) + b"]" * (size // 2)
        found[f"open objects {size}"] = b'{"a":' * (size // 5)
        found[f"arrays in a field {size}"] = b'{"mobile":' + b"[" * (size - 10)
        found[f"arrays in an unknown key {size}"] = (
            b'{"a":' + b"[" * (size // 2 - 3) + b"]" * (size // 2 - 3) + b"}"
        )
        found[f"closed objects {size}"] = b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6)
        found[f"brackets in a text {size}"] = b'{"a":"' + b"[" * (size - 8) + b'"}'
        found[f"escaped quotes {size}"] = b'{"a":"' + b'\\"[' * (size // 3 - 4) + b'"}'
    return found


def test_deep_nests_break_nothing(wire: WireClient, subtests: pytest.Subtests) -> None:
    """Deep nesting is refused and the process survives (security I4)."""
    for name in nests():
        with subtests.test(name=name):
            for path in PATHS:
                assert_refused(post(wire, path, nests()[name]))
                assert wire.server.is_running
                assert wire.request("GET", "/healthz").status_code == 200


def test_deep_nests_in_a_logout(wire: WireClient, subtests: pytest.Subtests) -> None:
    """The server survives a logout with deeply nested JSON (security I4)."""
    for name in nests():
        with subtests.test(name=name):
            wire.post("user/logout", nests()[name], token=wire.account().token)
            assert wire.server.is_running
            assert wire.request("GET", "/healthz").status_code == 200


@pytest.mark.parametrize(("depth", "fits"), [(2, True), (10, True), (40, False), (500, False)])
def test_depth_of_unknown_keys(wire: WireClient, depth: int, *, fits: bool) -> None:
    """Unknown keys are ignored up to the depth limit of 16 (wire.md 1.4, I3)."""
    phone = wire.fresh_phone()
    nest = "[" * depth + "]" * depth
    code = wire.sms_code(phone)
    body = f'{{"x": {nest}, "mobile": "{phone}", "captcha": "{code}"}}'.encode()
    answer = post(wire, BY_CODE, body)
    assert (answer.code == 1) is fits
    if not fits:
        assert wire.sign_in(phone, code).code == 1


def test_brackets_in_a_text_are_no_depth(wire: WireClient) -> None:
    """Brackets inside a text do not count as nesting (security I4)."""
    phone = wire.fresh_phone()
    extra = {"a": "[" * 100, "b": '"[' * 100, "c": "\\" + "{" * 100, "d": '\\\\"[[['}
    assert wire.sign_in(phone, wire.sms_code(phone), **extra).code == 1


def test_first_of_two_keys_never_wins(wire: WireClient) -> None:
    """The last of two equal keys counts, or the body is refused (security I3)."""
    first, last = wire.fresh_phone(), wire.fresh_phone()
    codes = wire.sms_code(first), wire.sms_code(last)
    body = (
        f'{{"mobile": "{first}", "captcha": "{codes[0]}",'
        f' "mobile": "{last}", "captcha": "{codes[1]}"}}'
    )
    answer = post(wire, BY_CODE, body.encode())
    if answer.code == 1:
        assert wire.own_info(answer.text("token")).pb_data.text(6) == last
    else:
        assert_refused(answer)
    assert wire.sign_in(first, codes[0]).code == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
def test_bodies_are_never_inflated(wire: WireClient, encoding: str) -> None:
    """A compressed body is not inflated, so it is not JSON (security I1)."""
    phone = wire.fresh_phone()
    plain = json.dumps({"mobile": phone, "captcha": wire.sms_code(phone)}).encode()
    packed = zlib.compress(plain) if encoding == "deflate" else gzip.compress(plain)
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    assert_refused(wire.post(BY_CODE, packed, headers=headers))


def test_escaped_text_is_text(wire: WireClient) -> None:
    """Escapes, including surrogate pairs, are decoded (I3)."""
    phone = wire.fresh_phone()
    escaped = "".join(f"\\u{ord(digit):04x}" for digit in phone)
    code = wire.sms_code(phone)
    body = f'{{"mobile": "{escaped}", "captcha": "{code}", "deviceId": "\\ud83c\\udf0a"}}'
    assert post(wire, BY_CODE, body.encode()).code == 1
