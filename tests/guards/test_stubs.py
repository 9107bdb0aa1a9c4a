"""The committed protobuf stubs are those of proto/.

The story: a field got a new number in the .proto file, the stubs stayed as they were, and server
and client agreed with each other for weeks while both disagreed with the page that was published.
"""

import subprocess
import sys
from pathlib import Path

PLUGIN = Path(sys.executable).with_name("protoc-gen-mypy")


def generate(source: Path, target: Path) -> dict[str, str]:
    """Return the generator's output for a folder of .proto files, by file name."""
    target.mkdir()
    options = [
        f"--plugin={PLUGIN}",
        f"-I{source}",
        f"--python_out={target}",
        f"--mypy_out={target}",
    ]
    files = map(str, sorted(source.glob("*.proto")))
    command = [sys.executable, "-m", "grpc_tools.protoc", *options, *files]
    subprocess.run(command, check=True, timeout=60)  # noqa: S603 -- our own command, no shell
    return texts(target)


def texts(folder: Path) -> dict[str, str]:
    """Return the generated files of a folder, by name."""
    return {path.name: path.read_text("utf-8") for path in folder.glob("*_pb2.py*")}


def test_the_stubs_are_those_of_the_proto_files(root: Path, tmp_path: Path) -> None:
    """`make proto` changes nothing."""
    made = generate(root / "proto", tmp_path / "made")
    assert made
    assert texts(root / "src/hupan/contract/pb") == made, "run make proto"


def test_another_field_number_is_seen(root: Path, tmp_path: Path) -> None:
    """A changed number in a .proto file changes the stubs."""
    source = tmp_path / "proto"
    source.mkdir()
    for path in (root / "proto").glob("*.proto"):
        changed = path.read_text("utf-8").replace(" = 1;", " = 1001;", 1)
        (source / path.name).write_text(changed, "utf-8")
    assert generate(source, tmp_path / "made") != texts(root / "src/hupan/contract/pb")
