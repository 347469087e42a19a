"""Directories of raw records on disk, as `vgpu-migrate host record --records` writes them, read."""

from __future__ import annotations

import os
from pathlib import Path

from vgpu_migrate.errors import InputError, OutsideError, Problem, RecordError
from vgpu_migrate.files import read_bytes
from vgpu_migrate.model.fleet_records import INDEX_NAME, FleetRecords, parse_index
from vgpu_migrate.model.values import GpuId, VmId
from vgpu_migrate.nvml import PgpuMetadata, VgpuMetadata

MOST_BYTES = 1 << 20
"""The longest record that is read. Real ones have a few hundred bytes, some thousand at most."""
MOST_INDEX_BYTES = 64 << 20
"""The largest index: some hundred bytes a record."""


def read_records(directory: str | Path) -> FleetRecords:
    """The records of a directory, or of all its own directories that have an index: one for each host.

    Raises:
        InputError: there is none, it has no index, or a record is not whole; every problem at once.
        OutsideError: the disk failed.
    """
    top = Path(directory)
    folders = [top] if (top / INDEX_NAME).is_file() else _folders(top)
    if not folders:
        wanted = f"wanted a directory of `host record --records`, or one of these for each host: {INDEX_NAME}"
        raise InputError(Problem(str(directory), "no index of records there", wanted))
    vgpus: dict[VmId, dict[int, bytes]] = {}
    gpus: dict[GpuId, bytes] = {}
    problems: list[Problem] = []
    for folder in folders:
        index = parse_index(
            read_bytes(folder / INDEX_NAME, most=MOST_INDEX_BYTES), source=str(folder / INDEX_NAME)
        )
        for gpu in index.gpus:
            if GpuId(gpu.gpu) in gpus:
                problems.append(_twice(folder / gpu.file, f"gpu {gpu.gpu}"))
            gpus[GpuId(gpu.gpu)] = _read(folder / gpu.file, PgpuMetadata, problems)
        for vgpu in index.vgpus:
            of_vm = vgpus.setdefault(VmId(vgpu.vm), {})
            if vgpu.position in of_vm:
                problems.append(_twice(folder / vgpu.file, f"vgpu {vgpu.position} of VM {vgpu.vm}"))
            of_vm[vgpu.position] = _read(folder / vgpu.file, VgpuMetadata, problems)
    if problems:
        raise InputError(problems)
    return FleetRecords(vgpus, gpus)


def _folders(top: Path) -> list[Path]:
    try:
        return sorted(path for path in top.iterdir() if (path / INDEX_NAME).is_file())
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(Problem(str(top), "no such directory", "wanted records")) from None
    except OSError as error:
        raise OutsideError(f"{top}: cannot be read: {error.strerror or error}") from None


def _read(path: Path, kind: type[PgpuMetadata] | type[VgpuMetadata], problems: list[Problem]) -> bytes:
    try:
        size = os.stat(path).st_size
        if size > MOST_BYTES:
            problems.append(Problem(str(path), f"{size} bytes", f"wanted a record of at most {MOST_BYTES}"))
            return b""
        data = read_bytes(path, what="a metadata record", most=MOST_BYTES)
        kind.from_bytes(data)
    except FileNotFoundError:
        problems.append(Problem(str(path), "no such file", "wanted the record that the index names"))
        return b""
    except OSError as error:
        raise OutsideError(f"{path}: cannot be read: {error.strerror or error}") from None
    except RecordError as error:
        problems.append(Problem(str(path), str(error), "wanted a whole record"))
        return b""
    return data


def _twice(path: Path, what: str) -> Problem:
    return Problem(str(path), f"{what} stands twice", "wanted one record of it")
