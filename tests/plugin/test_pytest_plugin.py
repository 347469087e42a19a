"""The pytest plugin: what a suite that uses it gets, and what it costs one that does not."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from vgpu_migrate.dropin import library_dir
from vgpu_migrate.errors import InputError, UnknownNameError
from vgpu_migrate.model import VmId
from vgpu_migrate.testing import TWO_HOSTS, fleet_of, simulated_host

pytest_plugins = ("pytester",)

HEAVY = ("numpy", "msgspec", "yaml", "rich", "click", "sqlite3")

COUNT_GPUS = """
import ctypes, sys
nvml = ctypes.CDLL("libnvidia-ml.so.1")
count = ctypes.c_uint()
status = nvml.nvmlInit_v2() or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
print(count.value)
sys.exit(status)
"""


def run_suite(pytester: pytest.Pytester, text: str) -> pytest.RunResult:
    """What a suite of one module comes to, the plugin loaded once however this package was installed."""
    pytester.makepyfile(text)
    arguments = ("-p", "vgpu_migrate.pytest_plugin", "-p", "no:vgpu_migrate", "-p", "no:cacheprovider")
    return pytester.runpytest_subprocess(*arguments, "--strict-markers", "-q")


def test_a_host_without_a_word(pytester: pytest.Pytester) -> None:
    """`vgpu_host` alone is one L40S with one VM, and a program started with its environment sees it."""
    done = run_suite(
        pytester,
        f"""
        import subprocess, sys

        def test_it(vgpu_host):
            assert [gpu.id for gpu in vgpu_host.gpus()] == ["h1/0"]
            assert [vm.power for vm in vgpu_host.show().vms] == ["running"]
            program = [sys.executable, "-c", {COUNT_GPUS!r}]
            assert subprocess.run(program, env=vgpu_host.env, capture_output=True).stdout == b"1\\n"
            assert vgpu_host.run(program).stdout == "1\\n"
        """,
    )
    done.assert_outcomes(passed=1)


def test_a_host_by_a_marker(pytester: pytest.Pytester) -> None:
    """YAML text, without its first line if one likes, or a path and the host of it."""
    pytester.makefile(
        ".yaml",
        fleet="fleetfile_version: 1\nhosts:\n- {id: x, driver: 550.54.16, gpus: []}\n"
        "- {id: y, driver: 550.54.16, gpus: [{board: T4}]}\n",
    )
    done = run_suite(
        pytester,
        """
        from pathlib import Path
        import pytest

        @pytest.mark.vgpu_host('''
            hosts:
              - {id: a, driver: 535.161.05, gpus: [{board: A40}, {board: A40}]}
        ''')
        def test_text(vgpu_host):
            assert vgpu_host.id == "a"
            assert len(vgpu_host.gpus()) == 2

        @pytest.mark.vgpu_host(Path(__file__).parent / "fleet.yaml", host="y")
        def test_path(vgpu_host):
            assert [gpu.board for gpu in vgpu_host.show().gpus] == ["T4"]
        """,
    )
    done.assert_outcomes(passed=2)


def test_hosts_by_the_factory(pytester: pytest.Pytester) -> None:
    """As many as a test wants, all gone when it has ended."""
    done = run_suite(
        pytester,
        """
        from pathlib import Path
        sockets = []

        def test_two(vgpu_host_factory):
            one, two = vgpu_host_factory(), vgpu_host_factory("hosts: [{id: b, driver: 550.54.16, gpus: []}]")
            assert (one.id, two.id) == ("h1", "b")
            sockets.extend([one.socket, two.socket])
            assert all(socket.exists() for socket in sockets)

        def test_gone():
            assert len(sockets) == 2
            assert not any(socket.exists() for socket in sockets)
        """,
    )
    done.assert_outcomes(passed=2)


def test_a_pair_migrates(pytester: pytest.Pytester) -> None:
    """`vgpu_pair` are two hosts alike, the VM on the first; a refusal is the exception it is everywhere."""
    done = run_suite(
        pytester,
        """
        import pytest
        from vgpu_migrate import RefusedError

        def test_live(vgpu_pair):
            source, target = vgpu_pair
            assert source.migrate("vm1", to=target.socket).committed
            assert [vm.id for vm in target.show().vms] == ["vm1"]
            assert source.show().vms == ()

        @pytest.mark.vgpu_pair('''
            hosts:
              - {id: a, driver: 550.54.16, gpus: [{board: L40S}]}
              - {id: b, driver: 550.54.16, gpus: [{board: L40S, ecc: false}]}
            vms:
              - {id: vm, host: a, state: running, memory_mib: 1, guest_driver: 550.54.14,
                 vgpus: [{type: L40S-12Q, gpu: a/0}]}
        ''')
        def test_refused(vgpu_pair):
            with pytest.raises(RefusedError) as refused:
                vgpu_pair.source.migrate("vm", to=vgpu_pair.target.socket)
            assert [piece.rule for piece in refused.value.refusal.verdict.evidence] == ["gpu-config"]
        """,
    )
    done.assert_outcomes(passed=2)


def test_faults_are_seen_by_programs(pytester: pytest.Pytester) -> None:
    """`inject` takes a fault as data; `clear` ends it."""
    done = run_suite(
        pytester,
        f"""
        import sys
        from vgpu_migrate.hosts.fault_spec import FaultSpec

        def test_it(vgpu_host):
            program = [sys.executable, "-c", {COUNT_GPUS!r}]
            vgpu_host.inject(FaultSpec(function="nvmlDeviceGetCount_v2", code=10))
            assert vgpu_host.run(program).returncode == 10
            vgpu_host.clear()
            assert vgpu_host.run(program).returncode == 0
        """,
    )
    done.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("@pytest.mark.vgpu_host('hosts: 7')\ndef test_it(vgpu_host): pass", "hosts: 7"),
        ("@pytest.mark.vgpu_pair('hosts: []')\ndef test_it(vgpu_pair): pass", "has 0 hosts; wanted two"),
    ],
)
def test_a_fleet_that_is_none_is_an_error_that_says_so(
    pytester: pytest.Pytester, test: str, said: str
) -> None:
    """In the words of the fleet file's reader, without a way through our code."""
    done = run_suite(pytester, f"import pytest\n{test}\n")
    assert done.ret == 1
    assert said in done.stdout.str()
    assert "Error" not in done.stdout.str()


def test_a_suite_that_does_not_use_it_pays_nothing() -> None:
    """To load the plugin imports none of the package's dependencies."""
    code = (
        "import sys, pytest; before = set(sys.modules); import vgpu_migrate.pytest_plugin; "
        f"print([name for name in {HEAVY!r} if name in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_nvml_in_the_tests_own_process() -> None:
    """`here` lets this very process initialise NVML on the host."""
    code = f"""
import ctypes
from vgpu_migrate.testing import simulated_host
with simulated_host() as host, host.here():
    {COUNT_GPUS.strip().replace(chr(10), chr(10) + "    ")}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_a_fleet_comes_as_text_path_or_fleet(tmp_path: Path) -> None:
    """All three are read alike."""
    text = "fleetfile_version: 1\nhosts: [{id: a, driver: 550.54.16, gpus: []}]\n"
    (tmp_path / "fleet.yaml").write_text(text)
    fleet = fleet_of(tmp_path / "fleet.yaml")
    assert fleet_of(text).hosts == fleet.hosts
    assert fleet_of(fleet) is fleet


def test_which_host_is_meant_must_be_clear() -> None:
    """Several want one named; a wrong name is told the near one."""
    with (
        pytest.raises(InputError, match="2 hosts: h1, h2; wanted one, or host=ID"),
        simulated_host(TWO_HOSTS),
    ):
        pass
    with pytest.raises(UnknownNameError, match="did you mean h1"), simulated_host(TWO_HOSTS, host="h11"):
        pass


def test_a_host_is_a_client_of_itself() -> None:
    """Everything that `LiveHost` can do is at hand."""
    with simulated_host() as host:
        host.pause(VmId("vm1"))
        assert host.show().vms[0].power == "paused"
        assert (host.path, host.id) == (host.socket, "h1")


def test_the_library_is_where_it_is_said_to_be() -> None:
    """It can be opened by its path."""
    assert ctypes.CDLL(str(library_dir() / "libnvidia-ml.so.1")).nvmlShutdown() == 1
