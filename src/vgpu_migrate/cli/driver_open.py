"""How a `host` command asks this machine's real driver, and what becomes of the driver's "no"."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vgpu_migrate.cli import host_refusal
from vgpu_migrate.cli.host_open import HOST_VARIABLE
from vgpu_migrate.errors import InputError, OutsideError, Problem
from vgpu_migrate.hosts.driver import DriverGpu, DriverHost, open_driver
from vgpu_migrate.hosts.protocol import ActiveVgpu
from vgpu_migrate.nvml import InUseError, InvalidArgumentError, NotFoundError, NotSupportedError


class Placed(NamedTuple):
    """An active vgpu and the gpu that it is on."""

    vgpu: ActiveVgpu
    gpu: DriverGpu


def ask(act: Callable[[DriverHost], int], *, as_json: bool) -> int:
    """Do something with the driver's host and give the exit status; where the driver says no, tell why.

    Raises:
        InputError: the driver does not know what was named, or it makes no sense.
        OutsideError: there is no driver, or no vGPU, on this machine.
    """
    try:
        with open_driver() as host:
            return act(host)
    except InvalidArgumentError as error:
        raise InputError(Problem("driver", error.code.text.lower(), error.detail)) from None
    except (InUseError, NotFoundError, NotSupportedError) as error:
        return host_refusal.tell(error, as_json=as_json)
    except OutsideError as error:
        if os.environ.get(HOST_VARIABLE):
            raise
        hint = f"--socket or {HOST_VARIABLE} names a simulated host"
        raise OutsideError(f"{error}; {hint}") from None


def placed(host: DriverHost) -> Iterator[Placed]:
    """Every active vgpu of the machine with its gpu, by gpu and the driver's order."""
    for gpu in host.describe():
        if gpu.is_vgpu_host:
            for vgpu in host.active_vgpus(gpu.id):
                yield Placed(vgpu, gpu)
