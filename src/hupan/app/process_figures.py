"""What this process takes of the machine, under the names that Prometheus knows."""

import asyncio
import os
import resource
import time
from pathlib import Path

from hupan.app.exposition import Family, Histogram
from hupan.counting import Durations

_STARTED_AT = time.time()
_LOOK_SECONDS = 0.25


class LoopLag:
    """Looks four times a second how late the event loop is: whatever holds it up, holds up all."""

    def __init__(self) -> None:
        self._lags = Durations()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins; on the loop that is looked at."""
        loop = asyncio.get_running_loop()
        due_at = loop.time() + _LOOK_SECONDS
        self._timer = loop.call_at(due_at, self._look, loop, due_at)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()

    def family(self) -> Histogram:
        """All lags so far."""
        meaning = "How late the event loop was, looked at four times a second"
        return Histogram("hupan_loop_lag_seconds", meaning, [({}, self._lags)])

    def _look(self, loop: asyncio.AbstractEventLoop, due_at: float) -> None:
        self._lags.add(max(0.0, loop.time() - due_at))
        self.start()


def process_families() -> list[Family]:
    """Memory, descriptors, processor time; memory and descriptors where the system has /proc."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = [
        _one("process_start_time_seconds", "gauge", "When it was started", _STARTED_AT),
        _one("process_cpu_seconds_total", "counter", "Processor time used", time.process_time()),
        _one("process_max_fds", "gauge", "Descriptors that it may have open", soft),
    ]
    if Path("/proc/self/statm").exists():
        resident = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        size = resident * os.sysconf("SC_PAGE_SIZE")
        open_now = sum(1 for _ in Path("/proc/self/fd").iterdir())
        told.append(_one("process_resident_memory_bytes", "gauge", "Memory in use", size))
        told.append(_one("process_open_fds", "gauge", "Descriptors that are open", open_now))
    return told


def _one(name: str, kind: str, meaning: str, value: float) -> Family:
    return Family(name, "counter" if kind == "counter" else "gauge", meaning, [({}, value)])
