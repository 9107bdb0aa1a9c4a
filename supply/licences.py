"""The page on licences."""

from supply.packages import direct, packages

_HEAD = """# Licences

Made from the lock by `make docs`. Hupan itself is under the [MIT licence](../LICENSE); these
are the packages that the server runs with, each under its own. `make sbom` writes the same for
programs.

| package | version | licence (SPDX) | asked for by |
|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    found, ours = packages(), direct()
    rows = []
    for package in found:
        askers = ["hupan"] * (package.name in ours)
        askers += [other.name for other in found if package.name in other.needs]
        where = f" ({package.only_if})" if package.only_if else ""
        rows.append(
            f"| {package.name}{where} | {package.version} | {package.licence} "
            f"| {', '.join(askers) or 'a package on other systems'} |\n"
        )
    return _HEAD + "".join(rows)
