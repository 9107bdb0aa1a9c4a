"""Drives `hupan sandbox`, asynchronous.

The synchronous one is made from this file: `make clients`.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Self, TypeVar

import httpx

from hupan_client._async.client import AsyncClient
from hupan_client._async.http import AsyncHttp
from hupan_client.core import ServerUrl
from hupan_client.sandbox import (
    MAX_SANDBOX_BYTES,
    Account,
    Channel,
    ClockState,
    Fault,
    JournalEntry,
    Rule,
    SandboxCore,
    SeededAccount,
    SentMessage,
    Snapshot,
    UnservedPaths,
    snapshot_path,
)

_GRACE_SECONDS = 10.0
Result = TypeVar("Result")


class AsyncSandboxHttp:
    """Sends the requests of a sandbox."""

    def __init__(self, http: AsyncHttp) -> None:
        self.http = http
        self._core = SandboxCore(http.url)

    async def get(
        self,
        path: str,
        result_type: type[Result],
        query: Mapping[str, object],
        *,
        within: float | None = None,
    ) -> Result:
        request = self._core.build("GET", path, query=query)
        return self._core.read(await self.http.exchange(request, within), result_type)

    async def send(
        self, method: str, path: str, result_type: type[Result], body: object = None
    ) -> Result:
        request = self._core.build(method, path, body)
        return self._core.read(await self.http.exchange(request), result_type)


class AsyncAccounts:
    """Makes accounts without a login."""

    def __init__(self, http: AsyncSandboxHttp) -> None:
        self._http = http

    async def create(  # noqa: PLR0913 - the route takes as many
        self,
        *,
        phone: str | None = None,
        email: str | None = None,
        password: str | None = None,
        nickname: str | None = None,
        coins: float | None = None,
        vip_days: int | None = None,
        medals: tuple[str, ...] = (),
        ban_days: int | None = None,
        ban_reason: str | None = None,
        invited_by: str | None = None,
        device_id: str | None = None,
        platform: str | None = None,
    ) -> Account:
        """Create an account; what is not given is as in a fresh one."""
        body = {
            "phone": phone,
            "email": email,
            "password": password,
            "nickname": nickname,
            "coins": coins,
            "vipDays": vip_days,
            "medals": medals or None,
            "banDays": ban_days,
            "banReason": ban_reason,
            "invitedBy": invited_by,
            "deviceId": device_id,
            "platform": platform,
        }
        given = {key: value for key, value in body.items() if value is not None}
        return await self._http.send("POST", "accounts", Account, given)


class AsyncOutbox:
    """What the sandbox would have sent."""

    def __init__(self, http: AsyncSandboxHttp) -> None:
        self._http = http

    async def list(
        self, to: str = "", *, channel: Channel | None = None, since: int | None = None
    ) -> "tuple[SentMessage, ...]":
        """Return the messages, newest first.

        Args:
            to: a phone number, an e-mail address or the id of a captcha; "" for all.
            channel: `sms`, `email`, `captcha` or `push`; None for all.
            since: unix seconds of the sandbox's clock.
        """
        query = {"to": to, "channel": channel, "since": since}
        return await self._http.get("outbox", tuple[SentMessage, ...], query)

    async def wait(
        self, to: str = "", *, channel: Channel | None = None, within: float = 10.0
    ) -> SentMessage:
        """Return the newest message that was not returned before, or else the next one.

        Args:
            to: as for `list`.
            channel: `sms`, `email`, `captcha` or `push`; None for all.
            within: seconds to wait.

        Raises:
            SandboxRefusal: none came in time.
        """
        query = {"to": to, "channel": channel, "timeout": within}
        return await self._http.get(
            "outbox/wait", SentMessage, query, within=within + _GRACE_SECONDS
        )

    async def code(self, to: str, *, within: float = 10.0) -> str:
        """Return the code of the next message, or the answer to a captcha by its id."""
        return (await self.wait(to, within=within)).code


class AsyncClock:
    """The sandbox's clock; it never goes back but by a reset or a snapshot."""

    def __init__(self, http: AsyncSandboxHttp) -> None:
        self._http = http

    async def get(self) -> ClockState:
        """Return the time, and what is pending."""
        return await self._http.get("clock", ClockState, {})

    async def advance(self, seconds: float) -> ClockState:
        """Wind the clock forward; all that is due by then has happened when this returns."""
        return await self._http.send("POST", "clock", ClockState, {"advance": seconds})

    async def set(self, unix_seconds: float) -> ClockState:
        """Wind the clock forward to a time."""
        return await self._http.send("POST", "clock", ClockState, {"set": unix_seconds})

    async def freeze(self) -> ClockState:
        """Stop the clock."""
        return await self._http.send("POST", "clock", ClockState, {"freeze": True})

    async def unfreeze(self) -> ClockState:
        """Unfreeze the clock on."""
        return await self._http.send("POST", "clock", ClockState, {"freeze": False})


class AsyncFaults:
    """What goes wrong on demand."""

    def __init__(self, http: AsyncSandboxHttp) -> None:
        self._http = http

    async def set(self, *faults: Fault) -> tuple[Fault, ...]:
        """Replace all faults; of those that match a request the first one acts."""
        return await self._http.send("PUT", "faults", tuple[Fault, ...], faults)

    async def list(self) -> "tuple[Fault, ...]":
        """Return the faults, with how often each has happened."""
        return await self._http.get("faults", tuple[Fault, ...], {})

    async def clear(self) -> None:
        """Let nothing go wrong any more."""
        await self.set()


class AsyncRules:
    """Answers for paths that Hupan does not serve, such as those of messages."""

    def __init__(self, http: AsyncSandboxHttp) -> None:
        self._http = http

    async def set(self, *rules: Rule) -> tuple[Rule, ...]:
        """Replace all rules; of those that match a request the first one answers."""
        return await self._http.send("PUT", "rules", tuple[Rule, ...], rules)

    async def list(self) -> "tuple[Rule, ...]":
        """Return the rules, with how often each has answered."""
        return await self._http.get("rules", tuple[Rule, ...], {})

    async def clear(self) -> None:
        """Let every such path be 404 again."""
        await self.set()


class AsyncRequests:
    """The journal: what clients sent and what was answered, decoded."""

    def __init__(self, http: AsyncSandboxHttp) -> None:
        self._http = http

    async def list(
        self,
        path: str = "",
        *,
        account: str | None = None,
        result: str | None = None,
        since: int | None = None,
    ) -> "tuple[JournalEntry, ...]":
        """Return the entries, newest first.

        Args:
            path: whole, or its beginning with `*` at the end; "" for all.
            account: the id of an account.
            result: `ok`, `refused`, `unauthenticated`, `limited` or `error`.
            since: unix seconds of the sandbox's clock.
        """
        query = {"path": path, "account": account, "result": result, "since": since}
        return await self._http.get("requests", tuple[JournalEntry, ...], query)

    async def unserved(self) -> UnservedPaths:
        """Return the paths that Hupan does not serve, with how often clients asked for them."""
        return await self._http.get("requests/unserved", UnservedPaths, {})

    async def clear(self) -> None:
        """Forget all entries."""
        await self._http.send("DELETE", "requests", dict[str, object])


class AsyncSnapshots:
    """Saved states of the sandbox."""

    def __init__(self, http: AsyncSandboxHttp) -> None:
        self._http = http

    async def save(self, name: str) -> Snapshot:
        """Save the state: data, pictures, clock and seed."""
        return await self._http.send("POST", snapshot_path(name), Snapshot)

    async def restore(self, name: str) -> Snapshot:
        """Return to a saved state."""
        return await self._http.send("POST", f"{snapshot_path(name)}/restore", Snapshot)

    async def list(self) -> "tuple[Snapshot, ...]":
        """Return the saved states."""
        return await self._http.get("snapshots", tuple[Snapshot, ...], {})

    async def delete(self, name: str) -> None:
        """Delete a saved state."""
        await self._http.send("DELETE", snapshot_path(name), dict[str, object])

    async def read_file(self, name: str) -> bytes:
        """Return a saved state as a file, for another sandbox."""
        return await self._http.get(snapshot_path(name), bytes, {})

    async def add_file(self, name: str, content: bytes) -> Snapshot:
        """Take a saved state from a file."""
        return await self._http.send("PUT", snapshot_path(name), Snapshot, content)


class AsyncSandbox:
    """A running `hupan sandbox`.

    Args:
        url: where it is.
        timeout: seconds for connecting, and between bytes.
        transport: what sends requests, in place of the network.
        keeps_connections: False for a new connection for each request, so that nothing is
            left to close.

    Attributes:
        url: where it is.
        accounts: makes accounts.
        outbox: what it would have sent.
        clock: its clock.
        faults: what goes wrong on demand.
        rules: answers for paths that Hupan does not serve.
        requests: what clients sent and what was answered.
        snapshots: saved states.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8480",
        *,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
        keeps_connections: bool = True,
    ) -> None:
        server = ServerUrl(url)
        self.url = server.text
        self._http = AsyncSandboxHttp(
            AsyncHttp(
                server,
                timeout,
                transport,
                keeps_connections=keeps_connections,
                max_answer_bytes=MAX_SANDBOX_BYTES,
            )
        )
        self.accounts = AsyncAccounts(self._http)
        self.outbox = AsyncOutbox(self._http)
        self.clock = AsyncClock(self._http)
        self.faults = AsyncFaults(self._http)
        self.rules = AsyncRules(self._http)
        self.requests = AsyncRequests(self._http)
        self.snapshots = AsyncSnapshots(self._http)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.url}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; the sandbox runs on."""
        await self._http.http.aclose()

    def client(self, account: Account | SeededAccount | None = None) -> AsyncClient:
        """Return a client, logged in as an account if one is given.

        It uses the connections of the sandbox.
        """
        token = "" if account is None else account.token
        return AsyncClient(self.url, token, connections=self._http.http)

    async def sign_in(
        self, phone: str = "13800138000", *, device_id: str | None = None
    ) -> AsyncClient:
        """Return a client that has logged in as people do: by captcha, SMS and code."""
        client = self.client()
        captcha = await client.create_captcha()
        answer = await self.outbox.code(captcha.id)
        await client.send_sms_code(phone, captcha.id, answer)
        message = await self.outbox.wait(phone, channel="sms")
        await client.code_login(phone, message.code, device_id=device_id)
        return client

    async def seed(self, pack: str, number: int | None = None) -> tuple[SeededAccount, ...]:
        """Load a pack: minimal, vip, banned, coins, discovery or unicode."""
        body = {"pack": pack} if number is None else {"pack": pack, "number": number}
        return await self._http.send("POST", "seed", tuple[SeededAccount, ...], body)

    async def reset(self) -> None:
        """Delete everything, set the clock back and let nothing go wrong."""
        await self._http.send("POST", "reset", dict[str, object], {})
