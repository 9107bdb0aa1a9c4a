"""A listener in a separate process, and a peer that sends raw bytes to it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.commands import PATIENCE_SECONDS, Output
from tests.support.forks import APPS, Fork, can_fork, fork


class Listening:
    """A running process that serves `asgi_apps.app`.

    Args:
        is_forked: whether the process may be forked, see `forks`; not for tests of its memory.
        said: what it does, see `asgi_apps.main`.
    """

    def __init__(self, *, is_forked: bool = True, **said: object) -> None:
        self._files = ExitStack()
        out, out_writer = self._pipe()
        err, err_writer = self._pipe()
        self.process = _start([APPS, json.dumps(said)], out_writer, err_writer, is_forked=is_forked)
        for file in (out_writer, err_writer):
            os.close(file)
        self._err = Output(err)
        self._peers: list[Peer] = []
        self.urls: list[str] = json.loads(Output(out).line() or "[]")

    def _pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe()
        self._files.callback(os.close, reader)
        return reader, writer

    def err_line(self) -> str:
        """Wait for the next line on stderr and return it."""
        return self._err.line()

    def connect(self) -> "Peer":
        """Return a new connection to it."""
        port = int(self.urls[0].rpartition(":")[2])
        peer = Peer(socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS))
        self._peers.append(peer)
        return peer

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Request the stop."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit status and the rest of stderr."""
        err = self._err.rest()
        return self.process.wait(PATIENCE_SECONDS), err

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for peer in self._peers:
            peer.connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self._err.rest()
        self.process.wait(PATIENCE_SECONDS)
        self._files.close()


def _start(
    command: list[str], out: int, err: int, *, is_forked: bool
) -> "Fork | subprocess.Popen[bytes]":
    with Path(os.devnull).open("rb") as nothing:
        if is_forked and can_fork(command, os.environ):
            return fork(command, os.environ, Path.cwd(), nothing.fileno(), out, err)
        return subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, *command], stdin=nothing, stdout=out, stderr=err
        )


class Peer:
    """The client's end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._held = b""

    def say(self, data: bytes) -> Self:
        """Send bytes unchanged."""
        self.connection.sendall(data)
        return self

    def run(self, path: str, *, body: bytes = b"") -> str:
        """Send one complete request and return the body of its response."""
        head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n"
        return self.say(head.encode() + body).answer()[1]

    def answer(self) -> tuple[int, str]:
        """Return the status and the body of the next response."""
        while b"\r\n\r\n" not in self._held:
            self._more()
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        while len(self._held) < size:
            self._more()
        body, self._held = self._held[:size], self._held[size:]
        return int(head.split(b" ")[1]), body.decode()

    def rest(self) -> bytes:
        """Return all bytes until the server closes; fail with a timeout if it does not."""
        try:
            while data := self.connection.recv(65536):
                self._held += data
        except ConnectionResetError:
            pass
        return self._held

    def _more(self) -> None:
        data = self.connection.recv(65536)
        if not data:
            raise EOFError(self._held)
        self._held += data
