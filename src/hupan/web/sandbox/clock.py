"""The clock: frozen or running, moved ahead, and what is pending."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from hupan.localized import LocalizedText
from hupan.rules import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from hupan.sandbox.clock import SandboxClock
from hupan.web.catalogue import choose_language
from hupan.web.forms import FieldRefused, FormState, read_decimal
from hupan.web.pages import Fields, PageSet
from hupan.web.sandbox.requests import about_field

STEPS: Final = (
    ("step_minute", MINUTE_SECONDS),
    ("step_five_minutes", 5 * MINUTE_SECONDS),
    ("step_hour", HOUR_SECONDS),
    ("step_day", DAY_SECONDS),
    ("step_month", 30 * DAY_SECONDS),
)
UNITS: Final = {
    "seconds": 1,
    "minutes": MINUTE_SECONDS,
    "hours": HOUR_SECONDS,
    "days": DAY_SECONDS,
}
MAX_SHOWN: Final = 30
MAX_STEP: Final = 10**9


@dataclass(frozen=True, slots=True)
class ClockPages:
    """The page of the clock, and the forms on it."""

    pages: PageSet
    clock: SandboxClock
    zone: ZoneInfo

    async def show(self, request: Request, form: FormState) -> Response:
        """Show the time and the next events."""
        status = await self.clock.read(english=choose_language(request) == "en")
        return self.pages.render(
            request,
            "sandbox/clock.html",
            page="clock",
            form=form,
            pending=status.pending[:MAX_SHOWN],
            steps=STEPS,
            units=tuple(UNITS),
        )

    async def move(self, _request: Request, fields: Fields) -> Response:
        """Move, freeze or unfreeze the clock, as POST `/sandbox/clock` does."""
        match fields.get("act"):
            case "freeze":
                await self.clock.move(freeze=True)
            case "unfreeze":
                await self.clock.move(freeze=False)
            case "set":
                await about_field("time", self.clock.move(to=self._read_time(fields)))
            case _:
                unit = UNITS.get(fields.get("unit", ""), 1)
                amount = float(read_decimal(fields, "amount", MAX_STEP))
                await about_field("amount", self.clock.move(advance=amount * unit))
        return self.pages.redirect("/clock")

    def _read_time(self, fields: Fields) -> float:
        """Return the time of the form, in the server's zone unless it names another.

        Raises:
            FieldRefused: it is not a time.
        """
        try:
            parsed = datetime.fromisoformat(fields.get("time", ""))
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=self.zone)).timestamp()
        except (ValueError, OverflowError) as error:
            raise FieldRefused(
                "time",
                LocalizedText(
                    "须为时间，如 2026-12-31 18:00", "must be a time such as 2026-12-31 18:00"
                ),
            ) from error
