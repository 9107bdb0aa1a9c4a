"""Third-party parts are listed, licensed, locked and audited (security L5).

The story: an action that thousands of builds used by its tag was moved to another commit for some
hours, and wrote the secrets of each into its log. A tag is a name; a hash is the thing.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from supply.audit import CLEAN, HOLES, NOT_LOOKED_AT, told
from supply.licences import page
from supply.packages import LOCK, packages
from supply.sbom import sbom

PERMISSIVE = {
    *("MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "PSF-2.0"),
    *("Unlicense", "any-OSI"),
}
PIN = re.compile(r"^([a-z0-9-]+)==([^\s;]+)", re.MULTILINE)
USES = re.compile(r"^\s*-?\s*uses:\s*(\S+)", re.MULTILINE)
PINNED = re.compile(r"(?:\./\S+|[^@\s]+@[0-9a-f]{40})")


def unpinned(workflow: str) -> list[str]:
    """Return the actions of a workflow that their author can change."""
    return [action for action in USES.findall(workflow) if not PINNED.fullmatch(action)]


def test_the_bill_lists_exactly_the_locked_packages() -> None:
    """It has name, version and hashes of requirements/runtime.txt (L5)."""
    lock, bill = LOCK.read_text("utf-8"), sbom()
    listed = {(one["name"], one["version"]) for one in bill["components"]}
    assert listed == set(PIN.findall(lock))
    assert len(bill["components"]) == len(listed)
    hashes = [
        digest["content"]
        for one in bill["components"]
        for reference in one["externalReferences"]
        for digest in reference["hashes"]
    ]
    assert sorted(hashes) == sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))


def test_the_bill_is_whole() -> None:
    """References lead to existing components, and each component is reached (L5)."""
    bill = sbom()
    refs = {one["bom-ref"] for one in bill["components"]}
    asked = {ref for line in bill["dependencies"] for ref in line["dependsOn"]}
    assert {line["ref"] for line in bill["dependencies"]} == refs | {"hupan"}
    assert asked <= refs
    assert bill == json.loads(json.dumps(sbom()))


def test_every_licence_is_one_that_we_may_ship() -> None:
    """Each package of the lock declares a licence that is compatible with ours (L5)."""
    words = {one.name: set(re.split(r" (?:AND|OR) ", one.licence)) for one in packages()}
    assert {name: found for name, found in words.items() if found - PERMISSIVE} == {}


def test_the_page_on_licences_is_what_the_lock_makes(root: Path) -> None:
    """`make docs` changes nothing."""
    assert (root / "docs/licences.md").read_text("utf-8") == page()


def test_every_action_is_pinned_by_its_hash(root: Path) -> None:
    """A workflow runs reviewed code, without write permission or secrets (security L5)."""
    workflows = {path.name: path.read_text("utf-8") for path in (root / ".github").rglob("*.yml")}
    assert {"ci.yml", "audit.yml"} <= set(workflows)
    assert {name: found for name, text in workflows.items() if (found := unpinned(text))} == {}
    for text in workflows.values():
        assert "permissions:\n  contents: read\n" in text
        assert not re.search(r"secrets\.|pull_request_target|: write", text)


@pytest.mark.parametrize("action", ["actions/checkout@v4", "a/b@main", "a/b", f"a/b@{'a' * 39}"])
def test_an_action_by_its_tag_is_seen(action: str) -> None:
    """A version, a branch, no reference and a shortened hash are not fixed."""
    assert unpinned(f"steps:\n  - uses: {action}\n") == [action]
    assert unpinned(f"steps:\n  - uses: a/b@{'a' * 40} # v4\n") == []


HOLE = {"id": "PYSEC-1", "fix_versions": ["2"]}


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], CLEAN),
        ([{"name": "a", "version": "1", "vulns": [HOLE]}], HOLES),
        ([{"name": "a", "skip_reason": "not found"}], NOT_LOOKED_AT),
        (
            [{"name": "a", "version": "1", "vulns": [HOLE]}, {"name": "b", "skip_reason": "x"}],
            HOLES,
        ),
        ([], NOT_LOOKED_AT),
    ],
)
def test_an_audit_that_saw_nothing_is_not_clean(found: list[dict[str, Any]], status: int) -> None:
    """An unreachable database is not reported as a lock without vulnerabilities (security L5)."""
    assert told("runtime.txt", found) == status
