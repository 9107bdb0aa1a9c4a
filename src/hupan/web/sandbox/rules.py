"""Answers for paths that Hupan does not serve: show the rules, add rules, remove them."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec
from msgspec import UNSET, Raw
from starlette.requests import Request
from starlette.responses import Response

from hupan.localized import LocalizedText
from hupan.sandbox.rules import Rule, RuleRoutes
from hupan.web.forms import FieldRefused, FormState, read_integer
from hupan.web.pages import Fields, PageSet

NOT_JSON = LocalizedText("须为 JSON", "must be JSON")


@dataclass(frozen=True, slots=True)
class ShownRule:
    """A rule as a row: where it applies, and what it answers."""

    rule: Rule

    @property
    def answer(self) -> str:
        """The JSON, the address or the type of the answer."""
        rule = self.rule
        if rule.forward is not None:
            return rule.forward
        return rule.content_type or "" if rule.json is UNSET else bytes(rule.json).decode()


@dataclass(frozen=True, slots=True)
class RulePages:
    """The page of rules, and the forms on it."""

    pages: PageSet
    routes: RuleRoutes

    async def show(self, request: Request, form: FormState) -> Response:
        """Show the rules with their hits; a link may name the path of a new one."""
        if not form.typed:
            asked = {name: request.query_params.get(name, "") for name in ("method", "path")}
            form = FormState({**asked, "json": '{"code": 1, "msg": "success"}'})
        return self.pages.render(
            request,
            "sandbox/rules.html",
            page="requests",
            form=form,
            rules=[ShownRule(rule) for rule in self.routes.rules.list_rules()],
        )

    async def change(self, request: Request, fields: Fields) -> Response:
        """Add, remove or clear rules, as PUT `/sandbox/rules` does."""
        kept = self.routes.rules.list_rules()
        match fields.get("act"):
            case "clear":
                encoded = []
            case "remove":
                number = read_integer(fields, "number", len(kept))
                encoded = [Raw(msgspec.json.encode(one)) for one in kept]
                del encoded[number - 1 : number]
            case _:
                encoded = [Raw(msgspec.json.encode(one)) for one in kept]
                encoded.append(Raw(msgspec.json.encode(_read_rule(fields))))
        self.routes.replace(msgspec.json.encode(encoded), request)
        return self.pages.redirect("/rules")


def _read_rule(fields: Fields) -> dict[str, object]:
    """Return the rule of the form; empty fields are absent, and an address excludes an answer.

    Raises:
        FieldRefused: the status is not a number, or the answer is not JSON.
    """
    rule: dict[str, object] = {"path": fields.get("path", "")}
    rule |= {name: fields[name] for name in ("method", "forward") if fields.get(name)}
    if fields.get("status"):
        rule["status"] = read_integer(fields, "status", HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED)
    if not fields.get("forward"):
        text = fields.get("json", "") or "{}"
        try:
            msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise FieldRefused("json", NOT_JSON) from error
        rule["json"] = Raw(text.encode())
    return rule
