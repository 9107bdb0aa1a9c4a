"""Guesses at every endpoint that accepts a secret are limited and reveal nothing (C5, E1, E5)."""

from collections.abc import Iterator

import pytest

from tests.support.answers import Answer, assert_refused
from tests.support.client import WireClient
from tests.support.parallel import at_once
from tests.support.secret_routes import ROUTES, Mark, mark
from tests.support.servers import CHEAP_HASHES, Server
from tests.support.stores import EngineName

pytestmark = pytest.mark.slow

HOUR = 3600
AT_ONCE = 100
LIMIT = {"codes": 10, "passwords": 20}
TRIES_OF_A_CODE = 5
WRONG = {"codes": 1202, "passwords": 1301}
WRONG_CAPTCHA, FROM_HERE, BUSY = 1201, 1204, 1002
ADDRESS_TRIES = 30
LEFT_OUT = {"x-request-id", "date"}
GUESSED = [path for path, route in ROUTES.items() if route.held in LIMIT]
CAPTCHAS = [path for path, route in ROUTES.items() if route.held == "captchas"]
UNBOUND = {
    **CHEAP_HASHES,
    "HUPAN_SENDS_PER_MINUTE": "1000",
    "HUPAN_SENDS_PER_HOUR": "1000",
    "HUPAN_SENDS_PER_DAY": "1000",
    "HUPAN_WRONG_CODES_PER_DAY": "1000",
    "HUPAN_ADJACENT_NUMBERS_PER_TEN_MINUTES": "0",
    "HUPAN_ADDRESS_SENDS_PER_HOUR": "0",
    "HUPAN_NETWORK_SENDS_PER_HOUR": "0",
    "HUPAN_ADDRESS_CAPTCHAS_PER_MINUTE": "0",
    "HUPAN_NETWORK_CAPTCHAS_PER_MINUTE": "0",
    "HUPAN_ADDRESS_WRONG_TRIES_PER_HOUR": "0",
    "HUPAN_NETWORK_WRONG_TRIES_PER_HOUR": "0",
}
"""Only wrong secrets of one target are limited, because all requests come from one address."""


@pytest.fixture(scope="module")
def guessed(engine: EngineName) -> Iterator[WireClient]:
    """Yield a client of a sandbox that limits wrong secrets of a target."""
    del engine
    with Server("sandbox", "--limits", environment=UNBOUND) as server, WireClient(server) as wire:
        yield wire


@pytest.fixture(scope="module")
def watched(engine: EngineName) -> Iterator[WireClient]:
    """Yield a client of a sandbox that limits wrong secrets per address, for any target."""
    del engine
    limits = {**UNBOUND, "HUPAN_ADDRESS_WRONG_TRIES_PER_HOUR": str(ADDRESS_TRIES)}
    with Server("sandbox", "--limits", environment=limits) as server, WireClient(server) as wire:
        yield wire


def exhaust(victim: Mark) -> None:
    """Guess wrong until the target's limit is reached, with several codes if needed."""
    held, made = victim.route.held, 0
    while made < LIMIT[held]:
        right = victim.right()
        for _ in range(TRIES_OF_A_CODE):
            made += 1
            assert victim.try_secret(victim.wrong(right, made)).code == WRONG[held]


@pytest.mark.parametrize("path", GUESSED)
def test_the_right_secret_is_refused_once_the_limit_is_reached(
    guessed: WireClient, path: str
) -> None:
    """The right secret is refused like a wrong one until the hour is over (security C5, E5)."""
    victim = mark(guessed, path)
    exhaust(victim)
    assert victim.try_secret(victim.right()).code == WRONG[victim.route.held]
    guessed.set_clock(advance=HOUR)
    again = mark(guessed, path)
    stays = victim.route.own is not False  # a session of one hour changes no contact (D2)
    late = victim if stays else Mark(guessed, path, victim.target, None, again.token)
    assert late.try_secret(late.right()).code == 1


@pytest.mark.parametrize("path", GUESSED)
def test_one_guess_less_leaves_one(guessed: WireClient, path: str) -> None:
    """With one guess less the right secret works, so only the limit refuses it (security C5)."""
    victim, held = mark(guessed, path), ROUTES[path].held
    right, made = victim.right(), 0
    while made < LIMIT[held] - 1:
        made += 1
        assert victim.try_secret(victim.wrong(right, made)).code == WRONG[held]
        if made % (TRIES_OF_A_CODE - 1) == 0:
            right = victim.right()
    assert victim.try_secret(right).code == 1


@pytest.mark.parametrize("path", GUESSED)
def test_a_hundred_guesses_at_once(guessed: WireClient, path: str) -> None:
    """No more guesses are checked than the limit allows, and all of them count (C3, X11)."""
    victim, held = mark(guessed, path), ROUTES[path].held
    codes: list[int | None] = []
    for _ in range(LIMIT[held] // TRIES_OF_A_CODE if held == "codes" else 1):
        right = victim.right()
        wrong = [victim.wrong(right, at + 1) for at in range(AT_ONCE)]
        answers = at_once(victim.try_secret, wrong)
        codes += [answer.code for answer in answers]
    assert set(codes) <= {WRONG[held], BUSY}
    if BUSY in codes:  # by the hash queue: such a guess is not checked, so it is not counted
        exhaust_blind(victim)
    assert victim.try_secret(victim.right()).code == WRONG[held]


@pytest.mark.one_engine
@pytest.mark.parametrize("path", GUESSED)
def test_a_limited_client_learns_nothing(guessed: WireClient, path: str) -> None:
    """The responses are equal, whether the target is limited or known or not (security E1)."""
    seen = set()
    for victim in (mark(guessed, path), _inverted(guessed, path)):
        exhaust_blind(victim)
        for _ in range(2):
            body = victim.route.body(victim.target, "100000")
            reply = guessed.request("POST", f"/v1/{path}", body, token=victim.token)
            told = sorted((k, v) for k, v in reply.headers.items() if k not in LEFT_OUT)
            seen.add((reply.status_code, str(told), reply.content))
    assert len(seen) == 1


def _inverted(wire: WireClient, path: str) -> Mark:
    """Return the same endpoint with a free target instead of a bound one, or the reverse."""
    victim = mark(wire, path)
    other = victim.route.way.fresh(wire)
    if victim.owner is None:
        wire.account(**{victim.route.way.field: other})
    return Mark(wire, path, other, None, victim.token)


def exhaust_blind(victim: Mark) -> None:
    """Guess wrong until the limit is reached, without any code."""
    for at in range(LIMIT[victim.route.held]):
        assert victim.try_secret(f"{at:06}").code == WRONG[victim.route.held]


@pytest.mark.parametrize("path", CAPTCHAS)
def test_a_captcha_has_one_try(guessed: WireClient, path: str) -> None:
    """A wrong answer uses it up; of a hundred right ones at once one passes (security C9)."""
    victim = mark(guessed, path)

    def answer(captcha_id: str, text: str) -> Answer:
        body = {**victim.route.body(victim.target, text), "id": captcha_id}
        return guessed.post(path, body)

    spoilt = guessed.captcha()
    assert answer(spoilt.id, spoilt.wrong).code == WRONG_CAPTCHA
    assert answer(spoilt.id, spoilt.answer).code == WRONG_CAPTCHA
    fresh = guessed.captcha()
    answers = at_once(lambda _: answer(fresh.id, fresh.answer), range(AT_ONCE))
    assert sum(one.code == 1 for one in answers) == 1


@pytest.mark.one_engine
@pytest.mark.parametrize("path", ROUTES)
def test_one_address_guesses_at_many(watched: WireClient, path: str) -> None:
    """An address that guesses at many targets is stopped, at all endpoints (C6)."""
    watched.set_clock(advance=HOUR)
    way = ROUTES[path].way
    token = mark(watched, path).token
    codes = []
    for at in range(ADDRESS_TRIES + 1):
        victim = Mark(watched, path, way.fresh(watched), None, token)
        codes.append(victim.try_secret(f"{at:06}").code)
    assert FROM_HERE not in codes[:-1]
    assert codes[-1] == FROM_HERE
    for other in ROUTES:
        if ROUTES[other].own is None:
            stopped = Mark(watched, other, ROUTES[other].way.fresh(watched), None, None)
            assert_refused(stopped.try_secret("000000"))
            assert stopped.try_secret("000000").code == FROM_HERE


@pytest.mark.one_engine
@pytest.mark.parametrize("path", GUESSED)
def test_a_hundred_guesses_at_once_from_one_address(watched: WireClient, path: str) -> None:
    """No more of a hundred guesses are checked than the address may try (C6, R11)."""
    watched.set_clock(advance=HOUR)
    token = mark(watched, path).token
    targets = [ROUTES[path].way.fresh(watched) for _ in range(AT_ONCE)]
    answers = at_once(
        lambda at: Mark(watched, path, targets[at], None, token).try_secret("000000"),
        range(AT_ONCE),
    )
    looked_at = sum(one.code == WRONG[ROUTES[path].held] for one in answers)
    assert 1 <= looked_at <= ADDRESS_TRIES
    assert {FROM_HERE, BUSY} & {one.code for one in answers}
