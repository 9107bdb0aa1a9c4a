"""Renders pages: templates, language, navigation, times and errors.

Every area of pages (sandbox, account, console) has its own `PageSet`: a prefix, a catalogue and
what its layout shows on each page.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from pathlib import Path
from secrets import token_hex
from typing import TypeAlias
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from hupan.clock import Clock
from hupan.errors import Busy
from hupan.localized import LocalizedText
from hupan.model import StoreUnavailable
from hupan.web.assets import Assets
from hupan.web.catalogue import (
    HTML_LANGUAGES,
    LANGUAGE_COOKIE,
    LANGUAGE_PARAMETER,
    Texts,
    choose_language,
)
from hupan.web.forms import (
    FieldRefused,
    FormRefused,
    FormState,
    Submissions,
    Upload,
    Uploads,
    read_form,
)
from hupan.web.headers import PageHeadersMiddleware
from hupan.web.texts import SHARED_TEXTS
from hupan.web.times import Times

TEMPLATES = Path(__file__).parent / "templates"
_COOKIE_SECONDS = 365 * 24 * 3600
_log = logging.getLogger("hupan.web")
Fields: TypeAlias = Mapping[str, str]
Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Show: TypeAlias = Callable[[Request, FormState], Awaitable[Response]]
Act: TypeAlias = Callable[[Request, Fields], Awaitable[Response]]
ActOnFile: TypeAlias = Callable[[Request, Fields, Upload], Awaitable[Response]]
_ERROR_TEXTS = {
    HTTPStatus.NOT_FOUND: "error_not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "error_wrong_method",
    HTTPStatus.SERVICE_UNAVAILABLE: "error_busy",
}


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A page in the navigation.

    Attributes:
        name: the name of the page, and of its text `nav_NAME`.
        path: below the prefix.
    """

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class PageSet:
    """Pages with one layout.

    Attributes:
        assets: style sheet and modules, and the prefix.
        layout: the name of the template that all pages extend.
        texts: the catalogue of these pages; that of all pages is added.
        navigation: the pages in their order.
        clock: the server's time.
        zone: the server's time zone.
        layout_values: returns what the layout shows on each page.
    """

    assets: Assets
    layout: str
    texts: Mapping[str, LocalizedText]
    navigation: tuple[NavigationEntry, ...]
    clock: Clock
    zone: ZoneInfo
    layout_values: Callable[[], Mapping[str, object]]
    submissions: Submissions = field(default_factory=Submissions)
    uploads: Uploads = field(default_factory=Uploads)

    @property
    def prefix(self) -> str:
        return self.assets.prefix

    def render(
        self,
        request: Request,
        template: str,
        *,
        page: str,
        form: FormState,
        **values: object,
    ) -> Response:
        """Return a page.

        Args:
            request: decides the language.
            template: the name of the file below `templates/`.
            page: the name of the entry in the navigation.
            form: what was typed into a refused form, and why it was refused.
            values: what the template shows.
        """
        texts = Texts({**SHARED_TEXTS, **self.texts}, choose_language(request))
        body = (
            _environment()
            .get_template(template)
            .render(
                {
                    "t": texts,
                    "html_language": HTML_LANGUAGES[texts.language],
                    "layout": self.layout,
                    "page": page,
                    "prefix": self.prefix,
                    "asset": self.assets.url,
                    "navigation": self.navigation,
                    "times": Times(self.zone, self.clock.now()),
                    "language_links": _language_links(request),
                    "new_token": self.submissions.issue,
                    "problem": form.problem,
                    "typed": form.typed,
                    **self.layout_values(),
                    **values,
                }
            )
        )
        return HTMLResponse(body, form.http_status, headers={"vary": "accept-language, cookie"})

    def redirect(self, path: str, **query: str) -> Response:
        """Return the page that the browser requests after a form."""
        address = f"{self.prefix}{path}"
        return RedirectResponse(f"{address}?{urlencode(query)}" if query else address, 303)

    def error(
        self, request: Request, http_status: int, text: str, *, error_id: str = ""
    ) -> Response:
        """Return the page of an error.

        Args:
            request: decides the language.
            http_status: the status of the response.
            text: the name of the sentence in the catalogue.
            error_id: finds the error in the log; "" creates one for this page only.
        """
        return self.render(
            request,
            "error.html",
            page="",
            form=FormState(http_status=http_status),
            sentence=text,
            status=http_status,
            error_id=error_id or token_hex(4),
        )

    def build_app(self, routes: list[Route], outside: Sequence[Route] = ()) -> ASGIApp:
        """Return the application of all routes below the prefix, whose errors are pages, too."""
        app = Starlette(
            routes=[*outside, Mount(self.prefix, routes=[self.assets.route(), *routes])],
            exception_handlers={
                HTTPException: self._on_http_error,
            },
        )
        return PageHeadersMiddleware(app)

    def page(self, path: str, show: Show) -> Route:
        """Return the route of a page; a link with a language sets it and leads back."""

        async def handle(request: Request) -> Response:
            language = request.query_params.get(LANGUAGE_PARAMETER)
            if language in HTML_LANGUAGES:
                return self._set_language(request, str(language))
            return await show(request, FormState())

        return Route(path, self._answer_errors(handle), methods=["GET"])

    def action(self, path: str, act: Act, show: Show) -> Route:
        """Return the route of a form, which acts once; a refused one is shown again."""

        async def handle(request: Request) -> Response:
            fields = await read_form(request)
            return await self._submit(request, fields, lambda: act(request, fields), show)

        return Route(path, self._answer_errors(handle), methods=["POST"])

    def file_action(self, path: str, act: ActOnFile, show: Show, max_bytes: int) -> Route:
        """Return the route of a form with a file of at most `max_bytes` in its field `file`."""

        async def handle(request: Request) -> Response:
            try:
                fields, upload = await self.uploads.read_form(request, max_bytes)
            except FieldRefused as refusal:
                return await show(request, FormState({}, refusal.problem, refusal.http_status))
            return await self._submit(request, fields, lambda: act(request, fields, upload), show)

        return Route(path, self._answer_errors(handle), methods=["POST"])

    async def _submit(
        self, request: Request, fields: Fields, act: Callable[[], Awaitable[Response]], show: Show
    ) -> Response:
        token = self.submissions.check(fields)

        async def act_or_explain() -> Response:
            try:
                return await act()
            except FieldRefused as refusal:
                return await show(request, FormState(fields, refusal.problem, refusal.http_status))

        outcome = await self.submissions.submit(token, act_or_explain)
        return RedirectResponse(outcome, 303) if isinstance(outcome, str) else outcome

    def _answer_errors(self, handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except FormRefused as refusal:
                return self.error(request, refusal.http_status, refusal.text)
            except (Busy, StoreUnavailable):
                return self.error(request, 503, "error_busy")
            except (HTTPException, ClientDisconnect):
                raise
            except Exception as error:  # noqa: BLE001 - a page says so, the log has the rest
                number = token_hex(4)
                _log.error("page error %s", number, exc_info=error)
                return self.error(request, 500, "error_accident", error_id=number)

        return handle

    def _set_language(self, request: Request, language: str) -> Response:
        rest = [
            pair for pair in request.query_params.multi_items() if pair[0] != LANGUAGE_PARAMETER
        ]
        path = request.url.path
        response = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, 303)
        response.set_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=_COOKIE_SECONDS,
            path=self.prefix,
            httponly=True,
            samesite="lax",
        )
        return response

    async def _on_http_error(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        text = _ERROR_TEXTS.get(HTTPStatus(error.status_code), "error_refused")
        response = self.error(request, error.status_code, text)
        response.headers.update(error.headers or {})
        return response


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _language_links(request: Request) -> Mapping[str, str]:
    """Return the address of the same page in each language."""
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != LANGUAGE_PARAMETER]
    path = request.url.path
    return {
        language: f"{path}?{urlencode([*kept, (LANGUAGE_PARAMETER, language)])}"
        for language in HTML_LANGUAGES
    }
