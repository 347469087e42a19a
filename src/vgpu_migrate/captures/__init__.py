"""Captures of real hosts, read as text and bytes: what they say, where, and the fleet file that follows.

Pure: who calls brings the bytes. What contradicts is named, what nothing says is left out.
"""

from vgpu_migrate.captures.assemble import CaptureFile, HostCaptures, Imported, import_hosts
from vgpu_migrate.captures.findings import Contradiction, Findings, Said
from vgpu_migrate.captures.fleet_text import fleet_yaml
from vgpu_migrate.captures.ledger import Filled, Ground, Ledger
from vgpu_migrate.captures.recognise import LARGEST_CAPTURE, read_capture
from vgpu_migrate.captures.sysfs_tree import Entry, is_of_a_tree, tree
from vgpu_migrate.captures.tar_tree import LARGEST_FILE, file_entries

__all__ = [
    "LARGEST_CAPTURE",
    "LARGEST_FILE",
    "CaptureFile",
    "Contradiction",
    "Entry",
    "Filled",
    "Findings",
    "Ground",
    "HostCaptures",
    "Imported",
    "Ledger",
    "Said",
    "file_entries",
    "fleet_yaml",
    "import_hosts",
    "is_of_a_tree",
    "read_capture",
    "tree",
]
