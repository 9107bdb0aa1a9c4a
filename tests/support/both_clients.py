"""A common interface of the synchronous and the asynchronous client, for one test suite."""

import inspect
from collections.abc import Callable
from typing import Any, Literal, Self, TypeAlias

import httpx
from hupan_client import AsyncClient, AsyncSandbox, Client, Sandbox

Kind: TypeAlias = Literal["sync", "async"]
KINDS: tuple[Kind, ...] = ("sync", "async")
Handler: TypeAlias = Callable[[httpx.Request], httpx.Response]


class Awaited:
    """A synchronous object with awaitable methods; their results are wrapped as well."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - either client, a sandbox, a socket
        self.inner = inner

    def __repr__(self) -> str:
        return repr(self.inner)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the inner object has
        value = getattr(self.inner, {"aclose": "close"}.get(name, name))
        if not inspect.ismethod(value):
            return wrapped(value)
        if name in {"client", "socket"}:  # they are synchronous in either client
            return lambda *given, **named: wrapped(value(*given, **named))

        async def call(*given: object, **named: object) -> object:
            return wrapped(value(*given, **named))

        return call

    async def __aenter__(self) -> Self:
        self.inner.__enter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.inner.__exit__(*error)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "inner":
            super().__setattr__(name, value)
        else:
            setattr(self.inner, name, value)


def wrapped(value: object) -> object:
    """Wrap an object that has waiting methods."""
    module = type(value).__module__
    return Awaited(value) if module.startswith("hupan_client._sync") else value


def make_sandbox(kind: Kind, url: str) -> AsyncSandbox:
    """Return a sandbox driver with awaitable methods, of either kind."""
    face: Any = AsyncSandbox(url) if kind == "async" else Awaited(Sandbox(url))
    assert isinstance(face, AsyncSandbox | Awaited)
    return face  # type: ignore[return-value]  # it has the same methods, which is what is tested


def make_client(
    kind: Kind, url: str, handler: Handler | None = None, *, token: str = ""
) -> AsyncClient:
    """Return a client with awaitable methods, of either kind."""
    transport = None if handler is None else httpx.MockTransport(handler)
    face: Any = (
        AsyncClient(url, token, transport=transport)
        if kind == "async"
        else Awaited(Client(url, token, transport=transport))
    )
    assert isinstance(face, AsyncClient | Awaited)
    return face  # type: ignore[return-value]  # as above


def method_names(owner: type[object]) -> set[str]:
    """Return the public methods of a class."""
    members = inspect.getmembers(owner, inspect.isfunction)
    return {name for name, _ in members if not name.startswith("_")}
