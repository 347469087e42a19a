"""The page's data structures and enumerations."""

from __future__ import annotations

import pytest
from tests.conformance.client import DEVICE, a_client
from tests.manager.factories import (
    OLDER_GUEST,
    VM,
    a_gpu,
    a_host,
    a_manager,
    a_record,
    a_vm,
    refused,
    start_vm,
)

from vgpu_migrate.errors import RefusedError
from vgpu_migrate.manager import VgpuManager
from vgpu_migrate.model import Host, VersionRange, VmState
from vgpu_migrate.nvml import Compatibility, Limits, States
from vgpu_migrate.nvml.layout import COMPATIBILITY, PGPU_METADATA, VGPU_METADATA, VGPU_VERSION

COLD = States.COLD


def restored(state: States, *, record: bytes | None = None, host: Host | None = None) -> VgpuManager:
    """A host on which the VM was started from a state, with a record from elsewhere."""
    manager = a_manager(host)
    manager.define(a_vm())
    manager.start(VM, state, records=[record or a_record()])
    return manager


def test_words_structures() -> None:
    """The page's four data structures are there under their names."""
    assert [layout.name for layout in (VGPU_VERSION, VGPU_METADATA, PGPU_METADATA, COMPATIBILITY)] == [
        "nvmlVgpuVersion_t",
        "nvmlVgpuMetadata_t",
        "nvmlVgpuPgpuMetadata_t",
        "nvmlVgpuPgpuCompatibility_t",
    ]


def test_words_state_numbers() -> None:
    """NONE 0x0, COLD 0x1, HIBERNATE 0x2, SLEEP 0x4, LIVE 0x8."""
    numbers = [int(one) for one in (States.NONE, States.COLD, States.HIBERNATE, States.SLEEP, States.LIVE)]
    assert numbers == [0x0, 0x1, 0x2, 0x4, 0x8]


def test_words_limit_numbers() -> None:
    """NONE 0x0, HOST_DRIVER 0x1, GUEST_DRIVER 0x2, GPU 0x4, OTHER 0x80000000."""
    limits = (Limits.NONE, Limits.HOST_DRIVER, Limits.GUEST_DRIVER, Limits.GPU, Limits.OTHER)
    assert [int(one) for one in limits] == [0x0, 0x1, 0x2, 0x4, 0x80000000]


def test_words_state_none() -> None:
    """vGPU is not runnable: no start of any kind is allowed."""
    record, other_board = a_record(), a_host(gpus=[a_gpu(board="A40")])
    client = a_client(other_board)
    assert client.compatibility(record, client.pgpu_record()).states == States.NONE
    for state in (States.COLD, States.HIBERNATE, States.SLEEP, States.LIVE):
        with pytest.raises(RefusedError, match="runnable on h01/0 from no state"):
            restored(state, record=record, host=other_board)


def test_words_state_cold() -> None:
    """vGPU is runnable from a cold / powered-off state (ACPI S5)."""
    record, client = a_record(guest=None), a_client()
    assert client.compatibility(record, client.pgpu_record()).states == States.COLD
    assert restored(States.COLD, record=record).state.vm(VM).power is VmState.BOOTING


def test_words_state_hibernate() -> None:
    """vGPU is runnable from a hibernated state (ACPI S4)."""
    other_ecc = a_host(gpus=[a_gpu(ecc=False)])
    client = a_client(other_ecc)
    assert client.compatibility(a_record(), client.pgpu_record()).states == States.COLD | States.HIBERNATE
    assert restored(States.HIBERNATE, host=other_ecc).state.vm(VM).power is VmState.RUNNING


def test_words_state_sleep() -> None:
    """vGPU is runnable from a sleeped state (ACPI S3)."""
    client = a_client()
    assert States.SLEEP in client.compatibility(a_record(), client.pgpu_record()).states
    assert restored(States.SLEEP).state.vm(VM).power is VmState.SLEEPING


def test_words_state_live() -> None:
    """vGPU is runnable from a live/paused (ACPI S0)."""
    client = a_client()
    assert States.LIVE in client.compatibility(a_record(), client.pgpu_record()).states
    assert restored(States.LIVE).state.vm(VM).power is VmState.RUNNING


def test_words_limit_none() -> None:
    """Compatibility is not limited: all four states."""
    client = a_client()
    assert client.compatibility(a_record(), client.pgpu_record()) == Compatibility(States(15), Limits.NONE)


def test_words_limit_host_driver() -> None:
    """Compatibility is limited by host driver version: it ends below the version that the VM holds."""
    client = a_client(a_host(preset=VersionRange(0x70001, 0x120001)))
    assert client.compatibility(a_record(), client.pgpu_record()) == Compatibility(COLD, Limits.HOST_DRIVER)


def test_words_limit_guest_driver() -> None:
    """Compatibility is limited by guest driver version: the target begins above the version held."""
    client = a_client(a_host(preset=VersionRange(0x130001, 0x140001)))
    held_back = a_record(host=a_host(in_force=VersionRange(0x70001, 0x120001)))
    assert client.compatibility(held_back, client.pgpu_record()) == Compatibility(COLD, Limits.GUEST_DRIVER)
    too_old = a_record(guest=OLDER_GUEST)
    answer = client.compatibility(too_old, client.pgpu_record())
    assert answer == Compatibility(States.NONE, Limits.GUEST_DRIVER)


def test_words_limit_gpu() -> None:
    """Compatibility is limited by GPU hardware: another board."""
    client = a_client(a_host(gpus=[a_gpu(board="A40")]))
    assert client.compatibility(a_record(), client.pgpu_record()) == Compatibility(States.NONE, Limits.GPU)


def test_words_limit_other() -> None:
    """Compatibility is limited by an undefined factor: the guest has not reported."""
    client = a_client()
    answer = client.compatibility(a_record(guest=None), client.pgpu_record())
    assert answer == Compatibility(COLD, Limits.OTHER)


def test_words_several_limits() -> None:
    """Both words are bit masks: several limits may be set at once."""
    client = a_client(a_host(gpus=[a_gpu(ecc=False)], preset=VersionRange(0x70001, 0x120001)))
    answer = client.compatibility(a_record(), client.pgpu_record(DEVICE))
    assert answer == Compatibility(COLD, Limits.HOST_DRIVER | Limits.GPU)


def test_words_what_a_vm_needs() -> None:
    """Running and paused VMs need LIVE, sleeping ones SLEEP, hibernated HIBERNATE, off and booting COLD."""
    needs = {state.value: state.needs.words for state in VmState}
    assert needs == {
        "running": ("live",),
        "paused": ("live",),
        "sleeping": ("sleep",),
        "hibernated": ("hibernate",),
        "off": ("cold",),
        "booting": ("cold",),
    }
    source, target = a_manager(), a_manager(a_host("h02", gpus=[a_gpu(host="h02", ecc=False)]))
    start_vm(source)
    offer = source.migrate_out(VM)
    assert refused(lambda: target.migrate_in(offer)).verdict is not None
