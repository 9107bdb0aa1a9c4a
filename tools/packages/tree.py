"""The tree that both packages install: the server and its locked libraries below /usr/lib/hupan."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.dist import build

ROOT: Final = Path(__file__).parents[2]
HOME: Final = Path("usr/lib/hupan")
SYSTEM_PYTHON: Final = Path("/usr/bin/python3")
_UNIT_PROGRAM: Final = "/opt/hupan/.venv/bin/hupan"
# Files of libraries for developers.
_UNNEEDED_FOLDERS: Final = ("apsw/tests",)
_UNNEEDED_SUFFIXES: Final = frozenset({".c", ".h", ".pxd", ".pyi", ".pyx"})
# Its parts were linked by rewriting them, which `strip` may undo.
_NOT_STRIPPED: Final = frozenset({"PIL", "pillow.libs"})
_SCRIPT: Final = """\
#!/usr/lib/hupan/bin/python3 -P
import sys

from hupan.cli.main import main

sys.exit(main())
"""


def python_version() -> str:
    """Return the version of the system's Python, such as 3.11: the libraries are built for it."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return run(SYSTEM_PYTHON, "-c", code).strip()


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a command and return its output."""
    done = subprocess.run(  # noqa: S603  our own commands
        command, env=os.environ | (env or {}), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def source_date() -> str:
    """Return the time of the last commit: the only time in a package."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return given or run("git", "-C", ROOT, "log", "-1", "--format=%ct").strip()


def install_tree(root: Path) -> None:
    """Install the server below a root: the same checkout produces the same bytes."""
    home = root / HOME
    version = python_version()
    packages = home / f"lib/python{version}/site-packages"
    (home / "bin").mkdir(parents=True)
    (home / "bin/python3").symlink_to(f"/usr/bin/python{version}")
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n", "utf-8"
    )
    _write_program(home / "bin/hupan", _SCRIPT)
    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    (root / "usr/bin/hupan").symlink_to("../lib/hupan/bin/hupan")
    _install_packages(packages)
    _remove_unneeded(packages)
    _strip(packages)
    compile_folder(packages, root)


def find_pip() -> list[str]:
    """Return the command of pip: that of the running Python, else the system's."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:  # noqa: S603
        pip = [str(SYSTEM_PYTHON), "-m", "pip"]
    return pip


def _install_packages(packages: Path) -> None:
    pip = find_pip()
    options = ("-qq", "--no-input", "install", "--no-compile", "--target", packages)
    lock = ROOT / "requirements/runtime.txt"
    locked = ("--require-hashes", "--only-binary", ":all:", "-r", lock)
    run(*pip, *options, *locked)
    with tempfile.TemporaryDirectory() as name:
        build(ROOT, Path(name), "wheel")
        (wheel,) = Path(name).glob("hupan-*.whl")
        run(*pip, *options, "--no-deps", "--upgrade", wheel)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    (packages / "share").rename(packages.parents[2] / "share")  # where sys.prefix has it
    for path in packages.glob("*.dist-info/direct_url.json"):
        path.unlink()  # the path where the wheel was built
    for path in packages.glob("*.dist-info/RECORD"):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        kept = (line for line in lines if "direct_url.json" not in line)
        path.write_text("".join(sorted(kept)), "utf-8")


def _remove_unneeded(packages: Path) -> None:
    for name in _UNNEEDED_FOLDERS:
        shutil.rmtree(packages / name)
    for path in packages.rglob("*"):
        if path.suffix in _UNNEEDED_SUFFIXES:
            path.unlink()


def _strip(packages: Path) -> None:
    """Remove debug data from compiled libraries: a fifth of the whole tree."""
    for path in sorted(packages.rglob("*.so*")):
        if path.relative_to(packages).parts[0] not in _NOT_STRIPPED:
            run("strip", "--strip-debug", path)


def compile_folder(folder: Path, root: Path) -> None:
    """Compile once, without later checks: the files belong to root and change with a package."""
    program = (
        "import compileall, py_compile, sys; "
        "sys.exit(not compileall.compile_dir(sys.argv[1], quiet=2, stripdir=sys.argv[2], "
        "prependdir='/', invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH))"
    )
    run(SYSTEM_PYTHON, "-c", program, folder, root, env={"PYTHONHASHSEED": "0"})


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o755)


def unit() -> str:
    """Return the unit of deploy/ for the program that a package installs."""
    text = (ROOT / "deploy/systemd/hupan.service").read_text("utf-8")
    return text.replace(_UNIT_PROGRAM, "/usr/bin/hupan")
