"""The library compiled once a test process, and NVIDIA's own header where its package is installed."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from native.build import NAME, build, compiler
from tests.clients.running import nvml_header
from tests.native.host import load


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, compiled with every warning an error."""
    if compiler() is None:
        pytest.skip("no C compiler")
    return build(tmp_path_factory.mktemp("library") / NAME, extra=["-Werror"])


@pytest.fixture
def nvml(library: Path, tmp_path: Path) -> ctypes.CDLL:
    """The library as a program sees it that has just loaded it."""
    folder = tmp_path / "loaded"
    folder.mkdir()
    return load(library, folder)


@pytest.fixture
def load_again(library: Path, tmp_path: Path) -> Callable[[], ctypes.CDLL]:
    """Loads the library once more, as another program would."""
    folder = tmp_path / "loaded again"
    folder.mkdir()
    return lambda: load(library, folder)


@pytest.fixture(scope="session")
def nvidia_header() -> Path:
    """The folder of NVIDIA's nvml.h: `$VGPU_MIGRATE_NVML_HEADER`'s, or that of `tools/make_clients.py`."""
    named = os.environ.get("VGPU_MIGRATE_NVML_HEADER")
    return Path(named).parent if named else nvml_header()


@pytest.fixture(scope="session", params=["gcc", "clang"])
def some_compiler(request: pytest.FixtureRequest) -> str:
    """Each compiler that is there."""
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"no {name}")
    return name
