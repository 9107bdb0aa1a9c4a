"""The app's own start and end (the lifespan part of ASGI)."""

import asyncio
import logging
from typing import Any

from hupan.listener.asgi import ASGIApp, Message

_LOGGER = logging.getLogger("hupan.listener")


class StartupRefusedError(Exception):
    """The app does not start; its text is what the app said, for the operator."""


class Lifespan:
    """Tells an app to start and to end, and hears how that went."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.state: dict[str, Any] = {}
        self._orders: asyncio.Queue[Message] = asyncio.Queue()
        self._outcomes: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Starts the app.

        Raises:
            StartupRefusedError: The app said that it cannot.
        """
        self._task = asyncio.create_task(self._live())
        outcome = await self._order("lifespan.startup")
        if outcome["type"] != "lifespan.startup.complete":
            raise StartupRefusedError(outcome.get("message", ""))

    async def shutdown(self) -> bool:
        """Ends the app; whether it ended well."""
        outcome = await self._order("lifespan.shutdown")
        if outcome["type"] == "lifespan.shutdown.complete":
            return True
        _LOGGER.error("The app did not end well. %s", outcome.get("message", ""))
        return False

    async def _order(self, order: str) -> Message:
        self._orders.put_nowait({"type": order})
        return await self._outcomes.get()

    async def _live(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._orders.get, self._outcomes.put)
        except Exception:
            _LOGGER.exception("The app failed outside any request.")
        # Whoever still waits for an outcome hears that none will come.
        self._outcomes.put_nowait({"type": "lifespan.ended"})
