"""A simulated host as its kernel would show it: the mdev tree, or the vendor VFIO one, on a directory."""

from vgpu_migrate.sysfs.inventory import SysfsModel
from vgpu_migrate.sysfs.mount import SysfsMount
from vgpu_migrate.sysfs.tree import sysfs_tree

__all__ = ["SysfsModel", "SysfsMount", "sysfs_tree"]
