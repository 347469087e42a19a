"""Files of metadata records, of any driver and in every form: bytes, base64, JSON, XenServer's JSON."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator

from vgpu_migrate.errors import InputError, Problem, RecordError
from vgpu_migrate.files import STDIN, read_bytes
from vgpu_migrate.nvml import PgpuMetadata, VgpuMetadata
from vgpu_migrate.nvml.layout import PGPU_METADATA, VGPU_METADATA, Layout
from vgpu_migrate.vmm.domain_element import xenserver_records

LARGEST = 64 << 20
"""Bytes of the largest file: as many records as a guest can have, each as large as any."""


def read_vgpu_records(path: str) -> tuple[bytes, ...]:
    """The vgpu records of a file, in order; each is as long as it announces itself to be.

    A file holds bytes (record behind record), a line of base64 for each, what `host metadata --json` says,
    or XenServer's ``{"nvidia": "base64"}``.

    Raises:
        InputError: there is no such file, or it is none of these.
        OutsideError: it cannot be read.
    """
    return _read(path, VGPU_METADATA, "a vgpu's", VgpuMetadata.from_bytes)


def read_gpu_records(path: str) -> tuple[bytes, ...]:
    """As `read_vgpu_records`, of gpus; XenServer keeps none of them.

    Raises:
        InputError: there is no such file, or it holds no records of gpus.
        OutsideError: it cannot be read.
    """
    return _read(path, PGPU_METADATA, "a gpu's", PgpuMetadata.from_bytes)


def _read(path: str, layout: Layout, whose: str, check: Callable[[bytes], object]) -> tuple[bytes, ...]:
    source = "standard input" if path == STDIN else path
    data = read_bytes(path, what=f"{whose} metadata record", most=LARGEST)
    records = _decode(data, layout)
    wanted = (
        f"wanted {whose} records: {layout.size} bytes each or more, base64 lines, or JSON of `host metadata`"
    )
    if not records:
        seen = f"{len(data)} bytes that are no records" if data else "it is empty"
        raise InputError(Problem(source, seen, wanted), source=source)
    for number, record in enumerate(records, start=1):
        try:
            check(record)
        except RecordError as error:
            raise InputError(Problem(f"record {number}", str(error), wanted), source=source) from None
    return records


def _decode(data: bytes, layout: Layout) -> tuple[bytes, ...]:
    text = data.strip()
    if text[:1] in (b"{", b"["):
        return _from_json(text)
    try:
        return tuple(base64.b64decode(line, validate=True) for line in text.split())
    except (binascii.Error, ValueError):
        return tuple(_split(data, layout))


def _from_json(text: bytes) -> tuple[bytes, ...]:
    try:
        found = json.loads(text)
        if isinstance(found, dict) and "records" in found:
            return tuple(base64.b64decode(row["record"], validate=True) for row in found["records"])
        return xenserver_records(text.decode("utf-8"))
    except (ValueError, TypeError, KeyError, RecursionError, InputError):
        return ()


def _split(data: bytes, layout: Layout) -> Iterator[bytes]:
    """Records behind each other; what is left over at the end comes as it is."""
    start = layout.offset("opaqueData")
    while data:
        announced = int.from_bytes(data[start - 4 : start], "little")
        size = max(layout.size, start + announced)
        yield data[:size]
        data = data[size:]
