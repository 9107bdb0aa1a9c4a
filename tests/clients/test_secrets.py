"""No repr, log or traceback of the client has a token, and no POST is sent twice."""

import importlib
import logging
import pkgutil
import socketserver
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import httpx
import hupan_client
import msgspec
import pytest
from hupan_client import Account, AsyncClient, Client, HupanError, SeededAccount
from hupan_client.calls import code_login, email_login
from hupan_client.core import Core, ServerUrl
from hupan_client.errors import ConnectionFailed
from hupan_client.messages import LoginToken, UploadToken

from tests.support.both_clients import KINDS, Kind, make_client

TOKEN = "0f0e0d0c-0b0a-4908-8706-050403020100"
URL = "http://127.0.0.1:8480"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return which of the two clients a test uses."""
    kind: Kind = request.param
    return kind


def test_no_repr_has_a_secret() -> None:
    """Clients, requests, tokens and accounts hide it (security L1)."""
    core = Core(ServerUrl(URL), TOKEN)
    shown = [
        Client(URL, TOKEN),
        AsyncClient(URL, TOKEN),
        core,
        core.build(email_login("a@b.c", TOKEN)),
        core.build_upload(UploadToken(TOKEN), "k", b""),
        email_login("a@b.c", TOKEN),
        code_login("1", TOKEN),
        LoginToken(TOKEN),
        UploadToken(TOKEN),
        Account("1", TOKEN),
        SeededAccount("1", password=TOKEN, token=TOKEN),
        Client(URL, TOKEN).socket(),
    ]
    assert all(TOKEN not in f"{one!r} {one}" for one in shown)


def secret_classes() -> list[type[msgspec.Struct]]:
    """Return every class of the package that has a field for a token or a password."""
    modules = [importlib.import_module(one.name) for one in walk_packages(hupan_client)]
    found = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    structs = [
        one for one in found if issubclass(one, msgspec.Struct) and one is not msgspec.Struct
    ]
    return [one for one in structs if {"token", "password"} & set(one.__struct_fields__)]


def walk_packages(package: ModuleType) -> Iterator[pkgutil.ModuleInfo]:
    return pkgutil.walk_packages(package.__path__, f"{package.__name__}.")


def test_no_class_shows_its_secret() -> None:
    """Every class with a field for a token or a password hides it (security L1)."""
    classes = secret_classes()
    assert {LoginToken, UploadToken, Account, SeededAccount} < set(classes)
    for one in classes:
        texts = {field.name: TOKEN for field in msgspec.structs.fields(one) if field.type is str}
        value = msgspec.convert({**dict.fromkeys(one.__struct_fields__, 0), **texts}, one)
        hidden = {name: TOKEN for name in ("token", "password") if name in texts}
        rest = {name: "x" for name in texts if name not in hidden}
        assert TOKEN not in repr(msgspec.structs.replace(value, **rest)), one


@contextmanager
def closing_server() -> Iterator[tuple[str, list[bytes]]]:
    """Start a server that reads a request and closes the connection without a response."""
    received: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            received.append(self.rfile.readline())
            while self.rfile.readline().strip():
                pass

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", received
        finally:
            server.shutdown()
            thread.join()


async def test_a_post_is_sent_once(kind: Kind) -> None:
    """A POST may have been carried out; a GET is sent once more, and then no more."""
    with closing_server() as (url, received):
        async with make_client(kind, url) as client:
            with pytest.raises(ConnectionFailed) as failed:
                await client.email_login("a@b.c", "p")
            assert (len(received), failed.value.is_timeout) == (1, False)
            with pytest.raises(ConnectionFailed):
                await client.get_own_info()
            assert [line.split()[0] for line in received] == [b"POST", b"GET", b"GET"]


async def test_a_timeout_is_one(kind: Kind) -> None:
    """The request is not repeated, and the error says that it was a timeout."""
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise httpx.ReadTimeout("too slow", request=request)

    async with make_client(kind, URL, handler) as client:
        with pytest.raises(ConnectionFailed) as failed:
            await client.get_own_info()
    assert (len(sent), failed.value.is_timeout) == (1, True)


async def test_no_log_has_the_token(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the lowest log level of every library nor a traceback has it (security L1)."""
    caplog.set_level(logging.DEBUG)
    with closing_server() as (url, received):
        async with make_client(kind, url, token=TOKEN) as client:
            for use in (client.get_own_info, client.logout):
                with pytest.raises(HupanError) as failed:
                    await use()
                told = traceback.TracebackException.from_exception(
                    failed.value, capture_locals=True
                )
                assert TOKEN not in "".join(told.format())
    assert received
    assert caplog.text
    assert TOKEN not in caplog.text
