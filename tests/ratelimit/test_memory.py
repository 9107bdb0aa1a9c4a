"""Limits that are counted in memory of fixed size (security C6, C10, E4)."""

import asyncio
import secrets
from ipaddress import IPv6Address, ip_address, ip_network

import pytest

from hupan.addresses import ClientOrigin, iter_origins, origin_from_address
from hupan.model import AccountId, Limit
from hupan.ratelimit.memory import (
    ORIGIN_KEYS,
    SLOTS,
    InFlightLimit,
    MemoryLimits,
    OriginKind,
    WindowCounter,
    account_key,
)
from tests.support.world import StandingClock

pytestmark = pytest.mark.one_engine

MINUTE = 60
NOW = 1_700_000_040  # the start of a minute
LIMIT = Limit("looks", 5, MINUTE)


def taken(flood: WindowCounter, key: str, times: int, now: int = NOW) -> int:
    """Return how many of some events passed."""
    return sum(flood.take(key, now) is None for _ in range(times))


def test_as_many_as_the_limit_pass_in_a_window() -> None:
    """Five pass and the sixth does not, until the next minute begins (security E4)."""
    flood = WindowCounter(LIMIT)
    assert taken(flood, "a", 9, NOW) == 5
    assert taken(flood, "a", 9, NOW + MINUTE - 1) == 0
    assert taken(flood, "b", 9, NOW + 1) == 5
    assert taken(flood, "a", 9, NOW + MINUTE) == 5


@pytest.mark.parametrize("jump", [-MINUTE, -(10**9), 10**9])
def test_a_clock_that_jumps_keeps_no_block(jump: int) -> None:
    """Another window has another counter, after any jump of the clock (security R08)."""
    flood = WindowCounter(LIMIT)
    assert taken(flood, "a", 9, NOW) == 5
    assert taken(flood, "a", 9, NOW + jump) == 5


def test_no_crowd_of_keys_starts_one_over() -> None:
    """A key stays blocked even after 100,000 other keys were counted (security C6)."""
    flood = WindowCounter(LIMIT)
    assert taken(flood, "mine", 5) == 5
    for number in range(100_000):
        flood.take(f"other {number}", NOW)
    assert flood.take("mine", NOW) == LIMIT


def test_limits_of_several_windows_hold_together() -> None:
    """With five a minute and seven an hour, the refusal names the limit that was reached."""
    hour = Limit("an hour's", 7, 60 * MINUTE)
    flood = WindowCounter(LIMIT, hour)
    assert [flood.take("a", NOW) for _ in range(6)] == [None] * 5 + [LIMIT]
    assert [flood.take("a", NOW + MINUTE) for _ in range(3)] == [None, None, hour]


def test_no_limit_lets_everything_pass() -> None:
    """A disabled limit refuses nothing."""
    assert taken(WindowCounter(), "a", 1000) == 1000


def test_memory_does_not_grow_with_keys() -> None:
    """A window has a fixed number of slots, for any number of keys (security C6, R16)."""
    flood = WindowCounter(LIMIT)
    for number in range(2000):
        flood.take(secrets.token_hex(8), NOW + number // 100 * MINUTE)
    assert [len(window.slots) for window in flood._windows] == [SLOTS]  # noqa: SLF001 - its size


def test_a_crowd_causes_hardly_any_wrong_refusal() -> None:
    """Of ten thousand keys at a third of their limit hardly any is refused."""
    flood = WindowCounter(Limit("looks", 15, MINUTE))
    refused = sum(5 - taken(flood, secrets.token_hex(8), 5) for _ in range(10_000))
    assert refused < 50  # a thousandth; usually none


def test_forgetting_one_key() -> None:
    """A reset key may pass again, and others keep their counters."""
    flood = WindowCounter(LIMIT)
    taken(flood, "a", 5)
    taken(flood, "b", 5)
    flood.reset("a", NOW)
    assert flood.take("a", NOW) is None
    assert flood.take("b", NOW) == LIMIT


def test_what_is_under_way_counts_until_it_has_ended() -> None:
    """Of a hundred concurrent attempts only as many start as may fail (R11)."""
    held = InFlightLimit(LIMIT)
    assert [held.try_enter("a", NOW) for _ in range(100)].count(True) == 5
    for _ in range(3):
        held.leave("a", NOW, is_counted=True)
    held.leave("a", NOW, is_counted=False)
    assert [held.try_enter("a", NOW) for _ in range(100)].count(True) == 1
    held.leave("a", NOW, is_counted=True)
    held.leave("a", NOW + MINUTE, is_counted=True)  # it ended in the next window and counts there
    assert [held.try_enter("a", NOW + MINUTE) for _ in range(100)].count(True) == 4


async def test_an_attempt_waits_for_others_in_flight() -> None:
    """Right attempts free a slot, wrong ones do not, and each wait ends (C6, X11)."""

    async def scenario(*, wrong: bool) -> list[bool]:
        held, clock = InFlightLimit(LIMIT), StandingClock()

        async def one() -> bool:
            if not await held.admit("a", clock):
                return False
            await asyncio.sleep(0.001)
            held.leave("a", int(clock.now()), is_counted=wrong)
            return True

        return list(await asyncio.gather(*(one() for _ in range(50))))

    assert await scenario(wrong=False) == [True] * 50
    assert (await scenario(wrong=True)).count(True) == LIMIT.max_events


async def test_an_attempt_behind_one_that_hangs_is_refused_and_forgotten() -> None:
    """A waiting attempt ends after its timeout, and when its client disconnects (C6)."""
    held, clock = (
        InFlightLimit(Limit("tries", 1, MINUTE), max_wait_seconds=0.01),
        StandingClock(),
    )
    assert await held.admit("a", clock)
    assert not await held.admit("a", clock)
    gone = asyncio.ensure_future(held.admit("a", clock))
    await asyncio.sleep(0)
    gone.cancel()
    held.leave("a", int(clock.now()), is_counted=False)
    assert (held._in_flight, held._waiting) == ({}, {})  # noqa: SLF001 - their size
    assert await held.admit("a", clock)


def test_nothing_is_kept_of_requests_that_ended() -> None:
    """Only requests in flight are stored by key."""
    held = InFlightLimit(LIMIT)
    for number in range(1000):
        held.try_enter(str(number), NOW)
        held.leave(str(number), NOW, is_counted=False)
    assert held._in_flight == {}  # noqa: SLF001 - its size is what this test is about


@pytest.mark.parametrize(
    ("address", "host", "block", "network"),
    [
        ("203.0.113.9", "203.0.113.9/32", "203.0.113.0/24", "203.0.113.0/24"),
        ("2001:db8:1:2:3::9", "2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("::", "::/64", "::/64", "::/48"),
        ("255.255.255.255", "255.255.255.255/32", "255.255.255.0/24", "255.255.255.0/24"),
    ],
)
def test_what_an_address_is_counted_under(
    address: str, host: str, block: str, network: str
) -> None:
    """The keys are an IPv4 address, an IPv6 /64, and the surrounding network (C6, C11, E4)."""
    origin = origin_from_address(ip_address(address))
    assert (origin.host, origin.block, origin.network) == (host, block, network)


def test_no_address_is_an_origin_too() -> None:
    """Clients without an address share a counter, and are never exempt (security I10)."""
    assert origin_from_address(None) == ClientOrigin(None, "", "", "")
    assert taken(WindowCounter(LIMIT), origin_from_address(None).host, 9) == 5


@pytest.mark.parametrize(
    ("network", "hosts"),
    [("203.0.113.0/24", 256), ("203.0.113.9/32", 1), ("2001:db8::/56", 256), ("::1/128", 1)],
)
def test_the_hosts_of_a_network(network: str, hosts: int) -> None:
    """Each host is listed once: IPv4 addresses, IPv6 /64s."""
    found = list(iter_origins(ip_network(network)))
    assert len({origin.host for origin in found}) == len(found) == hosts


def test_an_origin_and_an_account_are_forgotten_everywhere() -> None:
    """Every limit forgets them, by its own key."""
    origin = origin_from_address(IPv6Address("2001:db8::1"))
    one = Limit("one", 1, MINUTE)
    kinds: tuple[OriginKind, ...] = ("host", "subnet", "network")
    held = [(kind, InFlightLimit(one)) for kind in kinds]
    origins: tuple[OriginKind, ...] = ("host", "block", "site")
    counters = [(kind, WindowCounter(one)) for kind in origins]
    views = WindowCounter(one)
    floods = MemoryLimits(
        by_origin=[("captchas", kind, counter) for kind, counter in counters],
        by_account={"profile_views": views},
        by_outcome={"sent_codes": held[:2], "wrong_attempts": held[2:]},
    )
    for kind, limit in held:
        assert limit.try_enter(ORIGIN_KEYS[kind](origin), NOW)
        limit.leave(ORIGIN_KEYS[kind](origin), NOW, is_counted=True)
    for kind, counter in counters:
        assert counter.take(ORIGIN_KEYS[kind](origin), NOW) is None
    assert views.take(account_key(AccountId(7)), NOW) is None
    assert not any(limit.try_enter(ORIGIN_KEYS[kind](origin), NOW) for kind, limit in held)
    floods.reset_origin(origin, NOW)
    floods.reset_account(AccountId(7), NOW)
    assert all(limit.try_enter(ORIGIN_KEYS[kind](origin), NOW) for kind, limit in held)
    assert all(counter.take(ORIGIN_KEYS[kind](origin), NOW) is None for kind, counter in counters)
    assert views.take("7", NOW) is None
