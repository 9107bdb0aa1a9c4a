"""When a connection asks again."""

import time


class Pace:
    """As soon as it may, or so many times in a second, however long answers take.

    Args:
        per_second: 0 for as soon as it may.
        offset: which part of the time between two requests passes before the first, 0 to 1.
    """

    def __init__(self, per_second: float, offset: float) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._due = time.perf_counter() + offset * self._gap

    def pause(self) -> float:
        """Seconds until the next request is due; 0 when it is, or was."""
        if not self._gap:
            return 0.0
        left = self._due - time.perf_counter()
        self._due += self._gap
        return max(0.0, left)
