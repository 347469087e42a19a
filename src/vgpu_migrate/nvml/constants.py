"""The module's bit sets and masks under readable names; each number appears once, here.

Source: nvml.h 10.1.243 and 13.5.37, enumerations of the vGPU Migration module.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class States(IntFlag):
    """`nvmlVgpuVmCompatibility_t`: the states from which a vGPU is runnable on a GPU, as a bit set."""

    NONE = 0x0
    COLD = 0x1
    """Powered off (ACPI S5)."""
    HIBERNATE = 0x2
    """Hibernated (ACPI S4)."""
    SLEEP = 0x4
    """Sleeping (ACPI S3)."""
    LIVE = 0x8
    """Live or paused (ACPI S0)."""

    @property
    def words(self) -> tuple[str, ...]:
        """The states in order of rising liveness, spelled as everywhere: `cold hibernate sleep live`."""
        return _STATE_WORDS[self]


class Limits(IntFlag):
    """`nvmlVgpuPgpuCompatibilityLimitCode_t`: what limits the compatibility, as a bit set."""

    NONE = 0x0
    HOST_DRIVER = 0x1
    GUEST_DRIVER = 0x2
    GPU = 0x4
    OTHER = 0x80000000

    @property
    def words(self) -> tuple[str, ...]:
        """The limits spelled as everywhere: `host_driver guest_driver gpu other`."""
        return tuple(word for word, limit in LIMIT_BY_WORD.items() if limit in self)


ALL_STATES = States.COLD | States.HIBERNATE | States.SLEEP | States.LIVE

STATE_BY_WORD = {
    "cold": States.COLD,
    "hibernate": States.HIBERNATE,
    "sleep": States.SLEEP,
    "live": States.LIVE,
}
LIMIT_BY_WORD = {
    "host_driver": Limits.HOST_DRIVER,
    "guest_driver": Limits.GUEST_DRIVER,
    "gpu": Limits.GPU,
    "other": Limits.OTHER,
}
_STATE_WORDS = {
    States(bits): tuple(word for word, state in STATE_BY_WORD.items() if bits & state) for bits in range(16)
}


class GuestInfoState(IntEnum):
    """`nvmlVgpuGuestInfoState_t`: whether the guest driver has reported."""

    UNINITIALIZED = 0
    INITIALIZED = 1


VIRTUALIZATION_CAP_MIGRATION = 0x1
"""Bit 0 of `pgpuVirtualizationCaps` and of `vgpuVirtualizationCaps`: migration is possible."""

DRIVER_VERSION_BUFFER_SIZE = 80
"""`NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE`: bytes of a driver version string, its NUL included."""

INVALID_PLACEMENT_ID = 0xFFFF
"""`NVML_INVALID_VGPU_PLACEMENT_ID`: the placement id of a vgpu that has none."""
