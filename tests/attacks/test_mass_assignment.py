"""Foreign fields in every body that is written (security Z3).

Two equal accounts send the same request; one of them adds every name and every number that the
contract has anywhere, and those that an attacker would try first. Afterwards the two are still
equal, for each reader.
"""

from typing import Any

import msgspec
import pytest

from hupan.contract import ENDPOINTS
from tests.support import pb
from tests.support.answers import Account
from tests.support.channels import EMAIL, PHONE
from tests.support.client import WireClient
from tests.support.endpoint_calls import CALLS, Call

pytestmark = pytest.mark.slow

PASSWORD = "the lake at seven"
READS = ("user/get-user-data", "user/gold-coin-increase-decrease-record", "user/get-user-show-adv")
# Fields that are unique to an account.
OWN_KEYS = {"id", "userId", "user_id", "lastLoginTime", "update_time"}
TRIED_FIRST: dict[str, object] = {
    "coin": 999_999,
    "coins": 999_999,
    "goldCoinAmount": 999_999,
    "change": 9_999,
    "typ": 2,
    "isVip": 1,
    "is_vip": 1,
    "vipExpiredTime": 4_000_000_000,
    "vipStatus": 1,
    "vipDays": 999,
    "role": "admin",
    "roles": ["owner"],
    "isAdmin": True,
    "admin": 1,
    "verified": True,
    "banTime": 4_000_000_000,
    "banReason": "x",
    "banId": 1,
    "erase_at": 1,
    "deleted": True,
    "medals": [1],
    "medal": 1,
    "invitationCode": "HACK0001",
    "invitedBy": "1000001",
    "registerTime": 1,
    "onlineDay": 999,
    "passwordHash": "x",
    "phoneVerified": True,
    "account": {"coin": 1},
    "data": {"isVip": 1},
    "user": {"role": "admin"},
    "$set": {"coin": 1},
    "__proto__": {"isVip": 1},
    "constructor": {"prototype": {"coin": 1}},
    "where": {"id": 1},
}
JSON_WRITES = [
    call for call in CALLS if isinstance(call.body, dict) and "/recommend" not in call.path
]
PROTOBUF_WRITES = [call for call in CALLS if "/edit-" in call.path]


def every_name() -> dict[str, object]:
    """Return each field name of the contract's JSON messages, with a value to store."""
    forms = [line.request for line in ENDPOINTS] + [line.response for line in ENDPOINTS]
    names = {
        name
        for form in forms
        if issubclass(form, msgspec.Struct)
        for name in form.__struct_encode_fields__
    }
    return dict.fromkeys(sorted(names), 1) | TRIED_FIRST


def twin(wire: WireClient) -> Account:
    """Create one of two equal accounts: unreachable, with VIP, a medal and some coins."""
    return wire.account(deviceId="d", platform="p", nickname="twin", vipDays=3, coins=12.5)


def looks(wire: WireClient, who: Account) -> dict[str, object]:
    """Return all that the account and a stranger can read of it, except its identity."""
    own = wire.own_info(who.token).pb_data
    public = wire.get_user(who.id).pb_data
    devices = pb.decode(wire.request("GET", "/v1/user/clients", token=who.token).content)
    read = {path: wire.post(path, {"size": 20, "page": 1}, token=who.token) for path in READS}
    return {
        # 12 is the invitation code; 10 and 14 are the end of VIP, which may differ by seconds.
        "own": _without_id(own, who, {1, 10, 12}),
        "vip": own.number(10) // 86_400,
        "public": _without_id(public, who, {1, 3, 7, 14, 19}),
        "introduced": public.message(19).fields[1:],
        "devices": len(devices.messages(2)),
        **{path: _plain(answer.data) for path, answer in read.items()},
    }


def _without_id(message: pb.Message, who: Account, left_out: set[int]) -> list[object]:
    """Return the fields of a message; the default picture has the account's id (wire.md 8.4)."""
    own, none = f"/{who.id}.png".encode(), b"/.png"
    return [
        (number, kind, value.replace(own, none) if isinstance(value, bytes) else value)
        for number, kind, value in message.fields
        if number not in left_out
    ]


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        kept = {key: _plain(inner) for key, inner in value.items() if key not in OWN_KEYS}
        return {key: inner for key, inner in kept.items() if key != "createTime"}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def test_json_takes_its_own_fields_alone(wire: WireClient, subtests: pytest.Subtests) -> None:
    """Foreign names in a JSON body, flat or nested, change nothing (security Z3)."""
    for call in JSON_WRITES:
        with subtests.test(call=call):
            plain, greedy, victim = (twin(wire) for _ in range(3))
            before = looks(wire, victim)
            own = dict(call.body) if isinstance(call.body, dict) else {}
            if "invite" in call.path:
                own["code"] = f"Q{wire.fresh_phone()}"  # unique to one account
            foreign = {**every_name(), "userId": victim.id, "user_id": victim.id, "uid": victim.id}
            with_all = Call(call.method, call.path, {**_without(foreign, call), **own})
            codes = [with_all.answer(wire, greedy.token).code]
            if "invite" in call.path:
                own["code"] = f"Q{wire.fresh_phone()}"
            codes.append(Call(call.method, call.path, own).answer(wire, plain.token).code)
            assert codes[0] == codes[1]
            assert looks(wire, greedy) == looks(wire, plain)
            assert looks(wire, victim) == before


def _without(foreign: dict[str, object], call: Call) -> dict[str, object]:
    """Return the names that the endpoint does not know."""
    path = call.path.removeprefix("/web")
    own = {
        name
        for line in ENDPOINTS
        if line.path == path and issubclass(line.request, msgspec.Struct)
        for name in line.request.__struct_encode_fields__
    }
    return {name: value for name, value in foreign.items() if name not in own}


@pytest.mark.parametrize("call", PROTOBUF_WRITES, ids=lambda call: call.key)
def test_protobuf_takes_its_own_fields_alone(wire: WireClient, call: Call) -> None:
    """Foreign numbers in a protobuf body, or names in its JSON form, change nothing (Z3)."""
    assert isinstance(call.body, bytes)
    mine = call.body[0] >> 3
    others = [number for number in range(1, 60) if number != mine]
    foreign = b"".join(pb.number(one, 999_999) + pb.text(one, "admin") for one in others)
    plain, greedy, named = (twin(wire) for _ in range(3))
    assert call.answer(wire, plain.token).code == 1
    assert wire.post(call.path[4:], foreign + call.body, token=greedy.token).code == 1
    own = {"name": "n"} if "nickname" in call.path else {"url": "https://a.example/a.png"}
    wire.request(
        "POST",
        call.path,
        {**every_name(), **own},
        token=named.token,
        headers={"content-type": "application/json"},
    )
    assert looks(wire, greedy) == looks(wire, plain)
    assert looks(wire, named) == looks(wire, plain)


def test_a_right_code_carries_nothing_else_in(wire: WireClient) -> None:
    """A bind, change, reset or sign-in does only that, with any extra fields (Z3)."""
    seen = []
    for foreign in ({}, every_name()):
        who, phone, email = twin(wire), wire.fresh_phone(), wire.fresh_email()
        steps = [
            ("user/bing-phone", "phone", phone, PHONE),
            ("user/bing-email", "email", email, EMAIL),
            ("user/forget-password", "email", email, EMAIL),
            ("user/verification-login", "mobile", phone, PHONE),
        ]
        for path, field, target, way in steps:
            own = {field: target, "captcha": way.code(wire, target), "password": PASSWORD}
            known = {**own, "deviceId": "d", "platform": "p"}
            answer = wire.post(path, {**foreign, **known}, token=who.token)
            assert answer.code == 1, (path, answer.msg)
        who = Account(who.id, answer.text("token"))
        data = looks(wire, who)
        data["own"] = [one for one in wire.own_info(who.token).pb_data.fields if one[0] in {8, 9}]
        seen.append(data)
    assert seen[0] == seen[1]
