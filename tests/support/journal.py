"""A journal of every acknowledged write, to compare with the store after a fault.

A fact is a key and a value, such as `("name", "1000001") -> "湖畔"`; None means absent.
During a write, and for ever if its response never came, a fact may have one of several values
(security J2). A later reader of the store must find one of them, and an acknowledged write leaves
exactly one (security J1).
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

Key: TypeAlias = tuple[str, str]
"""The kind of a fact, and its subject: see `tests.support.invariants.snapshot`."""
Value: TypeAlias = str | int | None
Facts: TypeAlias = dict[Key, Value]


class Outcome:
    """The result of one write; without a call, no response came."""

    def __init__(self) -> None:
        self.is_kept = False
        self.is_refused = False

    def kept(self) -> None:
        """Record that the server acknowledged the write."""
        self.is_kept = True

    def refused(self) -> None:
        """Record that the server refused the write."""
        self.is_refused = True


class Journal:
    """The facts known to the clients of one test; all threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._possible: dict[Key, set[Value]] = {}
        self._touched: set[Key] = set()
        self.acknowledged = 0
        """The number of successful writes."""
        self.in_doubt = 0
        """The number of writes without a response."""

    @contextmanager
    def write(self, facts: Mapping[Key, Value]) -> Iterator[Outcome]:
        """Wrap the request that makes the facts true; record its result inside.

        After an exception, or without a result, old and new values are possible.
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
        """Record facts as certain, such as those that a client has just read."""
        with self._lock:
            for key, value in facts.items():
                self._possible[key] = {value}
                self._touched.add(key)

    def keys(self, kind: str, value: Value) -> list[str]:
        """Return the keys of a kind whose fact certainly has a value."""
        with self._lock:
            return [
                who
                for (its_kind, who), values in self._possible.items()
                if its_kind == kind and values == {value}
            ]

    def possible(self) -> dict[Key, frozenset[Value]]:
        """Return the possible values of each fact: more than one during a write."""
        with self._lock:
            return {key: frozenset(values) for key, values in self._possible.items()}

    def drain_touched(self) -> set[Key]:
        """Return the keys that were written since the last call."""
        with self._lock:
            touched, self._touched = self._touched, set()
            return touched

    def differences(self, found: Mapping[Key, Value]) -> list[str]:
        """Return the facts with an impossible value (security J1, J2); [] if there are none.

        Uncertain facts get the found value from now on.
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
