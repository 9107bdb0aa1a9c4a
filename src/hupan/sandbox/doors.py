"""The doors of the sandbox, under `/sandbox` (design, section 8)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hupan.clock import WoundClock
from hupan.domain.provisioning import AccountWanted, Provisioning
from hupan.domain.refusals import EmailTaken, InvalidField, PhoneTaken
from hupan.sandbox.answers import BadRequest, answer, answer_problem, number_in, read
from hupan.sandbox.inbox import Inbox, Wanted

LONGEST_WAIT_SECONDS = 300.0
LATEST_TIME = 253_402_300_799
"""The end of the year 9999, the last that text times can show."""

_TAKEN = {PhoneTaken: "phone", EmailTaken: "email"}
Door: TypeAlias = Callable[[Request], Awaitable[Response]]


class AccountBody(Struct, rename="camel"):
    """What POST `/sandbox/accounts` takes."""

    phone: str = ""
    email: str = ""
    password: str = ""
    nickname: str = ""
    coins: Decimal = Decimal(0)
    vip_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    medals: tuple[str, ...] = ()
    device_id: Annotated[str, Meta(max_length=128)] = ""
    platform: Annotated[str, Meta(max_length=128)] = ""


class ClockBody(Struct):
    """What POST `/sandbox/clock` takes: one of both."""

    advance: float | None = None
    set: float | None = None


@dataclass(frozen=True, slots=True)
class Doors:
    """What the doors work on.

    Attributes:
        drain: has everything in the outbox delivered.
        empty: forgets everything that is stored.
    """

    inbox: Inbox
    clock: WoundClock
    provisioning: Provisioning
    drain: Callable[[], Awaitable[None]]
    empty: Callable[[], Awaitable[None]]

    def application(self) -> Starlette:
        """The ASGI application of all doors."""
        return Starlette(
            routes=[
                Route("/sandbox/outbox", plainly(self.outbox), methods=["GET"]),
                Route("/sandbox/outbox/wait", plainly(self.outbox_wait), methods=["GET"]),
                Route("/sandbox/accounts", plainly(self.accounts), methods=["POST"]),
                Route("/sandbox/reset", plainly(self.reset), methods=["POST"]),
                Route("/sandbox/clock", plainly(self.wind), methods=["POST"]),
            ]
        )

    async def outbox(self, request: Request) -> Response:
        """What was "sent", newest first."""
        await self.drain()
        return answer(self.inbox.show(_wanted(request)))

    async def outbox_wait(self, request: Request) -> Response:
        """The next message that matches; 408 when none comes in time."""
        seconds = number_in(request, "timeout", 30.0, LONGEST_WAIT_SECONDS)
        await self.drain()
        entry = await self.inbox.wait(_wanted(request), seconds)
        if entry is None:
            return answer_problem(408, "没有等到消息 / no message came in time")
        return answer(entry)

    async def accounts(self, request: Request) -> Response:
        """Makes an account: → {id, token}."""
        body = await read(request, AccountBody)
        made = await self.provisioning.make(
            AccountWanted(
                phone=body.phone,
                email=body.email,
                password=body.password,
                nickname=body.nickname,
                coins=body.coins,
                vip_days=body.vip_days,
                medals=body.medals,
                device_id=body.device_id,
                platform=body.platform,
            )
        )
        return answer({"id": str(made.id), "token": made.token})

    async def reset(self, _request: Request) -> Response:
        """Forgets everything: accounts, messages, and how far the clock was moved."""
        await self.empty()
        self.inbox.clear()
        self.clock.unwind()
        return answer({})

    async def wind(self, request: Request) -> Response:
        """Moves the clock: → {now}."""
        body = await read(request, ClockBody)
        if (body.advance is None) == (body.set is None):
            raise BadRequest("advance 或 set 二选一 / give advance or set, one of both")
        aim = body.set if body.set is not None else self.clock.now() + (body.advance or 0)
        if not 0 <= aim <= LATEST_TIME:
            raise BadRequest(f"时间超出范围 / the time must lie between 0 and {LATEST_TIME}")
        self.clock.set(aim)
        return answer({"now": int(self.clock.now())})


def plainly(door: Door) -> Door:
    """Answers what a door cannot do with 400 or 409 and a sentence."""

    async def answered(request: Request) -> Response:
        try:
            return await door(request)
        except BadRequest as error:
            return answer_problem(400, str(error))
        except InvalidField as error:
            return answer_problem(400, f"{error.field} 的值非法 / the value is not valid")
        except (PhoneTaken, EmailTaken) as error:
            return answer_problem(409, f"{_TAKEN[type(error)]} 已被使用 / is taken already")

    return answered


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    since = int(number_in(request, "since", 0, LATEST_TIME))
    return Wanted(query.get("channel", ""), query.get("to", ""), since)
