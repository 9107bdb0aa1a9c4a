"""Binding a phone and an e-mail (wire.md 4 bing-phone, bing-email, security D1, A3, A6)."""

from collections import Counter

import pytest

from tests.support.answers import Account, Answer, assert_refused
from tests.support.channels import CONTACT_CHANNELS, EMAIL, PHONE, ContactChannel, other
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, reply_to
from tests.support.parallel import THREADS, at_once, winner

pytestmark = pytest.mark.parametrize("way", CONTACT_CHANNELS, ids=["phone", "email"])


def half_bound(wire: WireClient, way: ContactChannel) -> Account:
    """Return a new account that only has the other channel."""
    return wire.account(**{other(way).field: other(way).fresh(wire)})


def test_first_binding(wire: WireClient, way: ContactChannel) -> None:
    """A code sent to the new target binds it, and own info shows it (wire.md 4)."""
    account, target = half_bound(wire, way), way.fresh(wire)
    body = {way.field: target, "captcha": way.code(wire, target)}
    assert reply_to(wire, way.bind_path, body, token=account.token) == SUCCESS
    assert way.bound(wire, account.token) == target
    assert wire.own_info(account.token).pb_data.text(1) == account.id


def test_target_is_bound_in_its_plain_form(wire: WireClient, way: ContactChannel) -> None:
    """A leading +86 is dropped, and addresses have no case (wire.md 5)."""
    account, target = half_bound(wire, way), way.fresh(wire)
    code = way.code(wire, target)
    written = f"+86{target}" if way is PHONE else target.upper()
    assert way.bind(wire, account.token, written, code).code == 1
    assert way.bound(wire, account.token).lower() == target
    late = half_bound(wire, way)
    assert_refused(way.bind(wire, late.token, target, way.code(wire, target)))


def test_second_binding_is_refused(wire: WireClient, way: ContactChannel) -> None:
    """It is refused, and the first stays (wire.md 2, 4)."""
    first, second = way.fresh(wire), way.fresh(wire)
    account = wire.account(**{way.field: first})
    assert_refused(way.bind(wire, account.token, second, way.code(wire, second)))
    assert way.bound(wire, account.token) == first


def test_change_needs_a_binding(wire: WireClient, way: ContactChannel) -> None:
    """It is refused, with another code than a second binding (wire.md 2, 4)."""
    account, target = half_bound(wire, way), way.fresh(wire)
    refusal = way.change(wire, account.token, target, way.code(wire, target))
    assert_refused(refusal)
    assert way.bound(wire, account.token) == ""
    bound = wire.account(**{way.field: way.fresh(wire)})
    again = way.bind(wire, bound.token, target, way.code(wire, target))
    assert again.code != refusal.code


def test_anothers_target_is_refused(wire: WireClient, way: ContactChannel) -> None:
    """Another account's target stays there, even with the right code (security D1, A6)."""
    target = way.fresh(wire)
    owner = wire.account(**{way.field: target})
    thief, changer = half_bound(wire, way), wire.account(**{way.field: way.fresh(wire)})
    for act, caller in ((way.bind, thief), (way.change, changer)):
        assert_refused(act(wire, caller.token, target, way.code(wire, target)))
        assert way.bound(wire, caller.token) != target
    assert way.bound(wire, owner.token) == target


@pytest.mark.parametrize("act", ["bind", "change"])
def test_wrong_code_reveals_nothing(wire: WireClient, way: ContactChannel, act: str) -> None:
    """With a wrong code a taken and a free target get the same bytes (E1, E3)."""
    seen: list[tuple[bytes, list[tuple[str, str]]]] = []
    for taken in (True, False):
        target = way.fresh(wire)
        if taken:
            wire.account(**{way.field: target})
        bound = {way.field: way.fresh(wire)} if act == "change" else {}
        caller = wire.account(**bound)
        code = wire.wrong_code(way.code(wire, target))
        call = way.bind if act == "bind" else way.change
        answer = call(wire, caller.token, target, code)
        assert_refused(answer)
        left = {"x-request-id", "date"}
        seen.append(
            (answer.body, sorted((k, v) for k, v in answer.headers.items() if k not in left))
        )
    assert seen[0] == seen[1]


def test_code_serves_once(wire: WireClient, way: ContactChannel) -> None:
    """A binding uses its code up (security C7)."""
    account, target = half_bound(wire, way), way.fresh(wire)
    code = way.code(wire, target)
    assert way.bind(wire, account.token, target, code).code == 1
    assert_refused(way.change(wire, account.token, target, code))
    assert_refused(way.cancel(wire, account.token, target, code))
    assert wire.own_info(account.token).code == 1


def test_code_belongs_to_its_target(wire: WireClient, way: ContactChannel) -> None:
    """A code for one target, or of the other channel, binds no other (security C8)."""
    account, mine, another = half_bound(wire, way), way.fresh(wire), way.fresh(wire)
    code, different = way.code(wire, mine), way.code(wire, another)
    if code != different:
        assert_refused(way.bind(wire, account.token, another, code))
    stray_target = other(way).fresh(wire)
    stray = other(way).code(wire, stray_target)
    if stray != code:
        assert_refused(way.bind(wire, account.token, mine, stray))
    assert way.bound(wire, account.token) == ""


def test_five_wrong_tries_kill_the_code(wire: WireClient, way: ContactChannel) -> None:
    """After five wrong attempts the right code binds nothing (security C3)."""
    account, target = half_bound(wire, way), way.fresh(wire)
    code = way.code(wire, target)
    for _ in range(5):
        assert_refused(way.bind(wire, account.token, target, wire.wrong_code(code)))
    assert_refused(way.bind(wire, account.token, target, code))
    assert way.bind(wire, account.token, target, way.code(wire, target)).code == 1


def test_a_taken_target_frees_no_code(wire: WireClient, way: ContactChannel) -> None:
    """A code for a free target stops working once another account has bound it (D1)."""
    first, second, target = half_bound(wire, way), half_bound(wire, way), way.fresh(wire)
    code = way.code(wire, target)
    assert way.bind(wire, first.token, target, code).code == 1
    assert_refused(way.bind(wire, second.token, target, code))
    assert way.bound(wire, second.token) == ""


@pytest.mark.slow
def test_fifty_binds_of_one_target(wire: WireClient, way: ContactChannel) -> None:
    """Fifty users with one code at once get one binding (security R10, A3, C7)."""
    accounts, target = [half_bound(wire, way) for _ in range(THREADS)], way.fresh(wire)
    code = way.code(wire, target)
    winner(at_once(lambda account: way.bind(wire, account.token, target, code), accounts))
    told = Counter(way.bound(wire, account.token) for account in accounts)
    assert told == {target: 1, "": THREADS - 1}


@pytest.mark.slow
def test_fifty_changes_to_one_target(wire: WireClient, way: ContactChannel) -> None:
    """Of fifty concurrent changes to one target one succeeds, the others keep theirs (A3)."""
    olds = [way.fresh(wire) for _ in range(THREADS)]
    accounts = [wire.account(**{way.field: old}) for old in olds]
    target = way.fresh(wire)
    code = way.code(wire, target)
    winner(at_once(lambda account: way.change(wire, account.token, target, code), accounts))
    kept = [way.bound(wire, account.token) for account in accounts]
    assert sorted(kept).count(target) == 1
    assert sum(now == old for now, old in zip(kept, olds, strict=True)) == THREADS - 1


@pytest.mark.slow
def test_one_user_binds_one_of_many(wire: WireClient, way: ContactChannel) -> None:
    """A user that binds ten targets at once gets one; the others stay free (A3)."""
    account, targets = half_bound(wire, way), [way.fresh(wire) for _ in range(10)]
    codes = [(target, way.code(wire, target)) for target in targets]

    def bind(pair: tuple[str, str]) -> Answer:
        return way.bind(wire, account.token, *pair)

    winner(at_once(bind, codes))
    bound = way.bound(wire, account.token)
    assert bound in targets
    free = next(target for target in targets if target != bound)
    late = half_bound(wire, way)
    assert way.bind(wire, late.token, free, way.code(wire, free)).code == 1
    assert EMAIL.bound(wire, late.token) != PHONE.bound(wire, late.token)
