"""What cuda.bindings.nvml is told of a host, as JSON like that of `ask_nvidia_ml_py.py`."""

from __future__ import annotations

import ctypes
import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

nvml: Any = importlib.import_module("cuda.bindings.nvml")


def told(call: Callable[..., Any], *arguments: object) -> Any:
    """What a call answers, or its error's number."""
    try:
        return call(*arguments)
    except nvml.NvmlError as error:
        return {"error": error.status}


def record(call: Callable[..., Any], thing: object, size: int) -> tuple[Any, Any]:
    """A metadata record: its bytes, and the object."""
    found = told(call, thing)
    if isinstance(found, dict):
        return found, None
    return ctypes.string_at(found.ptr, size).hex(), found


def verdict(vgpu: object, gpu: object) -> Any:
    """`nvmlGetVgpuCompatibility` of two records, as numbers."""
    found = told(nvml.get_vgpu_compatibility, vgpu, gpu)
    if isinstance(found, dict):
        return found
    return [int(found.vgpu_vm_compatibility), int(found.compatibility_limit_code) & 0xFFFFFFFF]


def listed(answer: Any) -> Any:
    """A list of numbers, whatever kind of array it came in."""
    return answer if isinstance(answer, dict) else [int(number) for number in answer]


def ask_gpu(index: int, gpu_records: list[Any]) -> dict[str, Any]:
    """What there is to know of a gpu but its vgpus."""
    device = nvml.device_get_handle_by_index_v2(index)
    data, found = record(nvml.device_get_vgpu_metadata, device, 128)
    gpu_records.append(found)
    memory = told(nvml.device_get_memory_info_v2, device)
    supported = listed(told(nvml.device_get_supported_vgpus, device))
    return {
        "index": told(nvml.device_get_index, device),
        "name": told(nvml.device_get_name, device),
        "uuid": told(nvml.device_get_uuid, device),
        "memory_v2": memory
        if isinstance(memory, dict)
        else [int(memory.total), int(memory.reserved), int(memory.used), int(memory.free)],
        "supported": supported,
        "creatable": listed(told(nvml.device_get_creatable_vgpus, device)),
        "active": listed(told(nvml.device_get_active_vgpus, device)),
        "types": {
            str(number): {
                "name": told(nvml.vgpu_type_get_name, number),
                "framebuffer": told(nvml.vgpu_type_get_framebuffer_size, number),
            }
            for number in ([] if isinstance(supported, dict) else supported)
        },
        "record": data,
        "opaque": None if found is None else found.opaque_data,
    }


def ask_instance(handle: int, gpu_records: list[Any]) -> dict[str, Any]:
    """What there is to know of an active vgpu, and its verdict on each gpu of the host."""
    data, found = record(nvml.vgpu_instance_get_metadata, handle, 212)
    vm = told(nvml.vgpu_instance_get_vm_id, handle)
    return {
        "handle": handle,
        "uuid": told(nvml.vgpu_instance_get_uuid, handle),
        "vm": vm if isinstance(vm, dict) else [vm[0], int(vm[1])],
        "type": told(nvml.vgpu_instance_get_type, handle),
        "driver": told(nvml.vgpu_instance_get_vm_driver_version, handle),
        "framebuffer_used": told(nvml.vgpu_instance_get_fb_usage, handle),
        "record": data,
        "opaque": None if found is None else found.opaque_data,
        "verdicts": [None if gpu is None else verdict(found, gpu) for gpu in gpu_records],
    }


def ranges() -> Any:
    """The preset range and the range in force."""
    found = told(nvml.get_vgpu_version)
    if isinstance(found, dict):
        return found
    return [[int(part.min_version), int(part.max_version)] for part in found]


def set_range(words: list[str]) -> Any:
    """`nvmlSetVgpuVersion`."""
    wanted = nvml.VgpuVersion()
    wanted.min_version, wanted.max_version = (int(word, 0) for word in words)
    return told(nvml.set_vgpu_version, wanted.ptr)


def main() -> None:
    """Ask everything, once; with arguments MIN MAX set the range first."""
    nvml.init_v2()
    answers = {
        "driver": told(nvml.system_get_driver_version),
        "branch": told(nvml.system_get_driver_branch),
    }
    if len(sys.argv) > 1:
        answers["set"] = set_range(sys.argv[1:3])
    answers["ranges"] = ranges()
    gpu_records: list[Any] = []
    answers["nobody"] = told(nvml.vgpu_instance_get_uuid, 0xDEAD)
    answers["gpus"] = [ask_gpu(index, gpu_records) for index in range(nvml.device_get_count_v2())]
    answers["vgpus"] = [
        ask_instance(handle, gpu_records)
        for gpu in answers["gpus"]
        if not isinstance(gpu["active"], dict)
        for handle in gpu["active"]
    ]
    nvml.shutdown()
    answers["after"] = told(nvml.device_get_count_v2)
    json.dump(answers, sys.stdout)


main()
