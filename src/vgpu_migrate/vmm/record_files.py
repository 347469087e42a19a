"""Files of raw vgpu records, of any driver: as bytes, in base64, in JSON."""

from __future__ import annotations

import base64
import binascii
import json

from vgpu_migrate.errors import InputError, Problem, RecordError
from vgpu_migrate.files import STDIN, read_bytes
from vgpu_migrate.nvml import VgpuMetadata
from vgpu_migrate.nvml.layout import VGPU_METADATA
from vgpu_migrate.vmm.domain_element import xenserver_records


def read_record_file(path: str) -> tuple[bytes, ...]:
    """The records of a file: one as bytes, base64 lines, JSON of `host metadata`, or XenServer's JSON.

    Raises:
        InputError: there is no such file, or it is none of these.
        OutsideError: it cannot be read.
    """
    source = "standard input" if path == STDIN else path
    data = read_bytes(path, what="a vgpu's metadata record")
    records = _decode(data)
    if not records:
        wanted = f"wanted a vgpu's record: {VGPU_METADATA.size} bytes or more, base64 lines, or JSON"
        raise InputError(Problem(source, f"{len(data)} bytes that are no records", wanted))
    for record in records:
        try:
            VgpuMetadata.from_fixed_part(record)
        except RecordError as error:
            raise InputError(Problem(source, str(error), "wanted a vgpu's record")) from None
    return records


def _decode(data: bytes) -> tuple[bytes, ...]:
    text = data.strip()
    if text[:1] in (b"{", b"["):
        return _from_json(text)
    try:
        return tuple(base64.b64decode(line, validate=True) for line in text.split())
    except (binascii.Error, ValueError):
        return (data,)


def _from_json(text: bytes) -> tuple[bytes, ...]:
    try:
        found = json.loads(text)
        if isinstance(found, dict) and "records" in found:
            return tuple(base64.b64decode(row["record"], validate=True) for row in found["records"])
        return xenserver_records(text.decode("utf-8"))
    except (ValueError, TypeError, KeyError, RecursionError, InputError):
        return ()
