"""Which host a `host` command speaks to, and what becomes of a host's "no"."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from vgpu_migrate.cli.options import Decorator, FileName

if TYPE_CHECKING:
    from vgpu_migrate.hosts.live import LiveHost

HOST_VARIABLE = "VGPU_MIGRATE_HOST"
_OF_THE_GROUP = "vgpu_migrate.socket"
_DRIVER = "vgpu_migrate.driver"


def _remember(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    if len(values) > 1 and not ctx.resilient_parsing:
        raise click.UsageError(f"--socket may be given once, not {len(values)} times", ctx)
    if values:
        ctx.meta[_OF_THE_GROUP] = values[0]
    found: str | None = ctx.meta.get(_OF_THE_GROUP)
    return found


socket_option: Decorator = click.option(
    "--socket",
    metavar="PATH",
    type=FileName(),
    multiple=True,
    callback=_remember,
    is_eager=True,
    help=f"Where the host listens; by default what {HOST_VARIABLE} names.",
)


def _remember_driver(ctx: click.Context, param: click.Parameter, is_given: bool) -> None:
    if is_given:
        ctx.meta[_DRIVER] = True


driver_option: Decorator = click.option(
    "--driver",
    is_flag=True,
    expose_value=False,
    callback=_remember_driver,
    help="This machine's real driver; also where no simulated host is named.",
)


def is_driver_named() -> bool:
    """Whether `--driver` stands on the line."""
    return bool(click.get_current_context().meta.get(_DRIVER))


def is_for_driver(socket: str | None) -> bool:
    """Whether the command speaks to this machine's real driver: told so, or no simulated host is named."""
    if not is_driver_named():
        return not (socket or os.environ.get(HOST_VARIABLE))
    if socket:
        raise click.UsageError("--driver and --socket do not go together: a socket is a simulated host's")
    return True


gpu_option: Decorator = click.option(
    "--gpu",
    "gpus",
    metavar="GPU[@PLACEMENT]",
    multiple=True,
    help="A gpu for each vgpu, in order, with its placement id on a mixed-size one; by default the first "
    "where verdict and room allow.",
)


def complete_vm(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The host's VMs whose ids begin so; nothing where the host cannot be reached."""
    return _complete(ctx, incomplete, lambda live: [vm.id for vm in live.show().vms])


def complete_gpu(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The host's gpus whose ids begin so."""
    return _complete(ctx, incomplete, lambda live: [gpu.id for gpu in live.show().gpus])


def complete_device(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The host's devices whose ids begin so and that no VM uses."""
    return _complete(ctx, incomplete, lambda live: [one.id for one in live.show().devices if one.vm is None])


def complete_thing(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The host's VMs and gpus whose ids begin so."""

    def names(live: LiveHost) -> list[str]:
        view = live.show()
        return [*(vm.id for vm in view.vms), *(gpu.id for gpu in view.gpus)]

    return _complete(ctx, incomplete, names)


def _complete(ctx: click.Context, incomplete: str, names: Callable[[LiveHost], list[str]]) -> list[str]:
    from vgpu_migrate.errors import VgpuMigrateError

    path = ctx.meta.get(_OF_THE_GROUP) or os.environ.get(HOST_VARIABLE)
    if not path:
        return []
    try:
        found = names(open_host(path))
    except VgpuMigrateError:
        return []
    return [name for name in found if name.startswith(incomplete) and name.isprintable()]


device_option: Decorator = click.option(
    "--device",
    "devices",
    metavar="ID",
    multiple=True,
    shell_complete=complete_device,
    help="In the place of --gpu: a device for each vgpu, in order, made before.",
)
vm_argument: Decorator = click.argument("vm", metavar="VM", shell_complete=complete_vm)


def path_of(socket: str | None) -> str:
    """The socket given, else the environment's.

    Raises:
        InputError: neither names one.
    """
    from vgpu_migrate.errors import InputError, Problem

    path = socket or os.environ.get(HOST_VARIABLE)
    if not path:
        raise InputError(
            Problem(
                "host",
                f"neither --socket nor {HOST_VARIABLE} names a simulated one",
                "start one with `vgpu-migrate hostd`",
            )
        )
    return path


def open_host(socket: str | None) -> LiveHost:
    """A client of the host; nothing is sent yet."""
    from vgpu_migrate.hosts.live import LiveHost

    return LiveHost(path_of(socket))


def seats_of(gpus: tuple[str, ...], devices: tuple[str, ...], live: LiveHost) -> Any:
    """The seats that `--gpu` or `--device` names, None for none.

    A gpu is `GPU@PLACEMENT`, unless one of the host has that id.

    Raises:
        UnknownNameError: the host has no such device.
        OutsideError: the host cannot be reached.
    """
    from vgpu_migrate.manager import Seat
    from vgpu_migrate.model import GpuId

    if gpus and devices:
        raise click.UsageError("--gpu and --device do not go together: a device is on a gpu already")
    if devices:
        return _seats_on(devices, live)
    if not gpus:
        return None
    known = {gpu.id for gpu in live.gpus()} if any("@" in text for text in gpus) else set()
    seats: list[Seat] = []
    for text in gpus:
        gpu, _, placement = text.rpartition("@")
        if text in known or not gpu:
            seats.append(Seat(GpuId(text)))
        elif placement.isdecimal():
            seats.append(Seat(GpuId(gpu), int(placement)))
        else:
            raise click.UsageError(
                f"--gpu {text}: {placement or 'nothing'} behind @; wanted a placement id in GiB"
            )
    return tuple(seats)


def _seats_on(devices: tuple[str, ...], live: LiveHost) -> Any:
    from vgpu_migrate.errors import UnknownNameError
    from vgpu_migrate.manager import DeviceId, Seat
    from vgpu_migrate.model import GpuId

    gpu_of = {device.id: device.gpu for device in live.show().devices}
    for name in devices:
        if name not in gpu_of:
            raise UnknownNameError("device", name, gpu_of)
    return tuple(Seat(GpuId(gpu_of[name]), device=DeviceId(name)) for name in devices)


def ask(socket: str | None, act: Callable[[LiveHost], int], *, as_json: bool) -> int:
    """Do something with the host and give the exit status; where the host says no, tell why.

    Raises:
        InputError: the host does not know what was named, or it makes no sense.
        OutsideError: the host cannot be reached.
    """
    from vgpu_migrate.cli import host_refusal
    from vgpu_migrate.errors import InputError, Problem, RefusedError
    from vgpu_migrate.nvml import InUseError, InvalidArgumentError, NotFoundError, NotSupportedError

    ctx = click.get_current_context()
    if ctx.meta.get(_DRIVER):
        raise click.UsageError(
            f"{ctx.info_name} is for simulated hosts: a real driver takes no such order from outside", ctx
        )
    live = open_host(socket)
    try:
        return act(live)
    except InvalidArgumentError as error:
        raise InputError(Problem(str(live.path), error.code.text.lower(), error.detail)) from None
    except (RefusedError, InUseError, NotFoundError, NotSupportedError) as error:
        return host_refusal.tell(error, as_json=as_json)
