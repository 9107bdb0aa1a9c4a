"""The packages of this checkout, each built once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import Image
from tools.packages.deb import build_deb
from tools.packages.image import build_image


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Debian package."""
    return build_deb(tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Return the image."""
    return Image(build_image(tmp_path_factory.mktemp("oci")))


@pytest.fixture(scope="session")
def root(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the files of the image, which are read-only."""
    unpacked = tmp_path_factory.mktemp("image") / "root"
    image.unpack(unpacked)
    yield unpacked
    shutil.rmtree(unpacked)
