"""Set up the NVML programs that the tests run unmodified, each in a folder of its own.

    python tools/make_clients.py [FOLDER]

FOLDER is by default `clients` in the virtual environment of the Python that runs this, where
`tests/clients` looks. A folder that is there and complete is left alone, so a second run costs nothing.
Nothing of it is a dependency of the project, and none of it is imported by it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

CLIENTS = {
    "nvidia-ml-py": ("nvidia-ml-py>=13.615.71",),
    "nvidia-ml-py-12": ("nvidia-ml-py==12.535.161",),
    # cuda-bindings needs NumPy for NVML but does not ask for it.
    "cuda-bindings": ("cuda-bindings==13.5.0", "numpy>=1.26"),
    "nvitop": ("nvitop==1.7.2",),
    "gpustat": ("gpustat==1.1.1",),
    # NVIDIA's own nvml.h; no program, only what C programs are compiled against.
    "nvml-header": ("nvidia-nvml-dev==13.5.37",),
}
"""What is installed where. The newest nvidia-ml-py is whatever is newest when its folder is made."""

STAMP = ".complete"


def main() -> int:
    """Make what is missing; the exit status is 1 where something could not be had."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(sys.prefix) / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    failed = [name for name, wanted in CLIENTS.items() if not make(folder / name, wanted)]
    for name in failed:
        print(f"{folder / name}: could not be made; its tests are left out", file=sys.stderr)
    return 1 if failed else 0


def make(target: Path, wanted: tuple[str, ...]) -> bool:
    """Install what is wanted into a folder, whole or not at all; a complete one stays as it is."""
    stamp = digest(wanted)
    if (target / STAMP).is_file() and (target / STAMP).read_text(encoding="ascii") == stamp:
        return True
    partial = target.with_name(f".{target.name}.partial")
    for leftover in (target, partial):
        shutil.rmtree(leftover, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--target", str(partial), *wanted]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 (our own list)
        shutil.rmtree(partial, ignore_errors=True)
        return False
    (partial / STAMP).write_text(stamp, encoding="ascii")
    partial.rename(target)
    return True


def digest(wanted: tuple[str, ...]) -> str:
    """What a complete folder was made of: the requirements and the Python that they are for."""
    return hashlib.sha256("\n".join((sys.version, *wanted)).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
