"""A host's vgpus as its kernel shows them in sysfs: a pure function of the state.

Two models, gpu by gpu. *mdev*: a gpu, or each virtual function of an SR-IOV gpu, offers types, and a UUID
written to one makes a mediated device. *vendor VFIO*: a type id written to a virtual function makes it a
vgpu. A VM that was started without devices shows devices of its own while it lives.

Sources: paths and formats as in captures of hosts with P100, T4, A2, A40 and L40S, and Linux's own for what
is common to all buses. Where none shows a file's content with a value in it, it is our assumption.
"""

from __future__ import annotations

from functools import partial

from vgpu_migrate.facts import VgpuType
from vgpu_migrate.manager import Device, DeviceId, HostState, mdev_uuid
from vgpu_migrate.sysfs.inventory import FIRST_VIRTUAL_FUNCTION, CardView, SysfsModel, cards
from vgpu_migrate.sysfs.nodes import (
    READ_WRITE,
    WRITE_ONLY,
    CreateMdev,
    Directory,
    File,
    Link,
    Node,
    RemoveMdev,
    SetFunctions,
    SetPlacement,
    SetType,
    folder,
    text,
)
from vgpu_migrate.sysfs.pci import DRIVER, Function, function_files

MDEV_DRIVER = "vfio_mdev"
MANAGER_MODULE = "nvidia_vgpu_vfio"
DEVICE_API = "vfio-pci"
EMPTY = b"\n"
"""What attributes of a vgpu hold where they have no value."""


def sysfs_tree(state: HostState, model: SysfsModel = SysfsModel.AUTO) -> Directory:
    """The tree below /sys, as far as programs look that take stock of vgpus.

    Args:
        state: the host.
        model: which of the two faces its vgpus have.

    Raises:
        InputError: two PCI functions of the host would have one address.
    """
    return Directory(partial(_root, state, cards(state, model)))


def _root(state: HostState, views: tuple[CardView, ...]) -> dict[str, Node]:
    tree: dict[str, Node] = {
        "bus": Directory(partial(_buses, state, views)),
        "devices": Directory(partial(_devices, views)),
        "kernel": folder({"iommu_groups": Directory(partial(_iommu_groups, views))}),
        "module": folder(_modules(state)),
    }
    parents = {at: Link(f"../../devices/{root}/{at}") for root, at in _mdev_parents(views)}
    return {**tree, "class": folder({"mdev_bus": folder(parents)} if parents else {})}


def _modules(state: HostState) -> dict[str, Node]:
    version = {"version": text(state.host.driver)}
    modules: dict[str, Node] = {"nvidia": folder(version)}
    if state.host.has_manager:
        modules[MANAGER_MODULE] = folder(version)
    return modules


def _mdev_parents(views: tuple[CardView, ...]) -> list[tuple[str, str]]:
    """The functions that mediated devices are made on, with their root: the virtual ones if there are any."""
    return [(view.root, at) for view in views if view.has_mdevs for at in view.functions or (view.address,)]


def _buses(state: HostState, views: tuple[CardView, ...]) -> dict[str, Node]:
    pci = {at: view.root for view in views for at in (view.address, *view.functions)}
    buses: dict[str, Node] = {
        "pci": folder(
            {
                "devices": folder({at: Link(f"../../../devices/{root}/{at}") for at, root in pci.items()}),
                "drivers": folder(
                    {
                        DRIVER: folder(
                            {at: Link(f"../../../../devices/{root}/{at}") for at, root in pci.items()}
                        )
                    }
                ),
            }
        )
    }
    if _mdev_parents(views):
        paths = {
            mdev_uuid(device.id): f"devices/{view.root}/{_parent(view, device)}/{mdev_uuid(device.id)}"
            for view in views
            if view.has_mdevs
            for device in view.devices
        }
        buses["mdev"] = folder(
            {
                "devices": folder({name: Link(f"../../../{path}") for name, path in paths.items()}),
                "drivers": folder(
                    {MDEV_DRIVER: folder({name: Link(f"../../../../{path}") for name, path in paths.items()})}
                ),
            }
        )
    return buses


def _parent(view: CardView, device: Device) -> str:
    """The PCI function that a mediated device is on."""
    return view.address if device.function is None else view.functions[device.function]


def _devices(views: tuple[CardView, ...]) -> dict[str, Node]:
    roots: dict[str, dict[str, Node]] = {}
    for view in views:
        root = roots.setdefault(view.root, {})
        root[view.address] = Directory(partial(_physical_function, view))
        for number, at in enumerate(view.functions):
            root[at] = Directory(partial(_virtual_function, view, number))
    return {name: folder(entries) for name, entries in roots.items()}


def _physical_function(view: CardView) -> dict[str, Node]:
    files = function_files(Function(view.address, view.device_id, view.subsystem_id, view.group))
    count = len(view.functions)
    if count:
        files |= {
            "sriov_drivers_autoprobe": text(1),
            "sriov_numvfs": File(f"{count}\n".encode(), READ_WRITE, SetFunctions(number=count)),
            "sriov_offset": text(FIRST_VIRTUAL_FUNCTION),
            "sriov_stride": text(1),
            "sriov_totalvfs": text(count),
            "sriov_vf_device": text(f"{view.device_id:x}"),
            **{f"virtfn{number}": Link(f"../{at}") for number, at in enumerate(view.functions)},
        }
    elif view.has_mdevs:
        files |= _mdev_files(view, None)
    return files


def _virtual_function(view: CardView, number: int) -> dict[str, Node]:
    at = view.functions[number]
    files = function_files(Function(at, view.device_id, 0, view.function_group(number)))
    files["physfn"] = Link(f"../{view.address}")
    if view.has_mdevs:
        return files | _mdev_files(view, number)
    return {**files, "nvidia": folder(_vendor_files(view, number))}


def _vendor_files(view: CardView, number: int) -> dict[str, Node]:
    device = view.on_function.get(number)
    current = 0 if device is None else device.type.type_id
    action = SetType(
        gpu=view.gpu.id,
        function=number,
        types=view.types,
        new_device=DeviceId(view.functions[number]),
        device=None if device is None else device.id,
    )
    return {
        "creatable_vgpu_types": File(_creatable(view, device).encode()),
        "current_vgpu_type": File(f"{current}\n".encode(), READ_WRITE, action),
        **_vgpu_files(device),
        "warm_update": File(EMPTY),
    }


def _creatable(view: CardView, device: Device | None) -> str:
    """The types that can be set now, by id; a function that has one offers no other."""
    lines = [f"{'ID':<6}: vGPU Name"]
    if device is None:
        lines += [f"{one.type_id:<6}: {one.long}" for one in view.types if view.room[one]]
    return "".join(f"{line}\n" for line in lines)


def _vgpu_files(device: Device | None) -> dict[str, Node]:
    action = SetPlacement(None if device is None else device.id)
    placement = EMPTY
    if device is not None and device.placement is not None:
        placement = f"{device.placement}\n".encode()
    return {
        "gpu_instance_id": File(EMPTY),
        "placement_id": File(placement, READ_WRITE, action),
        "vgpu_params": File(EMPTY),
    }


def _mdev_files(view: CardView, number: int | None) -> dict[str, Node]:
    here = [device for device in view.devices if device.function == number]
    return {
        "mdev_supported_types": Directory(
            lambda: {
                one.mdev_name: Directory(partial(_type_files, view, one, number, here)) for one in view.types
            }
        ),
        **{mdev_uuid(device.id): Directory(partial(_instance, view, device)) for device in here},
    }


def _type_files(
    view: CardView, vgpu_type: VgpuType, number: int | None, here: list[Device]
) -> dict[str, Node]:
    room = view.room[vgpu_type]
    if number is not None:
        # A virtual function is one vgpu: it shows 1 or 0, whatever the whole gpu has room for.
        room = min(room, 0 if here else 1)
    own = [mdev_uuid(device.id) for device in here if device.type is vgpu_type]
    return {
        "available_instances": text(room),
        "create": File(b"", WRITE_ONLY, CreateMdev(view.gpu.id, vgpu_type, number)),
        "description": text(description(vgpu_type)),
        "device_api": text(DEVICE_API),
        "devices": folder({name: Link(f"../../../{name}") for name in own}),
        "name": text(vgpu_type.long),
    }


def description(vgpu_type: VgpuType) -> str:
    """A type in the words of the mdev tree."""
    return (
        f"num_heads={vgpu_type.heads}, frl_config={vgpu_type.frame_rate_limit}, "
        f"framebuffer={vgpu_type.framebuffer_mib}M, "
        f"max_resolution={vgpu_type.max_x}x{vgpu_type.max_y}, max_instance={vgpu_type.max_instances}"
    )


def _instance(view: CardView, device: Device) -> dict[str, Node]:
    return {
        "driver": Link(f"../../../../bus/mdev/drivers/{MDEV_DRIVER}"),
        "iommu_group": Link(f"../../../../kernel/iommu_groups/{view.mdev_group(device)}"),
        "mdev_type": Link(f"../mdev_supported_types/{device.type.mdev_name}"),
        "nvidia": folder(_vgpu_files(device)),
        "remove": File(b"", WRITE_ONLY, RemoveMdev(device.id)),
        "subsystem": Link("../../../../bus/mdev"),
        "uevent": text(f"DRIVER={MDEV_DRIVER}\nMODALIAS=mdev"),
    }


def _iommu_groups(views: tuple[CardView, ...]) -> dict[str, Node]:
    groups: dict[int, dict[str, str]] = {}
    for view in views:
        groups[view.group] = {view.address: f"{view.root}/{view.address}"}
        for number, at in enumerate(view.functions):
            groups[view.function_group(number)] = {at: f"{view.root}/{at}"}
        for device in view.devices if view.has_mdevs else ():
            name = mdev_uuid(device.id)
            at = f"{view.root}/{_parent(view, device)}/{name}"
            groups.setdefault(view.mdev_group(device), {})[name] = at
    return {
        str(number): folder(
            {
                "devices": folder({name: Link(f"../../../../devices/{at}") for name, at in members.items()}),
                "type": text("DMA"),
            }
        )
        for number, members in sorted(groups.items())
    }
