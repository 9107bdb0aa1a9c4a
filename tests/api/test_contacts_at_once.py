"""One number or address never belongs to two accounts, however many ask at once (R10, J4)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.wire.answers import Answer, assert_refused
from tests.wire.client import WireClient
from tests.wire.records import Account

AT_ONCE = 50


def at_once(action: Callable[[Account], Answer], accounts: list[Account]) -> list[Answer]:
    """Call the action with each account, in threads that start together."""
    start = Barrier(len(accounts))

    def run(account: Account) -> Answer:
        start.wait(timeout=30)
        return action(account)

    with ThreadPoolExecutor(len(accounts)) as pool:
        return list(pool.map(run, accounts))


def only_winner(answers: list[Answer], accounts: list[Account]) -> Account:
    """Return the account whose request succeeded; all others were refused alike."""
    pairs = zip(answers, accounts, strict=True)
    (winner,) = [account for answer, account in pairs if answer.code == 1]
    losers = [answer for answer in answers if answer.code != 1]
    for answer in losers:
        assert_refused(answer)
    assert len({answer.body for answer in losers}) == 1
    return winner


def test_fifty_bind_one_number(wire: WireClient) -> None:
    """Of fifty accounts with the same right code one gets the number, and it opens that one."""
    phone, accounts = wire.fresh_phone(), [wire.account() for _ in range(AT_ONCE)]
    body = {"phone": phone, "captcha": wire.sms_code(phone)}
    answers = at_once(lambda who: wire.post("user/bing-phone", body, token=who.token), accounts)
    winner = only_winner(answers, accounts)
    bound = [wire.own_info(who.token).pb_data.text(6) for who in accounts]
    assert sorted(bound) == [""] * (AT_ONCE - 1) + [phone]
    assert wire.own_info(wire.signed_in(phone)).pb_data.text(1) == winner.id


def test_fifty_change_to_one_address(wire: WireClient) -> None:
    """Of fifty accounts that change to one address one does, and the others keep theirs."""
    old = [wire.fresh_email() for _ in range(AT_ONCE)]
    accounts = [wire.account(email=email) for email in old]
    email = wire.fresh_email()
    assert wire.ask_email(email).code == 1
    body = {"email": email, "captcha": wire.next_letter("email", email, set()).code}
    path = "user/change-email-check"
    answers = at_once(lambda who: wire.post(path, body, token=who.token), accounts)
    winner = only_winner(answers, accounts)
    for address, who in zip(old, accounts, strict=True):
        bound = wire.own_info(who.token).pb_data.text(7)
        assert bound == (email if who == winner else address)


def test_binding_and_signing_up_at_once(wire: WireClient) -> None:
    """A number that is bound and registered at the same time ends up with one account."""
    phone = wire.fresh_phone()
    accounts = [wire.account() for _ in range(AT_ONCE)]
    code = wire.sms_code(phone)

    def act(who: Account) -> Answer:
        if accounts.index(who) % 2:
            return wire.sign_in(phone, code, deviceId=who.id)
        return wire.post("user/bing-phone", {"phone": phone, "captcha": code}, token=who.token)

    answers = at_once(act, accounts)
    assert sum(answer.code == 1 for answer in answers) == 1
    owner = wire.own_info(wire.signed_in(phone, deviceId="after")).pb_data.text(1)
    bound = {who.id for who in accounts if wire.own_info(who.token).pb_data.text(6) == phone}
    assert bound <= {owner}
