"""The pin of a host: kept in a file, put in force, and told beside the driver's truth."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.daemon import a_hostd, wait_until_ready
from tests.cli.program import Answered, clean_environment, start
from tests.clients.running import client, environment

from vgpu_migrate.cli import pin_orders, schemas
from vgpu_migrate.cli.pin_orders import PinOrders
from vgpu_migrate.errors import InputError
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.hosts.pin import Difference, apply_pin, pin_state
from vgpu_migrate.model import VmId
from vgpu_migrate.nvml import VersionRange
from vgpu_migrate.pinio import read_pin, remove_pin, write_pin
from vgpu_migrate.testing import ONE_HOST, VgpuHost, simulated_host

PRESET = VersionRange(0x70001, 0x140001)
PIN = VersionRange(0x120001, 0x140001)
PLAIN = "hosts:\n  - {id: plain, driver: 550.54.16, manager: false, gpus: [{board: A40}]}\n"
WORDS = ("0x120001", "0x140001")

Ask = Callable[..., Answered]


@pytest.fixture
def host() -> Iterator[VgpuHost]:
    """A host with driver 550 and a VM that runs."""
    with simulated_host() as found:
        yield found


@pytest.fixture(params=["socket", "driver"])
def ask(request: pytest.FixtureRequest, host: VgpuHost, tmp_path: Path) -> Ask:
    """Asks `host pin` of the same host, over its socket or as if it were the real driver."""
    (tmp_path / "etc").mkdir()
    file = str(tmp_path / "etc" / "pin.toml")
    if request.param == "socket":
        return lambda *args: start("host", "--socket", str(host.socket), "pin", "--file", file, *args)
    env: dict[str, Any] = {**environment(host.socket, PYTHONPATH=str(client("nvidia-ml-py")))}
    return lambda *args: start("host", "--driver", "pin", "--file", file, *args, **env)


def answer(answered: Answered) -> dict[str, Any]:
    """The answer, which fits its schema."""
    found: dict[str, Any] = answered.json
    jsonschema.Draft202012Validator(schemas.schema("host-pin")).validate(found)
    return found


def test_only_the_usual_directory_is_made(tmp_path: Path) -> None:
    """A file without a directory is refused and nothing is made; the usual place is made."""
    missing = tmp_path / "none" / "pin.toml"
    done = start("host", "--driver", "pin", "--range", *WORDS, "--file", str(missing))
    assert (done.status, f"no directory {missing.parent}" in done.err) == (2, True)
    assert not missing.parent.exists()
    usual = tmp_path / "etc" / "vgpu-migrate" / "pin.toml"
    write_pin(usual, PIN)
    assert read_pin(usual) == PIN


def test_a_pin_is_kept_applied_and_forgotten(ask: Ask, host: VgpuHost, tmp_path: Path) -> None:
    """The wish is a file of its owner's, applying sets the range, and to forget it leaves the range."""
    file = tmp_path / "etc" / "pin.toml"
    host.shut_down(VmId("vm1"))
    kept = ask("--range", *WORDS, "--json")
    assert (kept.status, kept.err, answer(kept)["why"]) == (0, "", "not-applied")
    assert (answer(kept)["changed"], answer(kept)["in_force"]) == (True, False)
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_pin(file) == PIN
    assert host.vgpu_versions() == (PRESET, PRESET)
    assert ask().status == 1
    applied = ask("--apply", "--json")
    assert (applied.status, answer(applied)["in_force"], answer(applied)["changed"]) == (0, True, True)
    assert host.vgpu_versions() == (PRESET, PIN)
    again = ask("--apply", "--json")
    assert (again.status, answer(again)["changed"]) == (0, False)
    removed = ask("--remove", "--json")
    assert (removed.status, answer(removed)["pin"], answer(removed)["range"]) == (0, None, list(WORDS))
    assert not file.exists()
    assert ask("--apply").status == 0


def test_a_reload_of_the_driver_forgets_the_range_and_not_the_pin(ask: Ask, host: VgpuHost) -> None:
    """After a reload the pin is not in force, and applying it brings it back."""
    host.shut_down(VmId("vm1"))
    assert ask("--range", *WORDS, "--apply").status == 0
    host.reload_driver()
    told = ask("--status", "--json")
    assert (told.status, answer(told)["why"]) == (1, "not-applied")
    assert ask("--apply").status == 0
    assert host.vgpu_versions()[1] == PIN


def test_a_running_vm_keeps_a_pin_from_being_applied(ask: Ask, host: VgpuHost) -> None:
    """IN_USE is a clear no that names the VMs; a pin in force is no question of them."""
    vm = host.show().vms[0].uuid
    assert ask("--range", *WORDS).status == 0
    for order in ("--apply", "--status"):
        told = ask(order, "--json")
        assert (told.status, answer(told)["why"], answer(told)["vms"]) == (1, "in-use", [vm])
    assert f"VMs with vgpus are running: {vm};" in " ".join(ask("--apply").out.split())
    host.shut_down(VmId("vm1"))
    assert ask("--apply").status == 0
    host.start(VmId("vm1"))
    told = ask("--apply", "--json")
    assert (told.status, answer(told)["in_force"], answer(told)["vms"]) == (0, True, [vm])


def test_a_pin_outside_the_preset_range_is_refused(ask: Ask, tmp_path: Path) -> None:
    """Such a pin is not kept; one that another driver has left outside is told, and not applied."""
    wrong = ask("--range", "0x120001", "0x150001")
    assert (wrong.status, wrong.out) == (2, "")
    assert wrong.err == (
        "--range: 0x120001-0x150001; wanted a range inside the driver's preset 0x70001-0x140001\n"
    )
    backwards = ask("--range", "0x140001", "0x120001")
    assert (backwards.status, "not above the maximum" in backwards.err) == (2, True)
    assert not (tmp_path / "etc" / "pin.toml").exists()
    write_pin(tmp_path / "etc" / "pin.toml", VersionRange(0x120001, 0x150001))
    for order in ("--apply", "--status"):
        told = ask(order, "--json")
        assert (told.status, answer(told)["why"]) == (1, "outside-preset")


def test_a_driver_that_does_not_answer_is_told_beside_the_pin(tmp_path: Path) -> None:
    """Without the host a pin is kept unchecked, and status is a failure outside that still tells it."""
    line = ("host", "--socket", str(tmp_path / "nobody"), "pin", "--file", str(tmp_path / "pin.toml"))
    kept = start(*line, "--range", *WORDS, "--json")
    assert (kept.status, answer(kept)["why"], answer(kept)["pin"]) == (0, "unreachable", list(WORDS))
    assert kept.err.startswith("note: 0x120001-0x140001 is kept unchecked: ")
    told = start(*line, "--json")
    assert (told.status, answer(told)["why"]) == (3, "unreachable")
    applied = start(*line, "--apply", "--wait", "0.5")
    assert (applied.status, applied.out) == (3, "")


@pytest.mark.parametrize("way", ["socket", "driver"])
def test_a_driver_that_is_still_starting_is_waited_for(way: str, tmp_path: Path) -> None:
    """With --wait a pin is applied as soon as the driver answers."""
    socket, fleet = tmp_path / "h1.sock", tmp_path / "fleet.yaml"
    fleet.write_text(ONE_HOST.partition("vms:")[0])
    write_pin(tmp_path / "pin.toml", PIN)
    env = environment(socket, PYTHONPATH=str(client("nvidia-ml-py")))
    line = ["host", *(["--driver"] if way == "driver" else []), "pin", "--apply", "--wait", "60"]
    with (
        subprocess.Popen(
            [sys.executable, "-m", "vgpu_migrate", *line, "--file", str(tmp_path / "pin.toml")],
            env=clean_environment(**env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting,
        a_hostd(socket, fleet=fleet, host="h1") as daemon,
    ):
        wait_until_ready(daemon)
        said = waiting.communicate(timeout=60)[1]
        assert (waiting.returncode, said) == (0, "")
        assert LiveHost(socket).vgpu_versions()[1] == PIN


def test_a_host_without_a_manager_supports_no_pin(tmp_path: Path) -> None:
    """NOT_SUPPORTED is a clear no."""
    write_pin(tmp_path / "pin.toml", PIN)
    with simulated_host(PLAIN) as host:
        line = ("host", "--socket", str(host.socket), "pin", "--file", str(tmp_path / "pin.toml"))
        told = start(*line, "--apply", "--json")
    assert (told.status, answer(told)["why"]) == (1, "not-supported")


def test_orders_that_do_not_go_together_are_bad_usage() -> None:
    """Exit status 2 before anything is done."""
    for args in (("--status", "--remove"), ("--apply", "--status"), ("--wait", "3")):
        assert start("host", "pin", *args).status == 2


def test_a_vm_on_its_way_keeps_the_range_too(host: VgpuHost) -> None:
    """Where the driver says IN_USE and lists no vgpu, that is what is told."""

    class Held:
        """A host on which a vgpu is held and none is active."""

        vgpu_versions, gpus, set_vgpu_version = host.vgpu_versions, host.gpus, host.set_vgpu_version

        def active_vgpus(self, gpu: object) -> tuple[()]:
            return ()

    held: Any = Held()
    assert pin_state(held, PIN).difference is Difference.NOT_APPLIED
    state, is_set = apply_pin(held, PIN)
    assert (state.difference, state.vms, is_set) == (Difference.IN_USE, (), False)


def test_the_driver_says_whether_vms_are_in_the_way(host: VgpuHost) -> None:
    """A pin is asked for where VMs are listed too, and in force where the driver takes it."""

    class Lenient:
        """A host that takes a range while a VM has an active vgpu."""

        gpus, active_vgpus = host.gpus, host.active_vgpus
        in_force = PRESET

        def vgpu_versions(self) -> tuple[VersionRange, VersionRange]:
            return PRESET, self.in_force

        def set_vgpu_version(self, wanted: VersionRange) -> None:
            self.in_force = wanted

    lenient: Any = Lenient()
    assert pin_state(lenient, PIN).difference is Difference.IN_USE
    state, is_set = apply_pin(lenient, PIN)
    assert (state.in_force, state.difference, is_set) == (PIN, None, True)


def test_a_manager_that_is_still_starting_is_waited_for(
    host: VgpuHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A driver without its vGPU Manager is asked again while there is time."""
    host.shut_down(VmId("vm1"))
    write_pin(tmp_path / "pin.toml", PIN)
    with simulated_host(PLAIN) as plain:
        asked = iter([plain, host])

        @contextmanager
        def opened(_: PinOrders) -> Iterator[tuple[str, VgpuHost]]:
            yield "h1", next(asked)

        monkeypatch.setattr(PinOrders, "_opened", opened)
        monkeypatch.setattr(pin_orders, "TRIED_EVERY_S", 0.01)
        orders = PinOrders(None, file=str(tmp_path / "pin.toml"), as_json=True)
        assert orders.apply(wait_s=60) == 0
    assert '"in_force":true' in capsys.readouterr().out
    assert host.vgpu_versions()[1] == PIN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("range = [", "no TOML"),
        ("", "keys none"),
        ('range = ["0x1", "0x2"]\nmore = 1\n', "wanted range alone"),
        ('range = ["0x1"]', "wanted two versions"),
        ('range = ["0x1", true]', "wanted two versions"),
        ('range = ["0x1", "0x100000000"]', "wanted two versions"),
        ('range = ["0x2", "0x1"]', "not above the maximum"),
    ],
)
def test_a_pin_that_cannot_be_understood_is_not_guessed(text: str, said: str, tmp_path: Path) -> None:
    """Such a file is bad input that names it; numbers and texts are read alike."""
    file = tmp_path / "pin.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_pin(file)
    assert str(caught.value).startswith(str(file))
    file.write_text('range = [1179649, "0x140001"]')
    assert read_pin(file) == PIN


def test_a_pin_that_others_may_write_is_not_read(tmp_path: Path) -> None:
    """A file that is open to others, a directory, and a pipe are refused; no file is no pin."""
    file = tmp_path / "pin.toml"
    assert read_pin(file) is None
    write_pin(file, PIN)
    file.chmod(0o666)
    with pytest.raises(InputError, match="may write it"):
        read_pin(file)
    with pytest.raises(InputError, match="no regular file"):
        read_pin(tmp_path)
    assert (remove_pin(file), remove_pin(file)) == (True, False)
