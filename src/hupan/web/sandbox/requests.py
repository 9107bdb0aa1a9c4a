"""What pages read of a request besides its form."""

import re
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from hupan.errors import EmailTaken, InvalidField, PhoneTaken
from hupan.localized import LocalizedText
from hupan.sandbox.routes import EXPECTED_ERRORS, BadRequest, describe_error, explain_field
from hupan.web.forms import FieldRefused

VALUE_TAKEN = LocalizedText("已被另一个账号使用", "Another account uses this already")
Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")
_NUMBER = re.compile("[1-9][0-9]{0,14}")


def base_url(request: Request) -> str:
    """Return the address by which the browser reached the sandbox; its name was checked before."""
    return f"{request.url.scheme}://{request.headers['host']}"


def positive_number(request: Request, name: str) -> int:
    """Return a number of the query, 0 if there is none."""
    text = request.query_params.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else 0


async def about_field(field: str, work: Awaitable[Result]) -> Result:
    """Run a function and return its result; a refusal of the route becomes one of a field.

    Raises:
        FieldRefused: with the sentence of the route.
    """
    try:
        return await work
    except BadRequest as error:
        raise FieldRefused(field, LocalizedText(error.zh, error.en), error.status) from error


def explained(
    act: Callable[Parameters, Awaitable[Response]],
) -> Callable[Parameters, Awaitable[Response]]:
    """Return a form's action whose expected errors name the field they are about."""

    async def act_or_explain(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Response:
        try:
            return await act(*args, **kwargs)
        except InvalidField as error:
            raise FieldRefused(error.field, explain_field(error.field)) from error
        except (PhoneTaken, EmailTaken) as error:
            field = "phone" if isinstance(error, PhoneTaken) else "email"
            raise FieldRefused(field, VALUE_TAKEN, 409) from error
        except EXPECTED_ERRORS as error:
            http_status, zh, en = describe_error(error)
            raise FieldRefused("", LocalizedText(zh, en), http_status) from error

    return act_or_explain
