"""Chinese by default, English when asked (wire.md 2)."""

import re

import pytest

from tests.wire import pb
from tests.wire.answers import read_answer, refused_field
from tests.wire.client import WireClient

pytestmark = pytest.mark.one_engine

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH_TAGS = ["en", "en-US", "en-GB,en;q=0.9", "en-US,en;q=0.9,zh-CN;q=0.5"]
CHINESE_TAGS = [None, "", "zh-CN", "zh", "zh-CN,zh;q=0.9,en;q=0.5", "*", "not a language !"]


def spoken(tag: str | None) -> dict[str, str]:
    """Return the header, or none."""
    return {} if tag is None else {"accept-language": tag}


@pytest.mark.parametrize("tag", CHINESE_TAGS)
def test_chinese_is_the_default(wire: WireClient, tag: str | None) -> None:
    """Without a wish for English the messages are the contract's (wire.md 2)."""
    headers = spoken(tag)
    assert wire.own_info(None, headers=headers).msg == "未登录"
    unknown = wire.post("user/get-user", pb.text(2, "9" * 15), token="a", headers=headers)
    assert (unknown.code, unknown.msg) == (4402, "该用户不存在")
    missing = wire.post("user/email-login", {"password": "x"}, headers=headers)
    assert refused_field(missing) == "email"


@pytest.mark.parametrize("tag", ENGLISH_TAGS)
def test_english_when_asked(wire: WireClient, tag: str) -> None:
    """With Accept-Language: en every message is English, in both forms (wire.md 2)."""
    headers = spoken(tag)
    answers = {
        -101: wire.own_info(None, headers=headers),
        4402: wire.post("user/get-user", pb.text(2, "9" * 15), token="a", headers=headers),
        1100: wire.post("user/email-login", {"password": "x"}, headers=headers),
    }
    for code, answer in answers.items():
        assert answer.code == code
        assert not CHINESE.search(answer.msg), answer.msg
    assert "email" in answers[1100].msg
    invalid = wire.own_info("not-a-token", headers=headers)
    assert invalid.form == "protobuf"
    assert invalid.msg == answers[-101].msg


def test_each_refusal_has_both_languages(wire: WireClient) -> None:
    """A refusal keeps its code and changes its words (wire.md 2)."""
    requests: list[tuple[str, dict[str, object]]] = [
        ("user/verification-login", {"mobile": wire.fresh_phone(), "captcha": "000000"}),
        ("user/email-login", {"email": wire.fresh_email(), "password": "wrong password"}),
        (
            "verification/get-verification-code",
            {"mobile": wire.fresh_phone(), "code": "0", "id": "0"},
        ),
    ]
    codes = set()
    for path, body in requests:
        chinese = wire.post(path, body)
        english = wire.post(path, body, headers=spoken("en"))
        assert chinese.code == english.code
        assert CHINESE.search(chinese.msg)
        assert not CHINESE.search(english.msg)
        codes.add(chinese.code)
    assert len(codes) == len(requests)


@pytest.mark.parametrize("tag", ["zh-CN", "en"])
def test_success_is_success(wire: WireClient, tag: str) -> None:
    """The message of a success is `success` (wire.md 2)."""
    reply = wire.request("POST", "/v1/user/captcha", headers=spoken(tag))
    assert read_answer(reply.status_code, reply.headers, reply.content).msg == "success"
    assert wire.own_info(wire.account().token, headers=spoken(tag)).msg == "success"
