"""The time of a response does not reveal accounts (security E2).

Three hundred pairs, interleaved, send the same request for a target with an account and one
without. The chance that a known one takes longer (the area under the curve) must be one half
within five hundredths, and the medians equal within 5 %. Two runs of three decide, because a
loaded machine is not steady.
"""

import time
from collections.abc import Callable
from itertools import count
from statistics import median

import pytest

from tests.support.client import WireClient
from tests.support.servers import Server

pytestmark = [pytest.mark.soak, pytest.mark.one_engine]

PAIRS, RUNS = 300, 3
WARM_UP = 20
PASSWORD, WRONG = "the lake at seven", "the lake at eight"
SendRequest = Callable[[WireClient, str], None]


def by_password(wire: WireClient, email: str) -> None:
    """Sign in with a wrong password."""
    assert wire.email_login(email, WRONG).code == 1301


def by_reset(wire: WireClient, email: str) -> None:
    """Set a password with a code that was never sent."""
    body = {"email": email, "captcha": "100000", "password": PASSWORD}
    assert wire.post("user/forget-password", body).code == 1202


def by_code(wire: WireClient, phone: str) -> None:
    """Sign in with a code that was never sent."""
    assert wire.sign_in(phone, "100000").code == 1202


# Name -> the request, and the data of the known account.
QUESTIONS: dict[str, tuple[SendRequest, str, dict[str, object]]] = {
    "wrong password": (by_password, "email", {"password": PASSWORD}),
    "without password": (by_password, "email", {}),
    "banned": (by_password, "email", {"password": PASSWORD, "banDays": 3}),
    "reset": (by_reset, "email", {"password": PASSWORD}),
    "code": (by_code, "phone", {}),
}


def area(known: list[float], unknown: list[float]) -> float:
    """Return the chance that one of the first is longer (Mann and Whitney)."""
    pairs = ((a > b) + (a == b) / 2 for a in known for b in unknown)
    return sum(pairs) / (len(known) * len(unknown))


def seconds(wire: WireClient, send_request: SendRequest, target: str) -> float:
    """Return the duration of one request."""
    start = time.perf_counter()
    send_request(wire, target)
    return time.perf_counter() - start


def is_even(wire: WireClient, name: str, serials: "count[int]") -> bool:
    """Return whether known and unknown targets are indistinguishable in one run."""
    send_request, kind, fields = QUESTIONS[name]
    times: dict[bool, list[float]] = {True: [], False: []}
    for pair in range(WARM_UP + PAIRS):
        for known in (True, False) if pair % 2 else (False, True):
            serial = next(serials)
            target = f"t{serial}@example.com" if kind == "email" else f"137{serial:08}"
            if known:
                wire.account(**{kind: target}, **fields)
            else:
                wire.account()  # so that the store does the same work before either request
            took = seconds(wire, send_request, target)
            if pair >= WARM_UP:
                times[known].append(took)
    gap = abs(median(times[True]) / median(times[False]) - 1)
    chance = area(times[True], times[False])
    print(f"{name}: area {chance:.3f}, gap of medians {gap:.1%}")  # noqa: T201 - a figure of the run
    return 0.45 <= chance <= 0.55 and gap <= 0.05


@pytest.mark.parametrize("name", QUESTIONS)
def test_time_reveals_nothing(name: str) -> None:
    """Known and unknown targets take the same time, in two runs of three (security E2)."""
    serials = count(1)
    with Server("sandbox") as server, WireClient(server, is_kept=True) as wire:
        assert sum(is_even(wire, name, serials) for _ in range(RUNS)) >= 2
