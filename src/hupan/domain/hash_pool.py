"""The processes that hash passwords: begun when needed, replaced when gone (decision 20)."""

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from hupan.domain.hash_process import HashProcess
from hupan.domain.refusals import Busy

Answer = TypeVar("Answer")
_log = logging.getLogger("hupan.passwords")


class HashPool:
    """As many processes as threads ask at once; each answers one thread at a time."""

    def __init__(self) -> None:
        self._idle: list[HashProcess] = []
        self._begun: set[HashProcess] = set()
        self._closed = threading.Event()

    @property
    def pids(self) -> list[int]:
        """The processes that wait for a question."""
        return [process.pid for process in self._idle]

    def ask(self, question: Callable[[HashProcess], Answer]) -> Answer:
        """What a process answers.

        Raises:
            OSError: two processes ended, or one hangs or has no memory.
            Busy: the pool was closed.
        """
        try:
            return self._asked(question, self._waiting_process())
        except ConnectionError:
            # Whoever killed that one may have killed all that wait, so it is a new one's turn.
            return self._asked(question, self._new_process())

    def close(self) -> None:
        """Ends the processes, also those at work, so that no thread waits for them."""
        self._closed.set()
        for process in tuple(self._begun):
            process.kill()
        self._end_idle()

    def _asked(self, question: Callable[[HashProcess], Answer], process: HashProcess) -> Answer:
        """Asks a process that nobody else asks meanwhile; one that fails is not asked again."""
        try:
            answer = question(process)
        except BaseException:
            self._end(process)
            raise
        self._idle.append(process)
        if self._closed.is_set():
            self._end_idle()
        return answer

    def _waiting_process(self) -> HashProcess:
        try:
            return self._idle.pop()
        except IndexError:
            return self._new_process()

    def _new_process(self) -> HashProcess:
        """Begins one, unless all were ended."""
        if not self._closed.is_set():
            process = HashProcess()
            self._begun.add(process)
            if not self._closed.is_set():  # `close` may have looked before it was there
                return process
            self._end(process)
        raise Busy

    def _end(self, process: HashProcess) -> None:
        ended_with = process.close()
        self._begun.discard(process)
        if not self._closed.is_set():
            _log.warning("a process that hashes passwords ended: %s %s", process.pid, ended_with)

    def _end_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._end(self._idle.pop())
