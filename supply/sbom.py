"""The bill of materials of the server, as CycloneDX 1.6: `make sbom`.

Made from the lock and what the installed packages say, without the network, and the same whenever
the lock is the same.
"""

import hashlib
import json
import sys
import uuid
from typing import Any

from hupan import __version__
from supply.packages import LOCK, Package, direct, packages

_ROOT = "hupan"


def sbom() -> dict[str, Any]:
    """Return the bill."""
    found = packages()
    refs = {package.name: _purl(package) for package in found}
    serial = uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(LOCK.read_bytes()).hexdigest())
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": _ROOT,
                "name": _ROOT,
                "version": __version__,
                "licenses": [{"license": {"id": "MIT"}}],
            }
        },
        "components": [_component(package) for package in found],
        "dependencies": [
            {"ref": _ROOT, "dependsOn": [refs[name] for name in direct()]},
            *(
                {"ref": refs[one.name], "dependsOn": [refs[name] for name in one.needs]}
                for one in found
            ),
        ],
    }


def _component(package: Package) -> dict[str, Any]:
    is_plain = " " not in package.licence
    told = {"license": {"id": package.licence}} if is_plain else {"expression": package.licence}
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package.name,
        "version": package.version,
        "purl": _purl(package),
        "licenses": [told],
        # One of these files is installed; which, the system decides.
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{package.name}/{package.version}/",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.hashes],
            }
        ],
    }
    if package.only_if:
        component["properties"] = [{"name": "hupan:only-if", "value": package.only_if}]
    return component


def _purl(package: Package) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(sbom(), indent=2) + "\n")
