"""Read the lines of authentication events from a server's output (docs/events.md)."""

import json
import re
import time
from collections.abc import Mapping

from tests.support.answers import Answer
from tests.support.servers import Server

LINE = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) INFO hupan\.auth (.*)$", re.MULTILINE)
PAIR = re.compile(r'([a-z]+)=("(?:[^"\\]|\\.)*"|\S+)')
WAIT_SECONDS = 60.0


def read_pairs(text: str) -> dict[str, str]:
    """Return the fields of a line; `-` stays as it is."""
    pairs = PAIR.findall(text)
    return {key: json.loads(value) if value[0] == '"' else value for key, value in pairs}


def events(text: str) -> list[dict[str, str]]:
    """Return every event in a log, oldest first, each with the time of its line."""
    return [{"time": at, **read_pairs(pairs)} for at, pairs in LINE.findall(text)]


def event_of(server: Server, answer: Answer) -> Mapping[str, str]:
    """Return the one event of the request of a response."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        mine = [e for e in events(server.output()) if e.get("request") == str(answer.request_id)]
        if mine or time.monotonic() > deadline:
            assert len(mine) == 1, mine
            return mine[0]
        time.sleep(0.05)
