"""Which kind of capture a file is, by its content alone; its name says nothing."""

from __future__ import annotations

import re

from vgpu_migrate.captures import libvirt_xml, mdevctl_text, smi_tables, smi_text, smi_xml, sysfs_tree
from vgpu_migrate.captures.findings import Findings, pci_address
from vgpu_migrate.captures.tar_tree import is_tar, tar_entries
from vgpu_migrate.captures.xml_tree import SMI_ROOT, read_xml
from vgpu_migrate.errors import InputError, Problem

LARGEST_CAPTURE = 16 * 2**20
LONGEST_LINE = 4096
_BOM = b"\xef\xbb\xbf"
_TYPE_NAMES = re.compile(r"(?:nvidia-\d+\s+)*nvidia-\d+\s*")

ROOTS = {
    SMI_ROOT: ("nvidia-smi -q -x", smi_xml.smi_log),
    "domain": ("virsh dumpxml", libvirt_xml.domain),
    "hostdev": ("a hostdev of virsh dumpxml", libvirt_xml.hostdev),
    "device": ("virsh nodedev-dumpxml", libvirt_xml.node_device),
}
"""What XML may be, by its root."""


def read_capture(data: bytes, *, file: str) -> tuple[str, Findings] | None:
    """The kind of a capture, in words, and what it says; None for text that is none known.

    Args:
        data: the whole file.
        file: its name for places, such as `h01/smi.txt`.

    Raises:
        InputError: it is binary, too large, or damaged.
    """
    if len(data) > LARGEST_CAPTURE:
        wanted = f"wanted at most {LARGEST_CAPTURE // 2**20} MiB; captures are small"
        raise InputError(Problem(file, f"{len(data)} bytes", wanted))
    if is_tar(data):
        entries = tar_entries(data, file=file)
        return ("a tar of sysfs", sysfs_tree.tree(entries)) if entries else None
    data = data.removeprefix(_BOM)
    if data.lstrip()[:1] == b"<":
        root = read_xml(data.lstrip() if data[:1].isspace() else data, file=file)
        if root.tag not in ROOTS:
            return None
        kind, read = ROOTS[root.tag]
        return kind, read(root)
    return _read_text(_text(data, file), file)


def _text(data: bytes, file: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        seen = f"byte {error.start} is {data[error.start]:#04x}"
        raise InputError(Problem(file, seen, "wanted text in UTF-8, XML or a tar")) from None
    if "\0" in text:
        raise InputError(Problem(file, "binary data", "wanted text in UTF-8, XML or a tar"))
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_LINE:
            wanted = f"wanted at most {LONGEST_LINE}"
            raise InputError(Problem(f"{file}:{number}", f"{len(line)} characters", wanted))
    return text


def _read_text(text: str, file: str) -> tuple[str, Findings] | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    if "| NVIDIA-SMI " in text and "Driver Version:" in text:
        kind = "nvidia-smi vgpu" if "vGPU ID" in text else "nvidia-smi"
        return kind, smi_tables.smi_table(text, file=file)
    if re.search(r"^GPU [0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]\s*$", text, re.MULTILINE):
        is_vgpu = re.search(r"^\s+(Active vGPUs|vGPU ID)\s+: ", text, re.MULTILINE)
        kind = "nvidia-smi vgpu -q" if is_vgpu else "nvidia-smi -q"
        return kind, smi_text.smi_query(text, file=file)
    if "nvidia-vgpu-mgr" in text and "vmiop" in text:
        return "the manager's log", mdevctl_text.manager_log(text, file=file)
    if sysfs_tree.is_loop(lines):
        return "lines of mdev types", sysfs_tree.type_lines(text, file=file)
    if all(_TYPE_NAMES.fullmatch(line) for line in lines):
        return "names of mdev types", sysfs_tree.type_names(text, file=file)
    if all(mdevctl_text.DEVICE_LINE.match(line) for line in lines):
        return "mdevctl list", mdevctl_text.mdevctl_list(text, file=file)
    if pci_address(lines[0]) is not None and len(lines) > 1 and lines[1].startswith("nvidia-"):
        return "mdevctl types", mdevctl_text.mdevctl_types(text, file=file)
    entries = sysfs_tree.dump_entries(text, file=file)
    if any(sysfs_tree.is_of_a_tree(entry.path) for entry in entries):
        return "a text dump of sysfs", sysfs_tree.tree(entries)
    return None
