"""The doors of the sandbox, under `/sandbox` (design, section 8)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypeAlias, cast, get_args

from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hupan.clock import WoundClock
from hupan.domain.arrivals import Arrivals
from hupan.domain.provisioning import AccountWanted
from hupan.domain.refusals import Busy, EmailTaken, InvalidField, PhoneTaken
from hupan.domain.sessions import device
from hupan.model import Overtaken, StoreUnavailable
from hupan.sandbox.answers import BadRequest, answer, answer_problem, number_in, read, refuse_others
from hupan.sandbox.inbox import EntryChannel, Inbox, Wanted
from hupan.sandbox.packs import PACK_NAMES, PackName
from hupan.sandbox.seeding import Seeding, most_of

LONGEST_WAIT_SECONDS = 300.0
LATEST_TIME = 253_370_764_799
"""The end of the year 9998: dates end with the year 9999, and days have a day after."""

_TAKEN = {PhoneTaken: "phone", EmailTaken: "email"}
Door: TypeAlias = Callable[[Request], Awaitable[Response]]


class AccountBody(Struct, rename="camel"):
    """What POST `/sandbox/accounts` takes.

    Attributes:
        ban_reason: without `ban_days` the ban is for good.
        invited_by: the invitation code of another account.
    """

    phone: str = ""
    email: str = ""
    password: str = ""
    nickname: str = ""
    coins: float = 0
    vip_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    medals: tuple[str, ...] = ()
    ban_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    ban_reason: str = ""
    invited_by: str = ""
    device_id: str = ""
    platform: str = ""


class SeedBody(Struct):
    """What POST `/sandbox/seed` takes.

    Attributes:
        number: accounts, or groups of the pack `discovery`; without it the pack as it is.
    """

    pack: str
    number: Annotated[int, Meta(ge=1)] = 0


class EmptyBody(Struct):
    """What POST `/sandbox/reset` takes: nothing."""


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
        tidy: forgets what has expired, and erases cancelled accounts whose time has come.
    """

    inbox: Inbox
    clock: WoundClock
    arrivals: Arrivals
    seeding: Seeding
    drain: Callable[[], Awaitable[None]]
    empty: Callable[[], Awaitable[None]]
    tidy: Callable[[], Awaitable[None]]

    def application(self) -> Starlette:
        """The ASGI application of all doors."""
        return Starlette(
            routes=[
                Route("/sandbox/outbox", plainly(self.outbox), methods=["GET"]),
                Route("/sandbox/outbox/wait", plainly(self.outbox_wait), methods=["GET"]),
                Route("/sandbox/accounts", plainly(self.accounts), methods=["POST"]),
                Route("/sandbox/seed", plainly(self.seed), methods=["POST"]),
                Route("/sandbox/reset", plainly(self.reset), methods=["POST"]),
                Route("/sandbox/clock", plainly(self.wind), methods=["POST"]),
            ]
        )

    async def outbox(self, request: Request) -> Response:
        """What was "sent", newest first."""
        wanted = _wanted(request)
        await self.drain()
        return answer(self.inbox.show(wanted))

    async def outbox_wait(self, request: Request) -> Response:
        """The next message that matches; 408 when none comes in time."""
        seconds = number_in(request, "timeout", 30.0, LONGEST_WAIT_SECONDS)
        wanted = _wanted(request, "timeout")
        await self.drain()
        entry = await self.inbox.wait(wanted, seconds)
        if entry is None:
            return answer_problem(request, 408, "没有等到消息", "no message came in time")
        return answer(entry)

    async def accounts(self, request: Request) -> Response:
        """Makes an account: → {id, token}."""
        body = await read(request, AccountBody)
        on = device(body.device_id, body.platform)
        made = await self.arrivals.make(
            AccountWanted(
                phone=body.phone,
                email=body.email,
                password=body.password,
                nickname=body.nickname,
                coins=Decimal(str(body.coins)),
                vip_days=body.vip_days,
                medals=body.medals,
                ban_days=body.ban_days,
                ban_reason=body.ban_reason,
                invited_by=body.invited_by,
            ),
            on,
        )
        return answer({"id": str(made.id), "token": made.token})

    async def seed(self, request: Request) -> Response:
        """Plants a pack: → [{id, phone, email, password, token}]."""
        body = await read(request, SeedBody)
        refuse_others("value", [body.pack], PACK_NAMES)
        pack = cast("PackName", body.pack)
        if body.number > most_of(pack):
            most = most_of(pack)
            raise BadRequest(f"number 须为 1 到 {most}", f"number must be 1 to {most}")
        return answer(await self.seeding.plant(pack, body.number))

    async def reset(self, request: Request) -> Response:
        """Forgets everything: accounts, messages, and how far the clock was moved."""
        await read(request, EmptyBody)
        await self.empty()
        self.seeding.forget()
        self.inbox.clear()
        self.clock.unwind()
        return answer({})

    async def wind(self, request: Request) -> Response:
        """Moves the clock: → {now}; what has expired by then is forgotten at once."""
        body = await read(request, ClockBody)
        if (body.advance is None) == (body.set is None):
            raise BadRequest("advance 或 set 二选一", "give advance or set, one of both")
        aim = body.set if body.set is not None else self.clock.now() + (body.advance or 0)
        if not 0 <= aim <= LATEST_TIME:
            raise BadRequest(
                f"时间须在 0 到 {LATEST_TIME} 之间",
                f"the time must lie between 0 and {LATEST_TIME}",
            )
        self.clock.set(aim)
        await self.tidy()
        return answer({"now": int(self.clock.now())})


def plainly(door: Door) -> Door:
    """Answers what a door cannot do with 400, 409 or 503 and a sentence."""

    async def answered(request: Request) -> Response:
        try:
            if request.method == "POST":
                refuse_others("parameter", request.query_params, ())
            return await door(request)
        except BadRequest as error:
            status, zh, en = 400, error.zh, error.en
        except InvalidField as error:
            status, zh, en = (
                400,
                f"{error.field} 的值非法",
                f"the value of {error.field} is not valid",
            )
        except (PhoneTaken, EmailTaken) as error:
            taken = _TAKEN[type(error)]
            status, zh, en = 409, f"{taken} 已被使用", f"{taken} is taken already"
        except Overtaken:
            status, zh, en = 409, "另一个导入已开始", "another import of groups has begun"
        except (Busy, StoreUnavailable):
            zh, en = "服务器繁忙或无法保存", "the server is busy or cannot store"
            status = 503
        return answer_problem(request, status, zh, en)

    return answered


def _wanted(request: Request, *more: str) -> Wanted:
    query = request.query_params
    refuse_others("parameter", query, ("channel", "to", "since", *more))
    channel = query.get("channel", "")
    refuse_others("value", [channel], ("", *get_args(EntryChannel)))
    since = int(number_in(request, "since", 0, LATEST_TIME))
    return Wanted(channel, query.get("to", ""), since)
