"""The journal: requests and socket messages, live, each decoded on a separate page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec
from markupsafe import escape
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
MAX_TEXT_BYTES: Final = 5000
"""The part of a raw body that a page shows; the route has the rest (web.md W-11)."""
MAX_FIELD_BYTES: Final = 8000
MAX_HEADER_BYTES: Final = 3000
MAX_VALUE_CHARACTERS: Final = 400
_ROW_BYTES: Final = 200
MAX_LINK_CHARACTERS: Final = 500
_Part = TypeVar("_Part")


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
            max_link=MAX_LINK_CHARACTERS,
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
            fields_of=_light_fields,
            headers_of=_light_headers,
            cut=_cut,
        )

    async def clear(self, _request: Request, _fields: Fields) -> Response:
        """Forget all entries, as DELETE `/sandbox/requests` does."""
        self.routes.journal.clear()
        return self.pages.redirect("/requests")

    def _explain(self, request: Request, ids: list[int]) -> list[EntryView]:
        entries = [entry for one in ids if (entry := self.routes.journal.find(one)) is not None]
        return self.routes.explain(entries, english=choose_language(request) == "en")


def _size(text: str) -> int:
    """Return the bytes that a text occupies in a page."""
    return len(escape(text).encode())


def _cut(text: str) -> str:
    """Return as much of a text as a page has room for."""
    text = text[:MAX_TEXT_BYTES]
    while (size := _size(text)) > MAX_TEXT_BYTES:
        text = text[: len(text) * MAX_TEXT_BYTES // size - 1]
    return text


def _light(parts: Iterable[tuple[_Part, int]], max_bytes: int) -> list[_Part]:
    """Return the first parts, which together take no more bytes than given."""
    shown: list[_Part] = []
    for part, size in parts:
        max_bytes -= size
        if max_bytes < 0:
            break
        shown.append(part)
    return shown


def _light_fields(fields: Sequence[FieldView]) -> list[FieldView]:
    sizes = (
        _size(f"{one.path}{one.name}{_value_text(one)[:MAX_VALUE_CHARACTERS]}{one.note}")
        for one in fields
    )
    return _light(
        ((one, size + _ROW_BYTES) for one, size in zip(fields, sizes, strict=True)), MAX_FIELD_BYTES
    )


def _light_headers(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    shown = [(name, value[:MAX_VALUE_CHARACTERS]) for name, value in headers]
    return _light(((one, _size("".join(one)) + _ROW_BYTES // 4) for one in shown), MAX_HEADER_BYTES)


def _value_text(field: FieldView) -> str:
    """Return the value of a field as JSON, "" for one that holds others."""
    if isinstance(field.value, (dict, list)) or (field.value is None and field.mark == "missing"):
        return ""
    return msgspec.json.encode(field.value).decode()
