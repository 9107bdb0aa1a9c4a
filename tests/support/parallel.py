"""Call an endpoint from many threads at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from tests.support.answers import Answer, assert_refused

THREADS = 50
Item = TypeVar("Item")


def at_once(action: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """Call the action with each item, in threads that start together."""
    start = Barrier(len(items))

    def run(item: Item) -> Answer:
        start.wait(timeout=30)
        return action(item)

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(run, items))


def winner(answers: list[Answer]) -> Answer:
    """Return the only success."""
    won = [answer for answer in answers if answer.code == 1]
    assert len(won) == 1, [answer.code for answer in answers]
    for answer in answers:
        if answer.code != 1:
            assert_refused(answer)
    return won[0]
