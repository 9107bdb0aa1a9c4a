"""Faults on demand: show the rules with their hits, add rules, remove them."""

from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hupan.sandbox.faults import RESETS, FaultRule, Faults, parse_rules
from hupan.web.forms import FormState, read_decimal, read_integer
from hupan.web.pages import Fields, PageSet

MAX_NUMBER: Final = 2**31 - 1
NUMBERS: Final = ("nth", "code", "httpStatus", "delayMs", "truncate", "trickle")
SHOWN: Final = (
    *("nth", "probability", "code", "httpStatus", "delayMs"),
    *("reset", "truncate", "garble", "trickle"),
)


@dataclass(frozen=True, slots=True)
class FaultPages:
    """The page of faults, and the forms on it."""

    pages: PageSet
    faults: Faults

    async def show(self, request: Request, form: FormState) -> Response:
        """Show the rules with their hits."""
        rules = self.faults.list_rules()
        return self.pages.render(
            request,
            "sandbox/faults.html",
            page="faults",
            form=form,
            rules=[(rule, _describe(rule)) for rule in rules],
            resets=RESETS,
        )

    async def change(self, _request: Request, fields: Fields) -> Response:
        """Add, remove or clear rules, as PUT `/sandbox/faults` does."""
        kept = [msgspec.to_builtins(rule) for rule in self.faults.list_rules()]
        match fields.get("act"):
            case "clear":
                kept = []
            case "remove":
                number = read_integer(fields, "number", len(kept))
                kept = [rule for index, rule in enumerate(kept, 1) if index != number]
            case _:
                kept.append(_read_rule(fields))
        self.faults.replace(parse_rules(msgspec.json.encode(kept)))
        return self.pages.redirect("/faults")


def _read_rule(fields: Fields) -> dict[str, object]:
    """Return the rule of the form; empty fields are absent.

    Raises:
        FieldRefused: a field contains no number.
    """
    rule: dict[str, object] = {
        name: fields[name] for name in ("path", "account", "reset") if fields.get(name)
    }
    rule |= {name: read_integer(fields, name, MAX_NUMBER) for name in NUMBERS if fields.get(name)}
    if fields.get("probability"):
        rule["probability"] = float(read_decimal(fields, "probability", 1))
    if fields.get("garble"):
        rule["garble"] = True
    return rule


def _describe(rule: FaultRule) -> list[tuple[str, object]]:
    """Return what a rule does, as names and values of the route."""
    values: dict[str, object] = msgspec.to_builtins(rule)
    return [(name, values[name]) for name in SHOWN if name in values]
