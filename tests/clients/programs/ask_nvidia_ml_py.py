"""What nvidia-ml-py is told of a host, as JSON. Run by the tests with nothing of this project in its path.

It speaks both the newest nvidia-ml-py and that of the 535 branch, which returns bytes for some texts.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

nvml: Any = importlib.import_module("pynvml")


def told(call: Callable[..., Any], *arguments: object) -> Any:
    """What a call answers, or its error's number."""
    try:
        answer = call(*arguments)
    except nvml.NVMLError as error:
        return {"error": error.value}
    return answer.decode() if isinstance(answer, bytes) else answer


def record(call: Callable[..., Any], thing: object) -> tuple[Any, Any]:
    """A metadata record: its true bytes, by the offset of the opaque part and the size that it names."""
    found = told(call, thing)
    if isinstance(found, dict):
        return found, None
    size = type(found).opaqueData.offset + found.opaqueDataSize
    return bytes(found)[:size].hex(), found


def numbers(*names: str) -> Callable[[Any], Any]:
    """Some members of a structure that a call answers."""
    return lambda found: found if isinstance(found, dict) else [getattr(found, name) for name in names]


def ask_type(device: object, number: int) -> dict[str, Any]:
    """Everything about a vgpu type."""
    return {
        "name": told(nvml.nvmlVgpuTypeGetName, number),
        "class": told(nvml.nvmlVgpuTypeGetClass, number),
        "framebuffer": told(nvml.nvmlVgpuTypeGetFramebufferSize, number),
        "max_instances": told(nvml.nvmlVgpuTypeGetMaxInstances, device, number),
        "device": told(nvml.nvmlVgpuTypeGetDeviceID, number),
        "heads": told(nvml.nvmlVgpuTypeGetNumDisplayHeads, number),
        "resolution": told(nvml.nvmlVgpuTypeGetResolution, number),
    }


def ask_instance(handle: int, gpu_records: list[Any]) -> dict[str, Any]:
    """Everything about an active vgpu, and its verdict on each gpu of the host."""
    vm = told(nvml.nvmlVgpuInstanceGetVmID, handle)
    data, found = record(nvml.nvmlVgpuInstanceGetMetadata, handle)
    return {
        "handle": handle,
        "uuid": told(nvml.nvmlVgpuInstanceGetUUID, handle),
        "vm": vm
        if isinstance(vm, dict)
        else [text.decode() if isinstance(text, bytes) else text for text in vm],
        "type": told(nvml.nvmlVgpuInstanceGetType, handle),
        "driver": told(nvml.nvmlVgpuInstanceGetVmDriverVersion, handle),
        "framebuffer_used": told(nvml.nvmlVgpuInstanceGetFbUsage, handle),
        "mdev": told(nvml.nvmlVgpuInstanceGetMdevUUID, handle),
        "record": data,
        "verdicts": [None if gpu is None else verdict(found, gpu) for gpu in gpu_records],
    }


def verdict(vgpu: object, gpu: object) -> Any:
    """`nvmlGetVgpuCompatibility` of two records, as numbers."""
    found = told(nvml.nvmlGetVgpuCompatibility, vgpu, gpu)
    if isinstance(found, dict):
        return found
    return [found.vgpuVmCompatibility, found.compatibilityLimitCode & 0xFFFFFFFF]


def ask_gpu(index: int, gpu_records: list[Any]) -> dict[str, Any]:
    """Everything about a gpu but its vgpus."""
    device = nvml.nvmlDeviceGetHandleByIndex(index)
    data, found = record(nvml.nvmlDeviceGetVgpuMetadata, device)
    gpu_records.append(found)
    supported = told(nvml.nvmlDeviceGetSupportedVgpus, device)
    string = told(nvml.nvmlDeviceGetPgpuMetadataString, device)
    memory = told(nvml.nvmlDeviceGetMemoryInfo, device)
    pci = told(nvml.nvmlDeviceGetPciInfo, device)
    pci_id = pci if isinstance(pci, dict) else pci.busId
    return {
        "index": told(nvml.nvmlDeviceGetIndex, device),
        "name": told(nvml.nvmlDeviceGetName, device),
        "uuid": told(nvml.nvmlDeviceGetUUID, device),
        "pci": pci_id.decode() if isinstance(pci_id, bytes) else pci_id,
        "mode": told(nvml.nvmlDeviceGetVirtualizationMode, device),
        "host_mode": told(nvml.nvmlDeviceGetHostVgpuMode, device),
        "mig": told(nvml.nvmlDeviceGetMigMode, device),
        "memory": numbers("total", "used", "free")(memory),
        "supported": supported,
        "creatable": told(nvml.nvmlDeviceGetCreatableVgpus, device),
        "active": told(nvml.nvmlDeviceGetActiveVgpus, device),
        "types": {
            str(number): ask_type(device, number)
            for number in ([] if isinstance(supported, dict) else supported)
        },
        "record": data,
        "string": string if isinstance(string, dict) else text_of(string[0]),
    }


def text_of(value: Any) -> Any:
    """Old releases answer bytes."""
    return value.decode() if isinstance(value, bytes) else value


def ranges() -> Any:
    """The preset range and the range in force."""
    both = nvml.c_nvmlVgpuVersion_t(), nvml.c_nvmlVgpuVersion_t()
    found = told(nvml.nvmlGetVgpuVersion, *both)
    return found if isinstance(found, dict) else [[part.minVersion, part.maxVersion] for part in both]


def main() -> None:
    """Ask everything, once; with arguments MIN MAX set the range first."""
    nvml.nvmlInit()
    answers = {"driver": told(nvml.nvmlSystemGetDriverVersion)}
    if len(sys.argv) > 1:
        wanted = nvml.c_nvmlVgpuVersion_t(*(int(word, 0) for word in sys.argv[1:3]))
        answers["set"] = told(nvml.nvmlSetVgpuVersion, wanted)
    answers["ranges"] = ranges()
    gpu_records: list[Any] = []
    gpus = [ask_gpu(index, gpu_records) for index in range(nvml.nvmlDeviceGetCount())]
    answers["gpus"] = gpus
    answers["vgpus"] = [
        ask_instance(handle, gpu_records)
        for gpu in gpus
        if not isinstance(gpu["active"], dict)
        for handle in gpu["active"]
    ]
    answers["nobody"] = record(nvml.nvmlVgpuInstanceGetMetadata, 0xDEAD)[0]
    nvml.nvmlShutdown()
    answers["after"] = told(nvml.nvmlDeviceGetCount)
    json.dump(answers, sys.stdout)


main()
