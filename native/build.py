"""Compile the library: the one place that knows its sources and flags. The package's build and tests use it.

`$CC`, `$CPPFLAGS`, `$CFLAGS` and `$LDFLAGS` are respected. Nothing but a C compiler and libc is needed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NAME = "libnvidia-ml.so.1"

COMPILE = (
    "-std=c11",
    "-D_GNU_SOURCE",
    "-fPIC",
    "-fvisibility=hidden",
    "-pthread",
    "-Wall",
    "-Wextra",
)
OPTIMISE = ("-O2", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong")
LINK = (
    "-shared",
    f"-Wl,-soname,{NAME}",
    f"-Wl,--version-script={FOLDER / 'exports.map'}",
    "-Wl,-z,relro,-z,now,-z,noexecstack,-z,nodelete",
)
SANITIZE = (
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
)


class CompilerError(Exception):
    """There is no C compiler, or it refused the sources. The message is what it said."""


def compiler() -> list[str] | None:
    """The C compiler as a command, `$CC` before any other; None where there is none."""
    named = shlex.split(os.environ.get("CC", ""))
    if named:
        return named if shutil.which(named[0]) else None
    return next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def sources() -> list[Path]:
    """The library's C files."""
    return sorted(FOLDER.glob("*.c"))


def command(output: Path, *, cc: Sequence[str], flags: Sequence[str] = OPTIMISE) -> list[str]:
    """The one command that compiles and links the library."""
    given = [
        word for name in ("CPPFLAGS", "CFLAGS", "LDFLAGS") for word in shlex.split(os.environ.get(name, ""))
    ]
    # -z defs would forbid what the sanitizers leave to their run-time library.
    strict = () if any("sanitize" in flag for flag in flags) else ("-Wl,-z,defs",)
    return [*cc, *COMPILE, *flags, *given, *map(str, sources()), *LINK, *strict, "-o", str(output)]


def build(
    output: Path,
    *,
    cc: Sequence[str] | None = None,
    flags: Sequence[str] = OPTIMISE,
    extra: Sequence[str] = (),
) -> Path:
    """Compile the library to `output`.

    Args:
        output: the file to write; its folder is made.
        cc: the compiler's command; else `$CC` or what there is.
        flags: how to compile, `OPTIMISE` or `SANITIZE`; for coverage add the compiler's own.
        extra: further flags, such as `-Werror`.

    Raises:
        CompilerError: there is no compiler, or it refused.
    """
    chosen = list(cc) if cc is not None else compiler()
    if chosen is None:
        raise CompilerError("no C compiler: $CC is not set to one, and there is no cc, gcc or clang")
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        done = subprocess.run(  # noqa: S603 (a list, of our own flags)
            command(scratch, cc=chosen, flags=[*flags, *extra]), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise CompilerError(f"{shlex.join(chosen)} cannot compile native/: {done.stderr.strip()}")
        scratch.replace(output)  # a program that has the old one loaded keeps it whole
    finally:
        scratch.unlink(missing_ok=True)
    return output


def main() -> None:
    """Build the library where the package looks for it."""
    try:
        build(FOLDER.parent / "src" / "vgpu_migrate" / "dropin" / NAME)
    except CompilerError as error:
        raise SystemExit(f"build: {error}") from error


if __name__ == "__main__":
    main()
