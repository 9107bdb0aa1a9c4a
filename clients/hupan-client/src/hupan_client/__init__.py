"""Typed client of Hupan, a self-hosted account server for Yunhu-compatible chat.

`Client` is synchronous, `AsyncClient` asynchronous; both have one method for each endpoint.
`Socket` and `AsyncSocket` are `/ws`; `Sandbox` and `AsyncSandbox` drive a running `hupan sandbox`.
What is answered is in `messages`, and what can go wrong in `errors`.
"""

from hupan_client import errors, messages
from hupan_client._async.client import AsyncClient
from hupan_client._async.sandbox import AsyncSandbox
from hupan_client._async.socket import AsyncSocket
from hupan_client._sync.client import Client
from hupan_client._sync.sandbox import Sandbox
from hupan_client._sync.socket import Socket
from hupan_client.errors import ConnectionFailed, HupanError, Refusal, UnreadableAnswer
from hupan_client.sandbox import Account, Fault, Rule, SandboxRefusal, SeededAccount, SentMessage

__all__ = [
    "Account",
    "AsyncClient",
    "AsyncSandbox",
    "AsyncSocket",
    "Client",
    "ConnectionFailed",
    "Fault",
    "HupanError",
    "Refusal",
    "Rule",
    "Sandbox",
    "SandboxRefusal",
    "SeededAccount",
    "SentMessage",
    "Socket",
    "UnreadableAnswer",
    "errors",
    "messages",
]
