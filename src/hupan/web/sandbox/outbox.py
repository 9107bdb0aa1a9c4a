"""The outbox: every message that the sandbox would have sent, live, with its code."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from hupan.sandbox.outbox import CapturedChannel, CapturedMessage, MessageCapture, MessageFilter
from hupan.web.forms import FormState
from hupan.web.pages import PageSet
from hupan.web.sandbox.requests import base_url, positive_number

PAGE_SIZE: Final = 30
CHANNELS: Final[tuple[str, ...]] = get_args(CapturedChannel)


@dataclass(frozen=True, slots=True)
class OutboxPages:
    """The page of messages; viewing it takes none from waiting requests."""

    pages: PageSet
    outbox_messages: MessageCapture
    deliver_outbox: Callable[[], Awaitable[None]]

    async def show(self, request: Request, form: FormState) -> Response:
        """Show messages, newest first."""
        await self.deliver_outbox()
        channel = request.query_params.get("channel", "")
        to = request.query_params.get("to", "").strip()
        message_filter = MessageFilter(channel if channel in CHANNELS else "", to)
        below_id = positive_number(request, "below")
        found = self.outbox_messages.list_page(message_filter, below_id, PAGE_SIZE + 1)
        messages = found[:PAGE_SIZE]
        return self.pages.render(
            request,
            "sandbox/outbox.html",
            page="outbox",
            form=form,
            messages=messages,
            older=self._older_link(message_filter, messages) if found[PAGE_SIZE:] else "",
            channels=CHANNELS,
            wanted={"channel": message_filter.channel, "to": to},
            is_filtered=bool(message_filter.channel or to or below_id),
            base_url=base_url(request),
        )

    def _older_link(self, message_filter: MessageFilter, messages: list[CapturedMessage]) -> str:
        query = {"channel": message_filter.channel, "to": message_filter.to}
        below = {"below": messages[-1].id}
        return f"{self.pages.prefix}/outbox?{urlencode({**query, **below})}"
