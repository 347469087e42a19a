"""A C program walks every row of the five functions' table against the library, plain and with sanitizers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from native.build import FOLDER, NAME, SANITIZE, build, compiler
from tests.manager.factories import a_gpu, a_host
from tests.native.host import Call, serving
from tests.snapshot.hosts import a_full_host

from vgpu_migrate.hosts.simulated import SimulatedHost
from vgpu_migrate.manager import HostState, VgpuManager
from vgpu_migrate.nvml import NvmlError, VersionRange
from vgpu_migrate.nvml.symbols import symbol
from vgpu_migrate.snapshot import Publisher

HERE = Path(__file__).parent


class Built(NamedTuple):
    """The program, and the library that it is linked with."""

    program: Path
    flags: tuple[str, ...]


@pytest.fixture(scope="module", params=["plain", "sanitized"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The walking program, linked with the library."""
    cc = compiler()
    if cc is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp(request.param)
    flags = SANITIZE if request.param == "sanitized" else ("-O2",)
    library = build(folder / NAME, flags=flags, extra=["-Werror"])
    sources = [str(HERE / "walk.c"), str(library)]
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    program = folder / "walk"
    subprocess.run(
        [*cc, *warnings, *flags, f"-I{FOLDER}", *sources, f"-Wl,-rpath,{folder}", "-o", str(program)],
        check=True,
    )
    return Built(program, tuple(flags))


def a_bare_host(**settings: object) -> VgpuManager:
    """A manager of a host with one gpu and nothing on it."""
    return VgpuManager(HostState(host=a_host(gpus=[a_gpu(0, board="L40S")], **settings)))  # type: ignore[arg-type]


def set_range(manager: VgpuManager, publisher: Publisher) -> Callable[[Call], int]:
    """What the host's daemon does of the one setter, in three lines."""

    def answer(call: Call) -> int:
        assert call.function == symbol("nvmlSetVgpuVersion").number
        try:
            SimulatedHost(manager).set_vgpu_version(VersionRange(*call.arguments[:2]))
        except NvmlError as error:
            return int(error.code)
        publisher.publish(manager.state)
        return 0

    return answer


@pytest.mark.parametrize(
    ("mode", "manager"),
    [
        ("busy", lambda: a_full_host(1)),
        ("idle", a_bare_host),
        ("unsupported", lambda: a_bare_host(manager=False)),
        ("unknown", lambda: a_bare_host(preset=None, in_force=None)),
    ],
    ids=["busy", "idle", "unsupported", "unknown"],
)
def test_every_row_answers_as_the_table_says(
    built: Built, mode: str, manager: Callable[[], VgpuManager], tmp_path: Path
) -> None:
    """Codes, sizes and bytes written are exactly the table's; no byte beside a buffer is touched."""
    a_manager = manager()
    with Publisher(a_manager.state) as publisher, serving(publisher, tmp_path / "socket") as host:
        host.answer = set_range(a_manager, publisher)
        done = subprocess.run([built.program, mode], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("place", [None, "", "nobody/listens/here", "x" * 200])
def test_without_a_host_nothing_but_texts_works(built: Built, place: str | None) -> None:
    """Init answers DRIVER_NOT_LOADED, and every call UNINITIALIZED as before."""
    environment = {key: value for key, value in os.environ.items() if key != "VGPU_MIGRATE_HOST"}
    if place is not None:
        environment["VGPU_MIGRATE_HOST"] = place
    done = subprocess.run(
        [built.program, "nowhere"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
