"""What pages read of a request besides its form."""

import re

from starlette.requests import Request

_NUMBER = re.compile("[1-9][0-9]{0,14}")


def base_url(request: Request) -> str:
    """Return the address by which the browser reached the sandbox; its name was checked before."""
    return f"{request.url.scheme}://{request.headers['host']}"


def positive_number(request: Request, name: str) -> int:
    """Return a number of the query, 0 if there is none."""
    text = request.query_params.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else 0
