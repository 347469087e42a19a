"""C programs against NVIDIA's own header: every rule of the five functions, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.clients import fleets
from tests.clients.conftest import Serve
from tests.clients.prototypes import program
from tests.clients.running import compile_c, environment, nvml_header, run

from vgpu_migrate.hostd.serve import RunningHost

C = Path(__file__).parent / "c"


def records_of(host: RunningHost) -> str:
    """The records of instance 1 and gpu 0 as the host's Python says them, as the walker prints them."""
    gpu = host.live.gpus()[0].id
    return f"vgpu {host.live.instance_metadata(1).hex()}\npgpu {host.live.gpu_metadata(gpu).hex()}\n"


def test_every_row_of_the_five_functions(serve: Serve, tmp_path: Path) -> None:
    """Codes, order of checks and sizes are as specified, and no byte beside a buffer is touched."""
    host = serve(fleets.a_studio())
    walker = compile_c(C / "walk.c", tmp_path, "-I", nvml_header())
    assert run([str(walker)], environment(host.socket)) == records_of(host)


@pytest.mark.parametrize("driver", ["470.256.02", "550.54.16", "580.126.08"])
def test_every_prototype_can_be_called(serve: Serve, tmp_path: Path, driver: str) -> None:
    """Each function, called as its prototype says, answers one of NVML's codes, and 1 without init."""
    source = tmp_path / "prototypes.c"
    source.write_text(program(nvml_header()), encoding="ascii")
    caller = compile_c(source, tmp_path, "-I", nvml_header(), "-I", C, "-Wno-deprecated-declarations")
    host = serve(fleets.an_empty_studio(driver=driver))
    assert run([str(caller)], environment(host.socket)) == ""


def test_programs_by_their_calls(serve: Serve, tmp_path: Path) -> None:
    """The ways in which gpumon, go-nvml and nvml-wrapper ask all end with the host's own records."""
    host = serve(fleets.a_studio())
    caller = compile_c(C / "patterns.c", tmp_path, "-I", nvml_header(), "-ldl")
    vgpu, pgpu = records_of(host).splitlines()
    assert run([str(caller)], environment(host.socket)).splitlines() == [
        f"gpumon {pgpu}",
        f"gpumon {vgpu}",
        f"go {pgpu}",
        f"go {vgpu}",
        "wrapper gpu 0: 3",
        "wrapper gpu 1: 3",
        "wrapper gpu 3: 0",
    ]


def test_under_xen_a_vm_is_its_domain(serve: Serve, tmp_path: Path) -> None:
    """What gpumon matches with Xen's domain ids is their decimal text."""
    source = tmp_path / "domains.c"
    source.write_text(
        """
        #include <nvml.h>
        #include <stdio.h>
        int main(void)
        {
            char vm[80];
            nvmlVgpuVmIdType_t kind;
            nvmlInit();
            for (unsigned int handle = 1; handle <= 6; handle++)
                if (nvmlVgpuInstanceGetVmID(handle, vm, sizeof vm, &kind) == 0)
                    printf("%u %s %d\\n", handle, vm, (int)kind);
            return 0;
        }
        """
    )
    host = serve(fleets.a_studio(hypervisor="xen"))
    printed = run([str(compile_c(source, tmp_path, "-I", nvml_header()))], environment(host.socket))
    domains = {vm.domid: [vgpu.instance for vgpu in vm.vgpus] for vm in host.live.show().vms}
    wanted = [(handle, domid) for domid, handles in domains.items() for handle in handles]
    assert printed.splitlines() == [f"{handle} {domid} 0" for handle, domid in sorted(wanted)]
