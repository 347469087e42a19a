"""An ordinary NVML program: the gpus of a host, its active vgpus, their records, and what is compatible.

    vgpu-migrate sim demo --host a1 -- python3 examples/read_records.py

It knows nothing of the simulation: nvidia-ml-py loads the first libnvidia-ml.so.1 it is shown.
"""

from __future__ import annotations

import pynvml

STATES = {
    pynvml.NVML_VGPU_VM_COMPATIBILITY_LIVE: "live",
    pynvml.NVML_VGPU_VM_COMPATIBILITY_SLEEP: "sleep",
    pynvml.NVML_VGPU_VM_COMPATIBILITY_HIBERNATE: "hibernate",
    pynvml.NVML_VGPU_VM_COMPATIBILITY_COLD: "cold",
}


def main() -> None:
    """Print what the host says."""
    pynvml.nvmlInit()
    try:
        _, (oldest, newest) = pynvml.nvmlGetVgpuVersion()
        print(f"driver {pynvml.nvmlSystemGetDriverVersion()}, vGPU versions {oldest:#x}-{newest:#x}")
        gpus = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        for index, gpu in enumerate(gpus):
            print(f"gpu {index}: {pynvml.nvmlDeviceGetName(gpu)}")
            for vgpu in pynvml.nvmlDeviceGetActiveVgpus(gpu):
                show(vgpu, gpus)
    finally:
        pynvml.nvmlShutdown()


def show(vgpu: int, gpus: list[object]) -> None:
    """One vgpu, and in which states its VM may run on each gpu of the host."""
    record = pynvml.nvmlVgpuInstanceGetMetadata(vgpu)
    kind = pynvml.nvmlVgpuTypeGetName(pynvml.nvmlVgpuInstanceGetType(vgpu))
    print(f"  vgpu {vgpu}: {kind}, VM {pynvml.nvmlVgpuInstanceGetVmID(vgpu)[0].decode()}")
    print(f"    guest driver {record.guestDriverVersion}, vGPU version {record.guestVgpuVersion:#x}")
    for index, gpu in enumerate(gpus):
        answer = pynvml.nvmlGetVgpuCompatibility(record, pynvml.nvmlDeviceGetVgpuMetadata(gpu))
        states = [word for state, word in STATES.items() if answer.vgpuVmCompatibility & state]
        print(f"    on gpu {index}: {', '.join(states) or 'no state'}")


if __name__ == "__main__":
    main()
