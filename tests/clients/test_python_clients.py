"""Unmodified NVML clients in Python are told of a live host what its file and the software manager say."""

from __future__ import annotations

from typing import Any

import pytest
from tests.clients import fleets
from tests.clients.conftest import Serve
from tests.clients.expected import expected
from tests.clients.running import ask

from vgpu_migrate.model import Fleet, VersionRange

NVIDIA_ML_PY, CUDA = "ask_nvidia_ml_py.py", "ask_cuda_bindings.py"
CLIENTS = [("nvidia-ml-py", NVIDIA_ML_PY), ("nvidia-ml-py-12", NVIDIA_ML_PY), ("cuda-bindings", CUDA)]
every_client = pytest.mark.parametrize(("client", "program"), CLIENTS, ids=[name for name, _ in CLIENTS])

HOSTS = {
    "studio": fleets.a_studio,
    "xen": lambda: fleets.a_studio(hypervisor="xen"),
    "newest": lambda: fleets.a_studio(driver="580.126.08"),
    "range": lambda: fleets.a_studio(range=[0x120001, 0x140001]),
    "empty": fleets.an_empty_studio,
    "mig": fleets.a_mig_host,
    "plain": fleets.a_plain_host,
    "old": fleets.an_old_host,
}


def differences(answered: Any, wanted: Any, place: str = "") -> list[str]:
    """Where an answer is not as wanted; keys that are not wanted do not matter."""
    if isinstance(wanted, dict) and isinstance(answered, dict):
        return [
            line
            for key, value in wanted.items()
            if key in answered
            for line in differences(answered[key], value, f"{place}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(answered, list) and len(answered) == len(wanted):
        pairs = enumerate(zip(answered, wanted, strict=True))
        return [line for i, (one, other) in pairs for line in differences(one, other, f"{place}[{i}]")]
    return [] if answered == wanted else [f"{place}: {answered!r}, wanted {wanted!r}"]


@every_client
@pytest.mark.parametrize("host", HOSTS)
def test_a_client_is_told_what_the_file_says(serve: Serve, client: str, program: str, host: str) -> None:
    """Lists, names, records to the byte, verdicts and ranges are those of the file and of the manager."""
    fleet: Fleet = HOSTS[host]()
    answers = ask(client, program, serve(fleet).socket)
    assert differences(answers, expected(fleet)) == []


@every_client
def test_nothing_is_left_out(serve: Serve, client: str, program: str) -> None:
    """All that is wanted of the host is among what the client answers."""
    fleet = fleets.a_studio()
    answers, wanted = ask(client, program, serve(fleet).socket), expected(fleet)
    assert (len(answers["gpus"]), len(answers["vgpus"])) == (4, 6)
    for part in ("gpus", "vgpus"):
        for answered, one in zip(answers[part], wanted[part], strict=True):
            assert {"record", "active"} & set(one) <= set(answered)
    assert {"driver", "ranges"} <= set(answers)


@every_client
def test_codes_are_the_clients_own_exceptions(serve: Serve, client: str, program: str) -> None:
    """An unknown instance is NOT_FOUND, and after the last shutdown every call is UNINITIALIZED."""
    answers = ask(client, program, serve(fleets.a_studio()).socket)
    assert (answers["nobody"], answers["after"]) == ({"error": 6}, {"error": 1})


@every_client
def test_a_range_is_set_for_the_whole_host(serve: Serve, client: str, program: str) -> None:
    """A range set by one process is in force for the next, and for the host itself."""
    host = serve(fleets.an_empty_studio())
    preset, narrow = [0x70001, 0x140001], [0x120001, 0x140001]
    setting = ask(client, program, host.socket, "0x120001", "0x140001")
    assert (setting["set"], setting["ranges"]) in ((None, [preset, narrow]), (0, [preset, narrow]))
    assert ask(client, program, host.socket)["ranges"] == [preset, narrow]
    assert host.live.vgpu_versions() == (VersionRange(*preset), VersionRange(*narrow))


@every_client
@pytest.mark.parametrize(
    ("wanted", "code"),
    [(("0x140001", "0x70001"), 2), (("0x60001", "0x140001"), 2), (("0x120001", "0x140001"), 19)],
    ids=["upside-down", "outside", "in-use"],
)
def test_a_range_is_refused(
    serve: Serve, client: str, program: str, wanted: tuple[str, str], code: int
) -> None:
    """A range that is none, or not inside the preset one, is INVALID_ARGUMENT; else a VM makes it IN_USE."""
    answers = ask(client, program, serve(fleets.a_studio()).socket, *wanted)
    assert answers["set"] == {"error": code}
    assert answers["ranges"] == [[0x70001, 0x140001], [0x70001, 0x140001]]


@every_client
def test_a_plain_driver_has_no_range_to_set(serve: Serve, client: str, program: str) -> None:
    """Without a vGPU Manager the range can be neither read nor set: NOT_SUPPORTED."""
    answers = ask(client, program, serve(fleets.a_plain_host()).socket, "0x70001", "0x140001")
    assert (answers["set"], answers["ranges"]) == ({"error": 3}, {"error": 3})


@every_client
def test_memory_in_use_is_the_sum_of_the_vgpus(serve: Serve, client: str, program: str) -> None:
    """A gpu's used framebuffer is what its vgpus use together, and with the free part makes the whole."""
    fleet = fleets.a_studio()
    answers = ask(client, program, serve(fleet).socket)
    used_by_vgpu = {one["handle"]: one["framebuffer_used"] for one in answers["vgpus"]}
    for answered, wanted in zip(answers["gpus"], expected(fleet)["gpus"], strict=True):
        active = [] if isinstance(answered["active"], dict) else answered["active"]
        used = sum(used_by_vgpu[handle] for handle in active)
        if "memory" in answered:
            whole, in_use, free = answered["memory"]
            # nvidia-ml-py has four bytes for what a vgpu uses, where NVML writes eight.
            assert (whole, in_use + free, in_use % 2**32) == (wanted["total"], whole, used % 2**32)
        else:
            total, reserved, in_use, free = answered["memory_v2"]
            assert (total, in_use, free) == (wanted["total"], used, total - reserved - used)


@every_client
def test_a_large_host_is_listed_whole(serve: Serve, client: str, program: str) -> None:
    """Sixteen gpus with thirty-two vgpus each: every one is there, with its record."""
    fleet = fleets.a_full_host()
    answers = ask(client, program, serve(fleet).socket)
    manager = expected(fleet)
    assert len(answers["vgpus"]) == 512
    assert [one["record"] for one in answers["vgpus"]] == [one["record"] for one in manager["vgpus"]]


def test_functions_of_later_drivers_are_not_there(serve: Serve) -> None:
    """On a host of driver 470 what came later answers FUNCTION_NOT_FOUND, as a real old library would."""
    old = ask("cuda-bindings", CUDA, serve(fleets.an_old_host()).socket)
    assert old["branch"] == {"error": 13}
    new = ask("cuda-bindings", CUDA, serve(fleets.a_studio(driver="580.126.08")).socket)
    assert new["branch"] == "r580_00"


def test_without_a_host_there_is_no_driver(serve: Serve) -> None:
    """Where no host can be reached, nvidia-ml-py says Driver Not Loaded."""
    with pytest.raises(AssertionError, match="NVMLError_DriverNotLoaded: Driver Not Loaded"):
        ask("nvidia-ml-py", NVIDIA_ML_PY, serve(fleets.a_plain_host()).socket.with_name("nobody"))
