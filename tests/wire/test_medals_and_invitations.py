"""Medals and invitations (wire.md 3, 4 medal, invite)."""

import pytest

from tests.support import pb
from tests.support.answers import Answer, assert_refused
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, data_of, reply_to, whole_number
from tests.support.parallel import at_once, winner

MEDAL = "user/medal"
PROGRESS = "user/invite/invite-progress"
CHANGE_CODE = "user/invite/change-user-invite-code"
PLACES = ("currentNumberDay", "currentNumberTotal", "targetNumberDay", "targetNumberTotal")


def status_of(answer: Answer) -> bytes:
    """Return the bytes of a success's status."""
    status = b"\x08" + pb.varint(answer.request_id) + bytes.fromhex("1001 1a07 73756363657373")
    return b"\x0a" + pb.varint(len(status)) + status


def invite_code(wire: WireClient, token: str) -> str:
    """Return the caller's invitation code."""
    return wire.own_info(token).pb_data.text(12)


@pytest.mark.parametrize("body", [b"", b"{}", b"\x08\x01", b'{"extra": [1]}'])
def test_medals_stand_without_a_wrapper(wire: WireClient, body: bytes) -> None:
    """Medals are field 2, each {1 id, 2 name, 5 sort}, byte for byte (wire.md 3)."""
    account = wire.account(medals=["测试勋章"])
    (medal,) = wire.get_user(account.id).pb_data.messages(6)
    answer = wire.post(MEDAL, body, token=account.token)
    sort = pb.number(5, medal.number(5)) if medal.number(5) else b""
    name = bytes.fromhex("120c e6b58be8af95e58b8be7aba0")
    inner = b"\x08" + pb.varint(medal.number(1)) + name + sort
    assert answer.body == status_of(answer) + b"\x12" + pb.varint(len(inner)) + inner


def test_no_medals_is_a_status(wire: WireClient) -> None:
    """An account without a medal gets only the status (wire.md 3)."""
    answer = wire.post(MEDAL, token=wire.account().token)
    assert answer.body == status_of(answer)


def test_medals_are_sorted(wire: WireClient) -> None:
    """All medals of the caller are listed, by sort (wire.md 4)."""
    names = ["三", "一", "二", "Early bird"]
    account = wire.account(medals=names)
    answer = wire.post(MEDAL, token=account.token)
    assert answer.message is not None
    medals = answer.message.messages(2)
    assert sorted(medal.text(2) for medal in medals) == sorted(names)
    sorts = [medal.number(5) for medal in medals]
    assert sorts == sorted(sorts)
    public = wire.get_user(account.id).pb_data.messages(6)
    assert [medal.fields for medal in medals] == [medal.fields for medal in public]


def test_same_medal_is_the_same_for_all(wire: WireClient) -> None:
    """A medal has the same id on every account (wire.md 3)."""
    ids = {
        wire.get_user(wire.account(medals=["同一枚"]).id).pb_data.messages(6)[0].number(1)
        for _ in range(3)
    }
    assert len(ids) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b'{"extra": [1]}'])
def test_invite_progress(wire: WireClient, body: bytes) -> None:
    """Four numbers: the server's accounts of today and in total come first (wire.md 4)."""
    data = data_of(reply_to(wire, PROGRESS, body, token=wire.account().token), *PLACES)
    numbers = {key: whole_number(data[key]) for key in PLACES}
    assert 1 <= numbers["currentNumberDay"] <= numbers["currentNumberTotal"]
    assert all(number >= 0 for number in numbers.values())


def test_invitation_codes_are_unique(wire: WireClient) -> None:
    """Every account has its own code (wire.md 3)."""
    codes = [invite_code(wire, wire.account().token) for _ in range(20)]
    assert len(set(codes)) == 20
    assert all(codes)


def free_code(wire: WireClient) -> str:
    """Return an unused code of the usual form: an existing one reversed."""
    code = invite_code(wire, wire.account().token)
    while code == code[::-1]:
        code = invite_code(wire, wire.account().token)
    return code[::-1]


def test_a_code_can_be_changed(wire: WireClient) -> None:
    """Own info has the new code, and the response has no data (wire.md 4)."""
    token, code = wire.account().token, free_code(wire)
    assert reply_to(wire, CHANGE_CODE, {"code": code}, token=token) == SUCCESS
    assert invite_code(wire, token) == code


def test_a_code_is_changed_once(wire: WireClient) -> None:
    """A second change is refused, and the code stays (wire.md 4)."""
    token, code = wire.account().token, free_code(wire)
    assert wire.post(CHANGE_CODE, {"code": code}, token=token).code == 1
    assert_refused(wire.post(CHANGE_CODE, {"code": free_code(wire)}, token=token))
    assert invite_code(wire, token) == code


def test_anothers_code_is_refused(wire: WireClient) -> None:
    """Another account's code is refused (wire.md 4)."""
    owner, token = wire.account(), wire.account().token
    before, taken = invite_code(wire, token), invite_code(wire, owner.token)
    assert_refused(wire.post(CHANGE_CODE, {"code": taken}, token=token))
    assert invite_code(wire, token) == before
    assert invite_code(wire, owner.token) == taken


def test_one_code_for_twenty(wire: WireClient) -> None:
    """Of twenty users that request one code at once, one gets it (security A3, R10)."""
    tokens, code = [wire.account().token for _ in range(20)], free_code(wire)
    winner(at_once(lambda token: wire.post(CHANGE_CODE, {"code": code}, token=token), tokens))
    assert [invite_code(wire, token) for token in tokens].count(code) == 1


def test_one_user_changes_once_at_once(wire: WireClient) -> None:
    """Of ten concurrent changes of one account one succeeds (wire.md 4)."""
    token, codes = wire.account().token, [free_code(wire) for _ in range(10)]
    answers = at_once(lambda code: wire.post(CHANGE_CODE, {"code": code}, token=token), codes)
    winner(answers)
    assert invite_code(wire, token) in codes
