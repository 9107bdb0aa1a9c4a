"""List our own files that run between the bytes of a password sign-in and its response.

    .venv/bin/python -m tools.files_of_a_request

Feeds one `POST /v1/user/email-login` to the connection of a whole server: limits, audit log,
metrics, the writing thread and the hashing process. Prints each file of `src/hupan/` of which a
function ran, and their number. Generated protobuf stubs and `__init__.py` do not count.
"""

import asyncio
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import FrameType

import hupan
from hupan.application import Application, Server, build_server
from hupan.config import Settings
from hupan.domain.provisioning import NewAccount
from hupan.environment import make_server_environment
from hupan.logs import configure_logging
from hupan.opening import prepared_store
from hupan.server.connection import HttpConnection, RequestStarter, ServerLimits
from hupan.server.uvicorn_parts import Config, ServerState

_SOURCE = str(Path(hupan.__file__).parent) + "/"
_EMAIL, _PASSWORD = "someone@example.com", "the lake at seven"
_BODY = f'{{"email":"{_EMAIL}","password":"{_PASSWORD}","deviceId":"d"}}'.encode()
_REQUEST = (
    b"POST /v1/user/email-login HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: okhttp/4\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)
_IN_ANOTHER_PROCESS = {"domain/hash_worker.py"}
"""The file of the hashing process, which the profile does not cover."""


class _Trace:
    """Record the files of each function that is called or resumed, in every thread."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.is_on = False

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if self.is_on and event == "call" and frame.f_code.co_filename.startswith(_SOURCE):
            self.files.add(frame.f_code.co_filename.removeprefix(_SOURCE))

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Trace this thread and those that start from now on."""
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)


class _IdleServer(Server):
    """A server without background tasks, which are no part of a request."""

    def start(self) -> None:
        """Do nothing."""


class _Peer(asyncio.Transport):
    """The other end of a connection; records the bytes it receives."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.received = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += bytes(data)

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


async def _sign_in(settings: Settings, trace: _Trace) -> bytes:
    servers: list[Server] = []

    async def open_server() -> Server:
        server = await build_server(settings, make_server_environment({}))
        servers.append(_IdleServer(*(getattr(server, part.name) for part in fields(server))))
        return servers[0]

    application = Application(open_server)
    config = Config(application, interface="asgi3", ws="none", log_config=None, access_log=False)
    config.loaded_app, config.ws_protocol_class, config.loaded = application, None, True
    state = ServerState()
    starter = RequestStarter(application, asyncio.get_running_loop(), state.tasks)
    events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    events.put_nowait({"type": "lifespan.startup"})
    started = asyncio.Event()

    async def send(_event: object) -> None:
        started.set()

    lifespan = asyncio.create_task(application({"type": "lifespan"}, events.get, send))
    await started.wait()
    (server,) = servers
    await server.infrastructure.provisioner.create(NewAccount(email=_EMAIL, password=_PASSWORD))
    peer = _Peer()
    connection = HttpConnection(ServerLimits(), config, state, {}, starter, lambda _: None)
    connection.connection_made(peer)
    trace.is_on = True
    connection.data_received(_REQUEST)
    while not connection.cycle.response_complete:  # noqa: ASYNC110 - as the loop would
        await asyncio.sleep(0)
    trace.is_on = False
    events.put_nowait({"type": "lifespan.shutdown"})
    await lifespan
    return peer.received


def files_of_a_sign_in() -> set[str]:
    """Return the files, by their path below src/hupan.

    Raises:
        RuntimeError: the sign-in failed.
    """
    trace = _Trace()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), metrics_port=0, test_profile=True)
        configure_logging(settings.log_level, settings.log_format)
        with trace.installed(), prepared_store(settings):
            response = asyncio.run(_sign_in(settings, trace))
    if b"x-result: ok" not in response:
        raise RuntimeError(response.decode("latin-1"))
    found = trace.files | _IN_ANOTHER_PROCESS
    return {
        file for file in found if not file.endswith("__init__.py") and "contract/pb/" not in file
    }


if __name__ == "__main__":
    files = sorted(files_of_a_sign_in())
    sys.stdout.write("\n".join([*files, f"{len(files)} files"]) + "\n")
