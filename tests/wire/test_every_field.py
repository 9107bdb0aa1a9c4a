"""Every field of every request is tried with invalid values (wire.md 2, code 1100).

The sign-in requests have their own file (test_bad_fields).
"""

from dataclasses import dataclass

import pytest

from tests.support import pb
from tests.support.answers import Answer, assert_refused, refused_field
from tests.support.client import WireClient

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

NOT_TEXT: list[object] = [5, 10**30, -1, 1.5, True, [], ["1"], {}, {"a": "b"}]
NOT_NUMBER: list[object] = ["1", "", 1.5, 1.0, True, [], [1], {}, {"a": 1}, 10**30, 2**63, 2**64]
FAR_TOO_LONG = "1" * 20_000


@dataclass(frozen=True)
class Field:
    """A field of a request.

    Attributes:
        good: a well-formed value; the request as a whole may still be refused.
        may_miss: the contract says so, or leaves it open (deviceId: wire.md 5).
        out_of_range: values of the right type that are out of range.
        is_secret: compared and never stored: too long a value is refused, but not by name.
    """

    path: str
    name: str
    good: object
    may_miss: bool = False
    out_of_range: tuple[object, ...] = ()
    is_secret: bool = False

    def __str__(self) -> str:
        """Return a name for the test's report."""
        return f"{self.path} {self.name}"


NO_PAGE = (0, -1, 10_001, 2**31, 2**53)
NO_SIZE = (0, -1, 101, 2**31, 2**53)
LONG_DEVICE = ("d" * 1025, "a\x00b")
NO_PHONE = ("", "1", "1390000000a", "139000000000", "１３９００００００0000", "13900000000\n")
NO_EMAIL = ("", "nobody", "a@b@example.com", "a@example.com\n", "a@example.com,b@example.com")
RECORD = "user/gold-coin-increase-decrease-record"
FORGET = "user/forget-password"
REMARKS = "user/save-user-remarks"
DATA = "user/save-user-data"
GROUPS = "user/recommend-list"
INFO, STATUS = "user/notification-info", "user/notification-status"
PHONE_PATHS = ("user/bing-phone", "user/change-phone-check")
EMAIL_PATHS = ("user/bing-email", "user/change-email-check", FORGET)
MODULE_PATHS = ("user/module-ignore-info", "user/module-ignore")
FIELDS = [
    Field("user/recommend-category-list", "appChannel", "default"),
    Field(GROUPS, "category", "精选"),
    Field(GROUPS, "keyword", ""),
    Field(GROUPS, "size", 30, out_of_range=NO_SIZE),
    Field(GROUPS, "page", 1, out_of_range=NO_PAGE),
    *(Field(p, "deviceId", "d", may_miss=True, out_of_range=LONG_DEVICE) for p in MODULE_PATHS),
    Field("user/module-ignore", "ignore", ",10", out_of_range=(",40", "x")),
    *(Field(p, "deviceId", "d", may_miss=True, out_of_range=LONG_DEVICE) for p in (INFO, STATUS)),
    *(Field(p, "registrationId", "r", out_of_range=("a\x00b",)) for p in (INFO, STATUS)),
    Field(INFO, "isOpen", 1, may_miss=True, out_of_range=(-1, 2, 2**53)),
    Field(INFO, "type", 2, may_miss=True, out_of_range=(-1, 2**53)),
    Field(RECORD, "size", 20, out_of_range=NO_SIZE),
    Field(RECORD, "page", 1, out_of_range=NO_PAGE),
    *(Field(path, "phone", "13911112222", out_of_range=NO_PHONE) for path in PHONE_PATHS),
    *(Field(path, "email", "a@example.com", out_of_range=NO_EMAIL) for path in EMAIL_PATHS),
    *(Field(p, "captcha", "123456", is_secret=True) for p in (*PHONE_PATHS, *EMAIL_PATHS)),
    Field(FORGET, "password", "long enough 湖 1", is_secret=True),
    Field(DATA, "introduction", "i", may_miss=True, out_of_range=("湖" * 501,)),
    Field(DATA, "gender", 1, may_miss=True, out_of_range=(-1, 4, 2**31, 2**53)),
    Field(DATA, "birthday", 86_400, may_miss=True, out_of_range=(2**53,)),
    Field(DATA, "province", "p", may_miss=True),
    Field(DATA, "city", "c", may_miss=True),
    Field(DATA, "district", "d", may_miss=True),
    Field(DATA, "locationCode", "110101", may_miss=True, out_of_range=("1", "1101011", "11010a")),
    Field(REMARKS, "friendId", "1000001"),
    Field(REMARKS, "name", "n"),
    Field(REMARKS, "phone", "1"),
    Field(REMARKS, "others", "", out_of_range=("x", "{}", "5", "[1]")),
    Field("user/cancel-user", "phone", "13911112222", may_miss=True, out_of_range=NO_PHONE),
    Field("user/cancel-user", "captcha", "123456", is_secret=True),
    Field("user/device-offline", "deviceId", "d", may_miss=True, out_of_range=LONG_DEVICE),
    Field("user/invite/change-user-invite-code", "code", "ABC123", out_of_range=("a\x00b",)),
]
every_field = pytest.mark.parametrize("field", FIELDS, ids=str)


@pytest.fixture
def token(wire: WireClient) -> str:
    """Return a token that every endpoint accepts."""
    return wire.account(vipDays=3).token


def send(
    wire: WireClient, token: str, field: Field, value: object, *, drop: bool = False
) -> Answer:
    """Send a request that is valid but for one field."""
    body = {other.name: other.good for other in FIELDS if other.path == field.path}
    body[field.name] = value
    if drop:
        del body[field.name]
    return wire.post(field.path, body, token=token)


def test_missing_or_null_is_named(wire: WireClient, token: str, subtests: pytest.Subtests) -> None:
    """A required field that is missing or null is named (wire.md 2)."""
    for field in [field for field in FIELDS if not field.may_miss]:
        with subtests.test(field=field):
            assert refused_field(send(wire, token, field, None, drop=True)) == field.name
            assert refused_field(send(wire, token, field, None)) == field.name


def test_wrong_type_is_named(wire: WireClient, token: str, subtests: pytest.Subtests) -> None:
    """A field of the wrong type is named, required or not (wire.md 2, security I5)."""
    for field in FIELDS:
        with subtests.test(field=field):
            wrong = NOT_TEXT if isinstance(field.good, str) else NOT_NUMBER
            for value in wrong:
                assert refused_field(send(wire, token, field, value)) == field.name, value


def test_out_of_range_is_named(wire: WireClient, token: str, subtests: pytest.Subtests) -> None:
    """A value of the right type that is out of range is named (wire.md 2)."""
    for field in FIELDS:
        with subtests.test(field=field):
            for value in field.out_of_range:
                assert refused_field(send(wire, token, field, value)) == field.name, value


def test_too_long_is_named(wire: WireClient, token: str, subtests: pytest.Subtests) -> None:
    """A text far beyond any limit is named; a secret one is at least refused (wire.md 2)."""
    for field in [f for f in FIELDS if isinstance(f.good, str)]:
        with subtests.test(field=field):
            answer = send(wire, token, field, FAR_TOO_LONG)
            if field.is_secret:
                assert_refused(answer)
            else:
                assert refused_field(answer) == field.name


@pytest.mark.parametrize("email", [5, *(email for email in NO_EMAIL if email)])
def test_cancel_by_email_names_it(wire: WireClient, token: str, email: object) -> None:
    """The e-mail form of the request has the same rules (wire.md 4 cancel-user)."""
    answer = wire.post("user/cancel-user", {"email": email, "captcha": "123456"}, token=token)
    assert refused_field(answer) == "email"


@pytest.mark.parametrize("extra", [{}, {"phone": None}, {"email": None}])
def test_cancel_needs_one_of_both(wire: WireClient, token: str, extra: dict[str, object]) -> None:
    """A request without phone and e-mail names the missing field (wire.md 4 cancel-user)."""
    answer = wire.post("user/cancel-user", {"captcha": "123456", **extra}, token=token)
    assert refused_field(answer) in {"phone", "email"}


PROTOBUF = [("user/edit-nickname", "name", 3), ("user/edit-avatar", "url", 2)]


@pytest.mark.parametrize(("path", "name", "place"), PROTOBUF)
def test_protobuf_fields(wire: WireClient, token: str, path: str, name: str, place: int) -> None:
    """A missing, empty, mistyped or long field is named in protobuf (wire.md 2, I6)."""
    bodies = [b"", pb.text(place, ""), pb.number(place, 5), pb.double(place, 1.0)]
    bodies += [
        pb.text(place + 7, "n"),
        pb.text(place, "https://a.example/" + FAR_TOO_LONG[:15_000]),
    ]
    for body in bodies:
        answer = wire.post(path, body, token=token)
        assert (answer.form, refused_field(answer)) == ("protobuf", name), body[:40]


@pytest.mark.parametrize(("path", "name", "place"), PROTOBUF)
@pytest.mark.parametrize("tail", ["1205", "02 0161", "16 61", "1c", "0880"])
def test_malformed_protobuf(
    wire: WireClient, token: str, path: str, name: str, place: int, tail: str
) -> None:
    """An invalid message is refused in protobuf, and changes nothing (security I3, I6)."""
    before = wire.own_info(token).pb_data
    good = pb.text(place, "https://a.example/")
    for broken in (good + bytes.fromhex(tail), pb.delimited(place, b"\xff\xfe")):
        answer = wire.post(path, broken, token=token)
        assert answer.form == "protobuf", name
        assert_refused(answer)
    after = wire.own_info(token).pb_data
    assert (after.text(2), after.text(4)) == (before.text(2), before.text(4))
