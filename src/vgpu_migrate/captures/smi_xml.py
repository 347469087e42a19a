"""`nvidia-smi -q -x`; of `nvidia-smi vgpu -q -x`, which no capture shows, what it has in common with that."""

from __future__ import annotations

from vgpu_migrate.captures.findings import Findings, GpuSaid, Said, missing_gpus, pci_address, says
from vgpu_migrate.captures.smi_text import pci_words
from vgpu_migrate.captures.xml_tree import Element

OF_VGPUS = frozenset(
    {"active_vgpus", "guest_driver_version", "vgpu_id", "vgpu_name", "vgpu_type", "vgpu_uuid", "vm_uuid"}
)
"""What `nvidia-smi vgpu -q` prints of vgpus and `-q` does not, as its XML would call it."""
UNREAD = "the XML of `nvidia-smi vgpu -q -x` is not read; use `nvidia-smi vgpu -q`"


def smi_log(root: Element) -> Findings:
    """What the log says of its driver and its gpus."""
    driver = root.said("driver_version")
    gpus = []
    for gpu in root.all("gpu"):
        address = gpu.attributes.get("id") or (_text(gpu.said("pci", "pci_bus_id")))
        words: dict[str, Said | None] = {
            "uuid": gpu.said("uuid"),
            "product": gpu.said("product_name"),
            "ecc": gpu.said("ecc_mode", "current_ecc"),
            "host_mode": gpu.said("gpu_virtualization_mode", "host_vgpu_mode"),
            "heterogeneous": gpu.said("gpu_virtualization_mode", "vgpu_heterogeneous_mode"),
            "mig": gpu.said("mig_mode", "current_mig"),
        }
        words |= pci_words(gpu.said("pci", "pci_device_id"), gpu.said("pci", "pci_sub_system_id"))
        found = says(words)
        # "None" and "N/A" of these two say something: no vGPU host, no ECC.
        for name, path in {
            "virtualization": ("gpu_virtualization_mode", "virtualization_mode"),
            "ecc": ("ecc_mode", "current_ecc"),
        }.items():
            said = gpu.said(*path)
            if said is not None:
                found[name] = said
        gpus.append(GpuSaid(pci_address(address), gpu.place, found))
    against = missing_gpus(root.said("attached_gpus"), gpus)
    drivers = () if driver is None else (driver,)
    vgpus = next((one for one in root.descendants() if one.tag in OF_VGPUS), None)
    notes = () if vgpus is None else (Said(UNREAD, vgpus.place),)
    return Findings(drivers=drivers, gpus=tuple(gpus), contradictions=against, notes=notes)


def _text(said: Said | None) -> str:
    return "" if said is None else said.text
