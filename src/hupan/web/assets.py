"""Style sheets, modules and icons of pages, under addresses that change with their content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Assets:
    """The files, read once.

    Attributes:
        prefix: the path of the pages, without a slash at its end.
        contents: the files by name.
        version: a hash of all of them.
    """

    prefix: str
    contents: Mapping[str, bytes]
    version: str

    def url(self, name: str) -> str:
        """Return the address of a file.

        Raises:
            KeyError: there is no such file.
        """
        self.contents[name]
        return f"{self.prefix}/static/{self.version}/{name}"

    def route(self) -> Route:
        """Return the route below the prefix."""
        return Route("/static/{version}/{name}", self.serve, methods=["GET"])

    async def serve(self, request: Request) -> Response:
        """Return a file; the browser must not cache one of another version."""
        name = request.path_params["name"]
        content = self.contents.get(name)
        if content is None:
            return Response("", 404, media_type="text/plain")
        is_current = request.path_params["version"] == self.version
        caching = "public, max-age=31536000, immutable" if is_current else "no-store"
        media_type = MEDIA_TYPES[Path(name).suffix]
        return Response(content, headers={"cache-control": caching}, media_type=media_type)


@cache
def _read_contents() -> Mapping[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in sorted(FOLDER.iterdir())
        if path.suffix in MEDIA_TYPES
    }


def load_assets(prefix: str) -> Assets:
    """Read the files of all pages."""
    contents = _read_contents()
    digest = hashlib.sha256(b"\0".join(contents.values())).hexdigest()
    return Assets(prefix, contents, digest[:_HASH_CHARACTERS])
