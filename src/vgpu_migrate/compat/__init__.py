"""The rule table evaluated: one pair to a verdict with evidence, whole fleets as classes."""

from vgpu_migrate.compat.classes import Cell, FleetClasses, GpuClass, VmClass, classify
from vgpu_migrate.compat.pair import Evidence, Verdict, check, combine
from vgpu_migrate.compat.record import gpu_record, read_gpu_record, read_vgpu_record, vgpu_record
from vgpu_migrate.compat.table import Rule, rules
from vgpu_migrate.compat.targets import HostAnswer, Survey, Target, survey
from vgpu_migrate.compat.traits import GpuTraits, VgpuTraits, gpu_traits, vgpu_traits

__all__ = [
    "Cell",
    "Evidence",
    "FleetClasses",
    "GpuClass",
    "GpuTraits",
    "HostAnswer",
    "Rule",
    "Survey",
    "Target",
    "Verdict",
    "VgpuTraits",
    "VmClass",
    "check",
    "classify",
    "combine",
    "gpu_record",
    "gpu_traits",
    "read_gpu_record",
    "read_vgpu_record",
    "rules",
    "survey",
    "vgpu_record",
    "vgpu_traits",
]
