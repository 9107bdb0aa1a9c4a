"""Snapshots: save the whole state under a name, restore it, take its file along."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from hupan.sandbox.snapshots import Snapshots
from hupan.web.forms import FormState
from hupan.web.pages import Fields, PageSet
from hupan.web.sandbox.requests import about_field


@dataclass(frozen=True, slots=True)
class SnapshotPages:
    """The page of snapshots, and the forms on it."""

    pages: PageSet
    snapshots: Snapshots

    async def show(self, request: Request, form: FormState) -> Response:
        """Show the snapshots by name."""
        listed = await self.snapshots.list_all()
        names = {one.name for one in listed}
        saved, restored = (request.query_params.get(name, "") for name in ("saved", "restored"))
        return self.pages.render(
            request,
            "sandbox/snapshots.html",
            page="snapshots",
            form=form,
            snapshots=listed,
            saved=saved if saved in names else "",
            restored=restored if restored in names else "",
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
