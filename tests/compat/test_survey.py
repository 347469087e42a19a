"""Where one VM may go: targets, hosts, room and support."""

from typing import Any

import pytest

from vgpu_migrate.compat import Survey, survey
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.model import HostId, VmId
from vgpu_migrate.model.fleetfile import parse_fleet
from vgpu_migrate.nvml import ALL_STATES, Limits, States


def a_host(host_id: str, *, board: str = "T4", gpus: int = 1, **more: Any) -> dict[str, Any]:
    of_gpu = more.pop("gpu", {})
    return {
        "id": host_id,
        "driver": "550.54.16",
        "gpus": [{"board": board, **of_gpu} for _ in range(gpus)],
        **more,
    }


def a_vm(vm_id: str, *gpus: str, vgpu_type: str = "T4-8Q", **more: Any) -> dict[str, Any]:
    host = gpus[0].split("/")[0]
    return {
        "id": vm_id,
        "host": host,
        "state": "running",
        "memory_mib": 1024,
        "guest_driver": "550.54.14",
        "vgpus": [{"type": vgpu_type, "gpu": gpu} for gpu in gpus],
        **more,
    }


def answer(hosts: list[dict[str, Any]], *vms: dict[str, Any], to: str | None = None, **fleet: Any) -> Survey:
    """The survey of the first VM."""
    read = parse_fleet({"fleetfile_version": 1, "hosts": hosts, "vms": list(vms), **fleet}, source="test")
    return survey(read, read.vms[VmId(vms[0]["id"])], to=None if to is None else HostId(to))


def test_every_gpu_of_every_schedulable_host_is_a_target() -> None:
    """One target per gpu, in the file's order."""
    found = answer([a_host("h1", gpus=2), a_host("h2"), a_host("h3", board="A40")], a_vm("v", "h1/0"))
    assert [target.gpu for target in found.targets] == ["h1/0", "h1/1", "h2/0", "h3/0"]
    assert [target.verdict.states for target in found.targets] == [ALL_STATES] * 3 + [States.NONE]
    assert Limits.GPU in found.targets[3].verdict.limits
    assert found.is_live_elsewhere


def test_own_host_is_a_target_though_not_schedulable() -> None:
    """A VM's own host is looked at even where nothing may move to; another such host is left out."""
    found = answer(
        [a_host("h1", schedulable=False), a_host("h2", schedulable=False), a_host("h3")], a_vm("v", "h1/0")
    )
    assert [answer.host for answer in found.hosts] == ["h1", "h3"]
    assert found.left_out == {"h2": "h2 is not schedulable"}


def test_hosts_and_gpus_without_vgpu_are_left_out() -> None:
    """Those with `manager: false` or `vgpu: false` are no targets."""
    found = answer(
        [a_host("h1"), a_host("h2", manager=False), a_host("h3", gpu={"vgpu": False})], a_vm("v", "h1/0")
    )
    assert [target.host for target in found.targets] == ["h1"]
    assert found.left_out == {
        "h2": "h2 runs no vGPU Manager",
        "h3": "no gpu of h3 is a vGPU host",
    }
    assert not found.is_live_elsewhere


def test_vm_stays_in_its_migration_domain() -> None:
    """Hosts of another domain are left out, with the reason."""
    found = answer([a_host("h1", domain="a"), a_host("h2", domain="b")], a_vm("v", "h1/0"), to="h2")
    assert found.targets == ()
    assert found.left_out == {"h2": "h2 is in migration domain b, v in a"}


def test_vm_without_host_is_judged_on_all_domains_each_with_its_profile() -> None:
    """An off VM belongs to no domain; each target applies its own domain's profile."""
    off = {
        "id": "v",
        "state": "off",
        "memory_mib": 1024,
        "guest_driver": "550.54.14",
        "vgpus": [{"type": "T4-8Q"}],
    }
    found = answer([a_host("h1", domain="a"), a_host("h2", domain="b")], off)
    assert [(answer.host, answer.states) for answer in found.hosts] == [
        ("h1", States.COLD),
        ("h2", States.COLD),
    ]


def test_states_of_a_host_are_those_for_which_every_vgpu_finds_some_gpu() -> None:
    """A host with one gpu for each of two vgpus takes the VM live though no single gpu takes both."""
    vm = a_vm("v", "h1/0", "h1/1")
    vm["vgpus"][1]["type"] = "A40-8Q"
    mixed = [{"board": "T4"}, {"board": "A40"}]
    found = answer([a_host("h1", gpus=0) | {"gpus": mixed}, a_host("h2", gpus=0) | {"gpus": mixed}], vm)
    elsewhere = found.hosts[1]
    assert (elsewhere.host, elsewhere.states, elsewhere.fits) == ("h2", ALL_STATES, True)
    assert [target.verdict.states for target in found.targets[2:]] == [States.NONE, States.NONE]
    assert [target.fits for target in found.targets[2:]] == [True, True]


def test_fits_is_capacity_as_it_stands_and_never_changes_the_verdict() -> None:
    """A gpu locked to another type does not fit, yet stays compatible."""
    found = answer([a_host("h1"), a_host("h2")], a_vm("v", "h1/0"), a_vm("w", "h2/0", vgpu_type="T4-4Q"))
    assert [(target.fits, target.verdict.states) for target in found.targets] == [
        (True, ALL_STATES),
        (False, ALL_STATES),
    ]
    assert [(answer.host, answer.is_live, answer.fits) for answer in found.hosts] == [
        ("h1", True, True),
        ("h2", True, False),
    ]


def test_a_gpu_where_the_vm_sits_counts_as_fitting() -> None:
    """The VM's own full gpu fits; its neighbour, full with others, does not."""
    full = [a_vm(f"w{index}", "h1/1") for index in range(2)]
    found = answer([a_host("h1", gpus=2)], a_vm("v", "h1/0"), a_vm("u", "h1/0"), *full)
    assert [target.fits for target in found.targets] == [True, False]
    assert found.hosts[0].fits


@pytest.mark.parametrize(
    ("given", "fits"), [({"memory_mib": 1023}, False), ({"memory_mib": 1024}, True), ({}, True)]
)
def test_memory_counts_where_the_file_gives_it(given: dict[str, Any], fits: bool) -> None:
    """A host without the VM's memory does not fit; where no figure is given none is checked."""
    found = answer([a_host("h1"), a_host("h2", **given)], a_vm("v", "h1/0"))
    assert found.hosts[1].fits is fits


def test_stun_estimate_is_the_framebuffer_over_the_wire() -> None:
    """8 GiB at 25 Gbit/s are 8192 MiB times 2^23 bits, over 25e9."""
    found = answer([a_host("h1")], a_vm("v", "h1/0"))
    assert found.targets[0].stun_s_estimate == pytest.approx(8192 * 2**23 / 25e9)


def test_support_stands_beside_the_verdict() -> None:
    """A pairing that no document lists is told as outside, the verdict unchanged."""
    hosts = [a_host("h1"), a_host("h2", driver="580.126.08")]
    found = answer(hosts, a_vm("v", "h1/0"))
    assert [(target.supported.verdict, target.verdict.is_live) for target in found.targets] == [
        ("documented", True),
        ("outside", True),
    ]


def test_a_host_that_the_fleet_does_not_have_is_an_unknown_name() -> None:
    """Asked for a host that is not there, the survey names the nearest."""
    with pytest.raises(UnknownNameError, match="unknown host h11; did you mean h1"):
        answer([a_host("h1"), a_host("h2")], a_vm("v", "h1/0"), to="h11")
