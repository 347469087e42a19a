"""What the library is made of: its symbols, its generated headers, its prototypes, its compilers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from native.build import NAME, SANITIZE, build
from tools.make_symbols import all_names, since_by_name

from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.nvml.symbols import OLDEST_UNLISTED, symbol, symbols

ROOT = Path(__file__).resolve().parents[2]


def exported(library: Path) -> list[str]:
    """The symbols that leave a library."""
    done = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True)
    return [line.split()[-1] for line in done.stdout.splitlines()]


def test_exactly_the_functions_of_the_table_leave_the_library(library: Path) -> None:
    """Every function of the table is exported, and nothing else is."""
    assert sorted(exported(library)) == sorted(one.name for one in symbols())


def test_the_library_is_found_by_the_name_of_the_real_one(library: Path) -> None:
    """Its SONAME is what clients ask the loader for, and it needs libc alone."""
    done = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True)
    tags = [line.split()[1:] for line in done.stdout.splitlines() if line.strip().startswith("0x")]
    words = {tag[0].strip("()"): tag[-1].strip("[]") for tag in tags if tag[0] in ("(SONAME)", "(NEEDED)")}
    assert words == {"SONAME": "libnvidia-ml.so.1", "NEEDED": "libc.so.6"}


@pytest.mark.parametrize("tool", ["make_symbols.py", "make_native_headers.py"])
def test_generated_files_are_current(tool: str) -> None:
    """What a tool writes into native/ and docs/ is what lies there."""
    done = subprocess.run([sys.executable, f"tools/{tool}", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, f"run python tools/{tool}"


def test_both_compilers_find_nothing_to_warn_of(some_compiler: str, tmp_path: Path) -> None:
    """The sources compile without a warning, optimised and with sanitizers."""
    build(tmp_path / NAME, cc=[some_compiler], extra=["-Werror"])
    build(tmp_path / "sanitized" / NAME, cc=[some_compiler], flags=SANITIZE, extra=["-Werror"])


def test_prototypes_and_structures_are_those_of_the_vendor(
    some_compiler: str, nvidia_header: Path, tmp_path: Path
) -> None:
    """With NVIDIA's own header in the place of ours, the compiler finds no function or size that differs."""
    flags = ["-Werror", "-DVGM_NVIDIA_HEADER", "-isystem", str(nvidia_header)]
    library = build(tmp_path / NAME, cc=[some_compiler], extra=flags)
    assert sorted(exported(library)) == sorted(one.name for one in symbols())


def test_every_function_of_the_header_is_in_the_table(nvidia_header: Path) -> None:
    """No function that NVIDIA's header declares is missing."""
    header = (nvidia_header / "nvml.h").read_text(encoding="utf-8")
    nothing: dict[str, object] = {"real_symbols": {}, "export": {}, "removed_since_10_1": []}
    assert all_names(header, nothing) - {one.name for one in symbols()} == set()


@pytest.fixture(scope="module")
def abi() -> Any:
    """The symbol tables of real libraries, and what real clients look up."""
    shared = os.environ.get("VGPU_MIGRATE_SHARED")
    if not shared:
        pytest.skip("VGPU_MIGRATE_SHARED does not name the folder that holds facts/nvml_abi.json")
    return json.loads((Path(shared) / "facts" / "nvml_abi.json").read_text(encoding="utf-8"))


def test_the_table_is_that_of_real_libraries(abi: Any) -> None:
    """Each name that a real library or client has is there, since the oldest driver seen with it."""
    since = since_by_name(abi)
    assert all_names("", abi) - {one.name for one in symbols()} == set()
    assert {one.name: one.since for one in symbols()} == {
        one.name: since.get(one.name, OLDEST_UNLISTED) for one in symbols()
    }


# What these clients do not need: on Linux a real library answers NOT_SUPPORTED too.
WINDOWS_ONLY = {"nvmlDeviceGetDriverModel_v2"}


def test_what_clients_need_answers(abi: Any) -> None:
    """All that migration, nvitop, gpustat and gpumon call has behaviour, and all that is needed of vGPU."""
    lists = ("a_migration_minimum", "b_nvitop", "b_gpustat", "c_gpumon")
    needed = {name for one in lists for name in abi["export"][one]}.union(abi["groups"]["needed"])
    assert {name for name in needed if not symbol(name).answers} == WINDOWS_ONLY


def test_a_function_that_there_is_not_suggests_those_there_are() -> None:
    """A misspelled name is refused with the nearest names."""
    with pytest.raises(UnknownNameError) as refused:
        symbol("nvmlSetVgpuVersin")
    assert refused.value.suggestions == ("nvmlSetVgpuVersion", "nvmlGetVgpuVersion")
    assert [one.number for one in symbols()] == list(range(len(symbols())))
