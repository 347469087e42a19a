"""Fuzz the drop-in library: calls against good hosts, and damaged snapshots under any call.

    python -m tools.fuzz [--seconds N] [--jobs N] [TARGET…]   run; what is new is kept in build/fuzz
    python -m tools.fuzz --keep [TARGET…]                     minimise it into native/fuzz/corpus
    python -m tools.fuzz --coverage                           which branches of native/ are reached

It needs clang with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer (Debian: clang, llvm).
The hosts' snapshots are made by the encoder each time, so the corpus outlives changes of the layout.
Exit status: 0 nothing found, 1 a finding (its input is kept and named), 3 it cannot run here.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.clients import fleets
from tools import fuzz_seeds

from native import build
from vgpu_migrate.manager import state_of_host
from vgpu_migrate.model import Fleet, GpuId
from vgpu_migrate.snapshot import Fault, Publisher

ROOT = Path(__file__).resolve().parents[1]
FUZZ = ROOT / "native" / "fuzz"
CORPUS = FUZZ / "corpus"
WORK = ROOT / "build" / "fuzz"
TARGETS = ("calls", "snapshot")
SANITIZERS = (
    "-g",
    "-O1",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
)
COVERED = ("-fprofile-instr-generate", "-fcoverage-mapping")
LONGEST_INPUT = 12_000
A_CALL_ENDS_WITHIN_S = 20


def hosts() -> dict[str, Fleet]:
    """The hosts whose snapshots are fuzzed, by file name: their order is the inputs' first byte."""
    return {
        "0-studio": fleets.a_studio(),
        "1-xen": fleets.a_studio(hypervisor="xen"),
        "2-mig": fleets.a_mig_host(),
        "3-plain": fleets.a_plain_host(),
        "4-old": fleets.an_old_host(),
        "5-empty": fleets.an_empty_studio(driver="580.126.08"),
        "6-faults": fleets.a_studio(driver="580.126.08"),
        "7-profiles": fleets.a_strict_host(),
        "8-unknown": fleets.a_studio(driver="999.1", manager=True),
    }


def faults() -> tuple[Fault, ...]:
    """A fault of every kind."""
    return (
        Fault(function="nvmlDeviceGetName", gpu=GpuId("h01/1"), code=15, after=3, counter=0),
        Fault(instance=2, code=6, probability=0.5, seed=7, counter=1),
        Fault(function="nvmlInit_v2", delay_us=5, counter=2),
        Fault(function="nvmlDeviceGetCount_v2", code=999, until_ms=1, counter=3),
        Fault(gpu=GpuId("h01/0"), code=3, probability=0.1, seed=11, counter=4),
    )


def make_images(folder: Path) -> None:
    """Write each host's snapshot as the encoder publishes it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, fleet in hosts().items():
        state = state_of_host(fleet, fleets.HOST)
        with Publisher(state, incarnation=1) as publisher:
            if name.endswith("faults"):
                publisher.publish(state, faults=faults())
            descriptor, _ = publisher.descriptors()
            data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        (folder / f"{name}.snapshot").write_bytes(data)


def compile_target(target: str, binary: Path, *, extra: Sequence[str] = ()) -> None:
    """Compile a target with the library's sources; only those are instrumented for coverage."""
    folder = binary.with_suffix(".objects")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    harness = [FUZZ / f"fuzz_{target}.c", FUZZ / "client.c", FUZZ / "host.c"]
    clang = ["clang", "-std=gnu11", "-D_GNU_SOURCE", "-pthread", "-Wall", "-Wextra", *SANITIZERS]
    objects: list[Path] = []
    for source in [*build.sources(), *harness]:
        flags: list[str] = [] if source in harness else ["-fsanitize=fuzzer-no-link", *extra]
        objects.append(folder / f"{source.parent.name}-{source.stem}.o")
        run([*clang, *flags, "-c", str(source), "-o", str(objects[-1])])
    run([*clang, "-fsanitize=fuzzer", *extra, *map(str, objects), "-o", str(binary)])


def run(command: Sequence[str | Path], **environment: str) -> None:
    """Run a program that must end well."""
    subprocess.run(command, check=True, env=os.environ | environment)  # noqa: S603


@contextmanager
def own_temporary_folder() -> Iterator[None]:
    """Let the fuzzers put their sockets where they are removed, since they often end without doing so."""
    before = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        os.environ["TMPDIR"] = folder
        try:
            yield
        finally:
            os.environ.pop("TMPDIR")
            if before is not None:
                os.environ["TMPDIR"] = before


def settings() -> dict[str, str]:
    """The environment of a fuzzer: where the snapshots are, and what the sanitizers shall do."""
    return {
        "VGM_FUZZ_IMAGES": str(WORK / "images"),
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def prepare(target: str) -> Path:
    """The compiled fuzzer of a target."""
    binary = WORK / f"fuzz_{target}"
    compile_target(target, binary)
    return binary


def unpack(target: str, folder: Path) -> Path:
    """The kept corpus of a target, an input a file, as libFuzzer wants it; kept it is a line of hex each."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kept = CORPUS / f"{target}.txt"
    lines = kept.read_text(encoding="ascii").split() if kept.is_file() else []
    for number, data in enumerate([*map(bytes.fromhex, lines), *fuzz_seeds.crafted(target)]):
        (folder / f"{number:05}").write_bytes(data)
    return folder


def fuzz(target: str, *, seconds: int, jobs: int) -> bool:
    """Fuzz for a time, from the kept corpus and what earlier runs found; False where something was found."""
    binary, found = prepare(target), WORK / f"found-{target}"
    found.mkdir(parents=True, exist_ok=True)
    command = [
        str(binary),
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT}",
        f"-timeout={A_CALL_ENDS_WITHIN_S}",
        f"-artifact_prefix={WORK}/finding-{target}-",
        "-print_final_stats=1",
        *([f"-fork={jobs}"] if jobs > 1 else []),
        str(found),
        str(unpack(target, WORK / f"corpus-{target}")),
    ]
    return subprocess.run(command, check=False, env=os.environ | settings()).returncode == 0  # noqa: S603


def keep(target: str) -> None:
    """Put few inputs that reach all that was reached into the kept corpus."""
    binary, fewest = prepare(target), WORK / f"fewest-{target}"
    shutil.rmtree(fewest, ignore_errors=True)
    fewest.mkdir(parents=True)
    found = WORK / f"found-{target}"
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(fuzz_seeds.systematic(target)):
        (found / f"seed-{number:05}").write_bytes(seed)
    # Edges alone: how often each was taken would keep ten times as many.
    merge = [str(binary), "-set_cover_merge=1", "-use_counters=0"]
    merge += [f"-artifact_prefix={WORK}/finding-{target}-", str(fewest)]
    run([*merge, str(unpack(target, WORK / f"corpus-{target}")), str(found)], **settings())
    CORPUS.mkdir(exist_ok=True)
    if not any(fewest.iterdir()):
        raise SystemExit(f"{target}: every input fails; the kept corpus stays as it was")
    lines = sorted(
        {path.read_bytes().hex() for path in fewest.iterdir()} - {""}, key=lambda line: (len(line), line)
    )
    (CORPUS / f"{target}.txt").write_text("\n".join([*lines, ""]), encoding="ascii")


def coverage(targets: Sequence[str]) -> None:
    """Print which branches of the library the kept corpus and the clients' tests reach, by file."""
    profiles = [WORK / f"{target}.profraw" for target in targets]
    binaries = [WORK / f"covered_{target}" for target in targets]
    for target, binary, profile in zip(targets, binaries, profiles, strict=True):
        compile_target(target, binary, extra=COVERED)
        inputs = unpack(target, WORK / f"corpus-{target}")
        run([str(binary), "-runs=0", str(inputs)], **settings(), LLVM_PROFILE_FILE=str(profile))
    library = build.build(WORK / "covered" / build.NAME, cc=["clang"], flags=("-O1", "-g", *COVERED))
    shutil.rmtree(WORK / "profiles", ignore_errors=True)
    run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "auto",
            f"--basetemp={WORK / 'tests'}",
            "tests/clients",
            "-k",
            "not sanitized",
        ],
        VGPU_MIGRATE_TEST_LIBRARY=str(library.parent),
        LLVM_PROFILE_FILE=str(WORK / "profiles" / "%p.profraw"),
    )
    profiles += sorted((WORK / "profiles").glob("*.profraw"))
    merged = WORK / "merged.profdata"
    run(["llvm-profdata", "merge", "-sparse", *map(str, profiles), "-o", str(merged)])
    objects = [word for binary in (*binaries[1:], library) for word in ("-object", str(binary))]
    shown = [str(binaries[0]), *objects, f"-instr-profile={merged}"]
    run(["llvm-cov", "report", *shown, "-show-branch-summary", *map(str, build.sources())])
    with (WORK / "coverage.txt").open("w") as out:
        command = ["llvm-cov", "show", *shown, "-show-branches=count", *map(str, build.sources())]
        subprocess.run(command, check=True, stdout=out)  # noqa: S603
    print(f"line by line: {WORK / 'coverage.txt'}")


def main() -> int:
    """Do what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="calls or snapshot; both by default")
    parser.add_argument("--seconds", type=int, default=30, help="of fuzzing, for each target (default 30)")
    parser.add_argument("--jobs", type=int, default=1, help="processes for each target (default 1)")
    parser.add_argument("--keep", action="store_true", help="minimise what was found into the corpus")
    parser.add_argument("--coverage", action="store_true", help="the branches that the corpus reaches")
    chosen = parser.parse_args()
    targets = chosen.targets or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"{', '.join(sorted(unknown))}: no target; there are {', '.join(TARGETS)}")
    if shutil.which("clang") is None:
        print("no clang: on Debian, apt-get install clang llvm", file=sys.stderr)
        return 3
    make_images(WORK / "images")
    with own_temporary_folder():
        return do(chosen, targets)


def do(chosen: argparse.Namespace, targets: Sequence[str]) -> int:
    """Coverage, keeping or fuzzing; the exit status."""
    if chosen.coverage:
        coverage(targets)
        return 0
    if chosen.keep:
        for target in targets:
            keep(target)
        return 0
    clean = [fuzz(target, seconds=chosen.seconds, jobs=chosen.jobs) for target in targets]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
