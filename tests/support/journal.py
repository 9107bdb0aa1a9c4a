"""A journal of every acknowledged write, to compare with the store after a fault.

A fact is a key and a value, such as `("name", "1000001") -> "湖畔"`; None is nothing.
While a write is under way, and for ever when its answer never came, a fact may have one of several
values (security J2). A later reader of the store must find one of them, and every acknowledged
write leaves just one (security J1).
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

Key: TypeAlias = tuple[str, str]
"""What kind of fact, and its subject: see `tests.support.invariants.snapshot`."""
Value: TypeAlias = str | int | None
Facts: TypeAlias = dict[Key, Value]


class Outcome:
    """How one write ended; neither of both, when the answer never came."""

    def __init__(self) -> None:
        self.is_kept = False
        self.is_refused = False

    def kept(self) -> None:
        """The server acknowledged it."""
        self.is_kept = True

    def refused(self) -> None:
        """The server answered that it did not do it."""
        self.is_refused = True


class Journal:
    """The facts that the clients of one test believe in; all threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._possible: dict[Key, set[Value]] = {}
        self._touched: set[Key] = set()
        self.acknowledged = 0
        """Writes that were answered with success."""
        self.in_doubt = 0
        """Writes whose answer never came."""

    @contextmanager
    def write(self, facts: Mapping[Key, Value]) -> Iterator[Outcome]:
        """Surrounds the request that makes the facts true; say in it how it was answered.

        An exception, and an end without a word, leave old and new values possible.
        No two threads write the same key.
        """
        outcome = Outcome()
        with self._lock:
            before = {key: set(self._possible.get(key, {None})) for key in facts}
            for key, value in facts.items():
                self._possible[key] = before[key] | {value}
                self._touched.add(key)
        try:
            yield outcome
        finally:
            with self._lock:
                self._settle(facts, before, outcome)

    def believe(self, facts: Mapping[Key, Value]) -> None:
        """Takes facts for true, such as those that a client has just read."""
        with self._lock:
            for key, value in facts.items():
                self._possible[key] = {value}
                self._touched.add(key)

    def keys(self, kind: str, value: Value) -> list[str]:
        """Whose fact of a kind has surely a value."""
        with self._lock:
            return [
                who
                for (its_kind, who), values in self._possible.items()
                if its_kind == kind and values == {value}
            ]

    def possible(self) -> dict[Key, frozenset[Value]]:
        """What each fact may be now: more than one value while a write of it is under way."""
        with self._lock:
            return {key: frozenset(values) for key, values in self._possible.items()}

    def drain_touched(self) -> set[Key]:
        """Return the keys that were written since the last call."""
        with self._lock:
            touched, self._touched = self._touched, set()
            return touched

    def differences(self, found: Mapping[Key, Value]) -> list[str]:
        """Where what is found is none of what may be (security J1, J2); [] when all is well.

        Facts in doubt are what was found from now on.
        """
        with self._lock:
            wrong = [
                f"{key}: {found.get(key)!r} was found, but {sorted(map(repr, values))} was told"
                for key, values in self._possible.items()
                if found.get(key) not in values
            ]
            for key in self._possible:
                self._possible[key] = {found.get(key)}
            return wrong

    def _settle(
        self, facts: Mapping[Key, Value], before: dict[Key, set[Value]], outcome: Outcome
    ) -> None:
        self.acknowledged += outcome.is_kept
        self.in_doubt += not (outcome.is_kept or outcome.is_refused)
        for key, value in facts.items():
            if outcome.is_kept:
                self._possible[key] = {value}
            elif outcome.is_refused:
                self._possible[key] = before[key]
