"""The library built with AddressSanitizer and UBSan, under programs in C and in Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients import fleets
from tests.clients.conftest import Serve
from tests.clients.prototypes import program
from tests.clients.running import PROGRAMS, client, compile_c, compiler, environment, nvml_header, run

from native import build

C = Path(__file__).parent / "c"
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
STRICT = {"ASAN_OPTIONS": "detect_stack_use_after_return=1", "UBSAN_OPTIONS": "print_stacktrace=1"}


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a library that was built with both."""
    return build.build(
        tmp_path_factory.mktemp("sanitized") / build.NAME, cc=[compiler()], flags=build.SANITIZE
    ).parent


def run_in_c(source: Path, sanitized: Path, tmp_path: Path, serve: Serve, *arguments: str) -> None:
    """Run a C program under the sanitizers beside the host it is for; they end it at their first finding."""
    host = serve(fleets.an_empty_studio() if source.stem == "endure" else fleets.a_studio())
    flags = (*SANITIZE, "-I", nvml_header(), "-I", C, "-Wno-deprecated-declarations", "-ldl")
    binary = compile_c(source, tmp_path, *flags, library=sanitized)
    run([str(binary), *arguments], environment(host.socket, library=sanitized, **STRICT))


@pytest.mark.parametrize(
    ("source", "arguments"),
    [("walk.c", ()), ("patterns.c", ()), ("endure.c", ("forks",)), ("endure.c", ("readers",))],
)
def test_c_programs(
    serve: Serve, sanitized: Path, tmp_path: Path, source: str, arguments: tuple[str, ...]
) -> None:
    """The walker, the known programs' calls, inits and forks do nothing that either sanitizer minds."""
    run_in_c(C / source, sanitized, tmp_path, serve, *arguments)


def test_every_prototype(serve: Serve, sanitized: Path, tmp_path: Path) -> None:
    """Nor does any function of NVIDIA's header, called with honest buffers."""
    source = tmp_path / "prototypes.c"
    source.write_text(program(nvml_header()), encoding="ascii")
    run_in_c(source, sanitized, tmp_path, serve)


@pytest.mark.parametrize("name", ["nvidia-ml-py", "nvidia-ml-py-12"])
def test_python(serve: Serve, sanitized: Path, name: str) -> None:
    """nvidia-ml-py finds out everything about a host, and neither sanitizer minds."""
    host = serve(fleets.a_studio())
    run_time = subprocess.run(
        [compiler(), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    # Python never frees some of what it has: leaks are looked for in the C programs.
    env = environment(
        host.socket,
        library=sanitized,
        PYTHONPATH=str(client(name)),
        LD_PRELOAD=run_time,
        ASAN_OPTIONS="detect_leaks=0",
    )
    run([sys.executable, "-S", str(PROGRAMS / "ask_nvidia_ml_py.py")], env)
