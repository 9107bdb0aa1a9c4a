"""The journal: requests and socket messages, live, each taken apart on a page of its own."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hupan.sandbox.decoding import EntryView, FieldView
from hupan.sandbox.journal import RESULT_CLASSES, EntryFilter
from hupan.sandbox.requests import JournalRoutes
from hupan.web.catalogue import choose_language
from hupan.web.forms import FormState
from hupan.web.pages import Fields, PageSet
from hupan.web.sandbox.requests import positive_number

PAGE_SIZE: Final = 20
MAX_UNSERVED: Final = 20
MAX_SHOWN_FIELDS: Final = 100
MAX_SHOWN_CHARACTERS: Final = 8000
"""Of a body as it was sent; the route has the rest."""


@dataclass(frozen=True, slots=True)
class JournalPages:
    """The list of entries, and one of them."""

    pages: PageSet
    routes: JournalRoutes

    async def show(self, request: Request, form: FormState) -> Response:
        """Show entries, newest first, and the paths that are not served."""
        query = request.query_params
        path, account = query.get("path", "").strip(), query.get("account", "").strip()
        result = query.get("result", "")
        wanted = EntryFilter(path, account, result if result in RESULT_CLASSES else "")
        below_id = positive_number(request, "below")
        found = self.routes.journal.list_matching(wanted, limit=PAGE_SIZE + 1, below_id=below_id)
        views = self._explain(request, [entry.id for entry in found[:PAGE_SIZE]])
        older = {"path": path, "account": account, "result": wanted.result}
        return self.pages.render(
            request,
            "sandbox/requests.html",
            page="requests",
            form=form,
            entries=views,
            older=f"{self.pages.prefix}/requests?{urlencode({**older, 'below': views[-1].id})}"
            if found[PAGE_SIZE:]
            else "",
            wanted=wanted,
            results=RESULT_CLASSES,
            is_filtered=bool(path or account or wanted.result or below_id),
            unserved=self.routes.list_unserved().paths[:MAX_UNSERVED],
            base_url=f"{request.url.scheme}://{request.headers['host']}",
        )

    async def show_entry(self, request: Request, form: FormState) -> Response:
        """Show one entry with all that is known of it."""
        views = self._explain(request, [request.path_params["number"]])
        if not views:
            raise HTTPException(404)
        return self.pages.render(
            request,
            "sandbox/request.html",
            page="requests",
            form=form,
            entry=views[0],
            value_text=_value_text,
            max_fields=MAX_SHOWN_FIELDS,
            max_characters=MAX_SHOWN_CHARACTERS,
        )

    async def clear(self, _request: Request, _fields: Fields) -> Response:
        """Forget all entries, as DELETE `/sandbox/requests` does."""
        self.routes.journal.clear()
        return self.pages.redirect("/requests")

    def _explain(self, request: Request, ids: list[int]) -> list[EntryView]:
        entries = [entry for one in ids if (entry := self.routes.journal.find(one)) is not None]
        return self.routes.explain(entries, english=choose_language(request) == "en")


def _value_text(field: FieldView) -> str:
    """Return the value of a field as JSON, "" for one that holds others."""
    if isinstance(field.value, (dict, list)) or (field.value is None and field.mark == "missing"):
        return ""
    return msgspec.json.encode(field.value).decode()
