"""The clock of the sandbox: frozen, advanced, set, never back; what is pending (K-6)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from hupan.clock import AdjustableClock
from hupan.domain.pending import PendingEvent, PendingEvents, PendingKind
from hupan.localized import LocalizedText
from hupan.sandbox.routes import (
    MAX_TIME,
    BadRequest,
    check_known,
    json_response,
    read_json_body,
    wants_english,
)

MAX_PENDING = 100
MAX_STEPS = 1000
"""Moments at which one step of the clock stops to let due work run, in order; then it leaps."""
_TEXTS: Mapping[PendingKind, LocalizedText] = {
    "code": LocalizedText("{} 的验证码失效", "the code for {} expires"),
    "message": LocalizedText("向 {} 重发消息", "the message to {} is sent again"),
    "ban": LocalizedText("账号 {} 的封禁结束", "the ban of account {} ends"),
    "vip": LocalizedText("账号 {} 的会员到期", "the VIP of account {} ends"),
    "erasure": LocalizedText("已注销的账号 {} 清除数据", "the cancelled account {} is erased"),
    "session": LocalizedText("账号 {} 的一个登录过期", "a session of account {} expires"),
    "step-up": LocalizedText(
        "账号 {} 的身份验证失效", "a step-up verification of account {} expires"
    ),
    "file": LocalizedText("删除账号 {} 的一个图片文件", "a picture file of account {} is deleted"),
}


class PendingItem(Struct, frozen=True):
    """What happens when the clock shows `at`, in the language of the request."""

    at: int
    what: str


class ClockStatus(Struct, frozen=True):
    """The response of `/sandbox/clock`.

    Attributes:
        pending: the next events, at most `MAX_PENDING`.
    """

    now: int
    frozen: bool
    pending: list[PendingItem]


class ClockBody(Struct):
    """The body of POST `/sandbox/clock`: `advance` or `set`, `freeze`, or both."""

    advance: float | None = None
    set: float | None = None
    freeze: bool | None = None


@dataclass(frozen=True, slots=True)
class SandboxClock:
    """Moves the clock, and does what is due.

    Attributes:
        deliver_outbox: sends the messages that are due; one that is being sent is not pending.
        fire_due: does all that is due, and returns when that is done.
    """

    clock: AdjustableClock
    events: PendingEvents
    deliver_outbox: Callable[[], Awaitable[None]]
    fire_due: Callable[[], Awaitable[None]]
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, *, english: bool) -> ClockStatus:
        """Return the time, and what is pending."""
        await self.deliver_outbox()
        events = await self.events.list_next(MAX_PENDING)
        items = [_describe(event, english=english) for event in events]
        return ClockStatus(int(self.clock.now()), self.clock.is_frozen, items)

    async def move(
        self,
        *,
        advance: float | None = None,
        to: float | None = None,
        freeze: bool | None = None,
    ) -> None:
        """Freeze or unfreeze the clock, and move it; return when all that is due has happened.

        Raises:
            BadRequest: it would go back, or too far.
        """
        if advance is not None and to is not None:
            raise BadRequest("advance 与 set 不能同时使用", "specify advance or set, not both")
        if advance is None and to is None and freeze is None:
            raise BadRequest("请指定 advance、set 或 freeze", "specify advance, set or freeze")
        async with self._lock:
            now = self.clock.now()
            target = now + advance if advance is not None else now if to is None else to
            _check_target(target, now)
            if freeze and not self.clock.is_frozen:
                self.clock.freeze()
            if advance is not None or to is not None:
                await self._move_to(target)
            if freeze is False:
                self.clock.unfreeze()

    async def _move_to(self, target: float) -> None:
        for _ in range(MAX_STEPS):
            due_at = await self.events.find_next_action()
            if due_at is None or due_at >= target:
                break
            self.clock.set(max(due_at, self.clock.now()))
            await self.fire_due()
        self.clock.set(max(target, self.clock.now()))
        await self.fire_due()

    async def get(self, request: Request) -> Response:
        """Return the clock: → {now, frozen, pending}."""
        check_known("parameter", request.query_params, ())
        return json_response(await self.read(english=wants_english(request)))

    async def post(self, request: Request) -> Response:
        """Move the clock: → {now, frozen, pending}."""
        body = await read_json_body(request, ClockBody)
        await self.move(advance=body.advance, to=body.set, freeze=body.freeze)
        return json_response(await self.read(english=wants_english(request)))


def _check_target(target: float, now: float) -> None:
    if not 0 <= target <= MAX_TIME:
        raise BadRequest(
            f"时间须在 0 到 {MAX_TIME} 之间", f"the time must be between 0 and {MAX_TIME}"
        )
    if target < int(now):
        raise BadRequest(
            f"时钟不能倒退：现在是 {int(now)}；要回到过去，请恢复快照或重置沙盒",
            f"the clock never goes back: it shows {int(now)}; to go back, restore a snapshot or "
            "reset the sandbox",
        )


def _describe(event: PendingEvent, *, english: bool) -> PendingItem:
    return PendingItem(event.at, _TEXTS[event.kind].text(english).format(event.subject))
