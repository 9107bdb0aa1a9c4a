"""What a running server tells of itself at `/metrics` (decision 0015).

It has a listener of its own, so that no rule of a front proxy decides whether the numbers are
public; nothing of a request is in them, and no label comes from one.
"""

import socket
from collections.abc import Mapping

from hupan import __version__
from hupan.api.answering import NO_STORE, respond
from hupan.api.body import Receive, Scope, Send
from hupan.api.dispatch import Dispatcher
from hupan.api.routing import Route
from hupan.app.exposition import CONTENT_TYPE, Family, Histogram, exposition
from hupan.app.parts import Parts
from hupan.app.process_figures import LoopLag, process_families
from hupan.config import Settings
from hupan.counting import CountName, Counts, Meter
from hupan.listener.beside import Beside, listen_at_first_free
from hupan.listener.limits import ListenerLimits
from hupan.listener.output import lines_dropped
from hupan.store.outbox import count_waiting

PATH = "/metrics"
_COUNTS: Mapping[CountName, tuple[str, tuple[str, ...], str]] = {
    "auth": ("hupan_auth_events_total", ("event", "result"), "Outcomes of docs/events.md"),
    "messages": ("hupan_messages_total", ("channel", "outcome"), "Messages handed to a sender"),
    "limit_refusals": ("hupan_limit_refusals_total", ("limit",), "Refused by a limit"),
    "alarms": ("hupan_alarms_total", ("alarm",), "Signs of an attack, see the log"),
    "background_failures": (
        "hupan_background_failures_total",
        ("task",),
        "Errors of background tasks, see the log",
    ),
}


def metrics_sockets(settings: Settings) -> list[socket.socket]:
    """Listens where the settings say; none when they say nowhere.

    Raises:
        BindRefusedError: the address cannot be had.
    """
    if not settings.metrics_port:
        return []
    return listen_at_first_free(settings.metrics_host, settings.metrics_port, settings.workers)


class Metrics:
    """The ASGI application of `/metrics`; it lives as long as the server's loop."""

    def __init__(
        self, routes: Mapping[tuple[str, str, str], Route], dispatcher: Dispatcher, parts: Parts
    ) -> None:
        self._meters = [(_labels(*key), route.meter) for key, route in routes.items()]
        self._meters.append((_labels("", "", "other"), dispatcher.strays))
        self._parts = parts
        self._lag = LoopLag()
        self._door: Beside | None = None

    async def open(self, sockets: list[socket.socket]) -> None:
        """Begins to answer on sockets that listen; without any there is nothing to do."""
        if not sockets:
            return
        self._lag.start()
        idle_seconds = self._parts.settings.connection_idle_seconds
        self._door = Beside(self, sockets, ListenerLimits(idle_seconds=idle_seconds))
        await self._door.open()

    def close(self) -> None:
        """Ends at once."""
        self._lag.stop()
        if self._door is not None:
            self._door.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        del receive
        is_ours = scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", PATH)
        body = await self.text() if is_ours else b""
        headers = [
            (b"content-type", CONTENT_TYPE),
            (b"content-length", b"%d" % len(body)),
            NO_STORE,
        ]
        await respond(200 if is_ours else 404, headers, body, send)

    async def text(self) -> bytes:
        """All numbers as they are now.

        Raises:
            StoreUnavailable: the outbox cannot be counted; nothing is told then.
        """
        build = Family("hupan_build_info", "gauge", "The version", [({"version": __version__}, 1)])
        return exposition(
            [
                build,
                *request_families(self._meters),
                *count_families(self._parts.counts),
                *await _part_families(self._parts),
                self._lag.family(),
                *process_families(),
            ]
        )


def request_families(
    meters: list[tuple[Mapping[str, str], Meter]],
) -> tuple[Family, Histogram]:
    """Requests by endpoint and class of outcome, and how long they took."""
    results = [
        ({**labels, "result": result}, number)
        for labels, meter in meters
        for result, number in meter.results.items()
    ]
    durations = [(labels, meter.durations) for labels, meter in meters if meter.results]
    return (
        Family("hupan_requests_total", "counter", "Requests by class of outcome", results),
        Histogram("hupan_request_seconds", "From the whole request to its answer", durations),
    )


def count_families(counts: Counts) -> list[Family]:
    """What is counted by name."""
    return [
        Family(
            name,
            "counter",
            meaning,
            [
                (dict(zip(keys, labels, strict=True)), number)
                for labels, number in counts.of(count).items()
            ],
        )
        for count, (name, keys, meaning) in _COUNTS.items()
    ]


async def _part_families(parts: Parts) -> list[Family]:
    store = parts.engine.figures()
    outbox = await count_waiting(parts.engine)
    gauges = {
        "hupan_captchas_ready": ("Captcha pictures that are ready", parts.pictures.ready),
        "hupan_password_queue": ("Passwords that wait or are hashed", parts.passwords.waiting),
        "hupan_store_queue": ("Changes that wait for their commit", store.waiting),
        "hupan_store_wal_bytes": ("Write-ahead log of the SQLite file", store.log_bytes),
    }
    totals = {
        "hupan_store_changes_total": ("Changes that were kept", store.changes),
        "hupan_store_commits_total": ("Commits that kept them", store.groups),
        "hupan_store_failures_total": ("Reads and commits that failed", store.failures),
        "hupan_log_lines_dropped_total": ("Lines that could not be written", lines_dropped()),
    }
    steady = parts.outside.steady
    if steady is not None:
        meaning = "How far the machine's clock is ahead of the server's time; negative for behind"
        gauges["hupan_clock_leap_seconds"] = (meaning, round(-steady.behind()))
    waiting = [({"channel": channel}, number) for channel, number in outbox.items()]
    return [
        Family("hupan_outbox_messages", "gauge", "Messages in the store's outbox", waiting),
        *(Family(name, "gauge", told, [({}, now)]) for name, (told, now) in gauges.items()),
        *(Family(name, "counter", told, [({}, sum_)]) for name, (told, sum_) in totals.items()),
    ]


def _labels(surface: str, method: str, path: str) -> Mapping[str, str]:
    return {"surface": surface, "endpoint": f"{method} {path}".strip()}
