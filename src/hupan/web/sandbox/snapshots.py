"""Snapshots: save the whole state under a name, restore it, download its file, upload one."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from hupan.localized import LocalizedText
from hupan.sandbox.routes import BadRequest
from hupan.sandbox.snapshots import (
    MAX_NAME_CHARACTERS,
    SNAPSHOT_SUFFIX,
    InvalidName,
    Snapshots,
)
from hupan.web.forms import FieldRefused, FormState, Upload
from hupan.web.pages import Fields, PageSet
from hupan.web.sandbox.requests import about_field

_DONE: Final = ("saved", "restored", "uploaded")
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9._-]+")
_NO_FILE: Final = LocalizedText("请选择快照文件", "Choose a snapshot file")
_NO_NAME: Final = LocalizedText(
    "文件名中没有可用的字符，请填写名称",
    "The file name has no usable characters: enter a name",
)


@dataclass(frozen=True, slots=True)
class SnapshotPages:
    """The page of snapshots, and the forms on it."""

    pages: PageSet
    snapshots: Snapshots

    async def show(self, request: Request, form: FormState) -> Response:
        """Show the snapshots by name."""
        listed = await self.snapshots.list_all()
        names = {one.name for one in listed}
        done, name = next(
            ((act, request.query_params[act]) for act in _DONE if act in request.query_params),
            ("", ""),
        )
        return self.pages.render(
            request,
            "sandbox/snapshots.html",
            page="snapshots",
            form=form,
            snapshots=listed,
            done=done if name in names else "",
            name=name,
        )

    async def change(self, _request: Request, fields: Fields) -> Response:
        """Save, restore or delete, as the routes below `/sandbox/snapshots` do."""
        name = fields.get("name", "")
        match fields.get("act"):
            case "restore":
                await self.snapshots.restore(name)
                return self.pages.redirect("/snapshots", restored=name)
            case "delete":
                await self.snapshots.delete(name)
                return self.pages.redirect("/snapshots")
            case _:
                await about_field("name", self.snapshots.save(name))
                return self.pages.redirect("/snapshots", saved=name)

    async def upload(self, _request: Request, fields: Fields, upload: Upload) -> Response:
        """Keep a file, as PUT `/sandbox/snapshots/NAME` does."""
        if not upload.content:
            raise FieldRefused("file", _NO_FILE)
        typed = fields.get("upload-name", "")
        name = typed or name_from_file(upload.name)
        if not name:
            raise FieldRefused("upload-name", _NO_NAME)
        try:
            await self.snapshots.put(name, upload.content)
        except InvalidName as error:
            raise FieldRefused("upload-name", LocalizedText(error.zh, error.en)) from error
        except BadRequest as error:
            raise FieldRefused("file", LocalizedText(error.zh, error.en), error.status) from error
        return self.pages.redirect("/snapshots", uploaded=name)


def name_from_file(file_name: str) -> str:
    """Return the name of a snapshot after that of its file, "" if no character is usable."""
    base = file_name.replace("\\", "/").rpartition("/")[2].removesuffix(SNAPSHOT_SUFFIX)
    return _FOREIGN.sub("-", base).strip("._-")[:MAX_NAME_CHARACTERS]
