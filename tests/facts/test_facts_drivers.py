"""What is said of host and guest drivers, table by table, and which pairs the vendor documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgpu_migrate import facts
from vgpu_migrate.facts import Basis, Support
from vgpu_migrate.nvml import VersionRange


@pytest.mark.parametrize(
    ("driver", "host_range", "basis", "branch", "vgpu_release", "said"),
    [
        (
            "550.54.14",
            (0x70001, 0x140001),
            Basis.TAG,
            "R550",
            17,
            "550.54.14 is a tag of the tables",
        ),
        (
            "550.54.16",
            (0x70001, 0x140001),
            Basis.RELEASE,
            "R550",
            17,
            "550.54.16 is the host driver of vGPU 17.1",
        ),
        (
            "550.90.05",
            (0x70001, 0x140001),
            Basis.RELEASE,
            "R550",
            17,
            "550.90.05 is the host driver of vGPU 17.2 and 17.3",
        ),
        (
            "551.60",
            (0x70001, 0x140001),
            Basis.RELEASE,
            "R550",
            17,
            "551.60 is the host driver of vGPU 17.0 and 17.1",
        ),
        (
            "580.86",
            (0x120001, 0x1A0001),
            Basis.RELEASE,
            "R580",
            19,
            "580.86 is the host driver of vGPU 19.0",
        ),
        (
            "550.999.01",
            (0x70001, 0x140001),
            Basis.BRANCH,
            "R550",
            17,
            "550.999.01 is not in the tables; placed by its branch R550",
        ),
        (
            "545.99",
            (0x70001, 0x130001),
            Basis.BRANCH,
            "R545",
            None,
            "545.99 is not in the tables; placed by its branch R545",
        ),
        (
            "470.63",
            (0x70001, 0xB0001),
            Basis.RELEASE,
            "R470",
            13,
            "470.63 is the host driver of vGPU 13.0",
        ),
        (
            "470.999",
            (0x70001, 0xB0001),
            Basis.BRANCH,
            "R470",
            13,
            "470.999 is not in the tables; placed by its branch R470",
        ),
        (
            "595.71.03",
            (0x180001, 0x1C0001),
            Basis.RELEASE,
            "R595",
            20,
            "595.71.03 is the host driver of vGPU 20.1",
        ),
        (
            "515.43.04",
            None,
            Basis.UNKNOWN,
            "R515",
            None,
            "515.43.04 is in the tables, and no host range is known for its branch R515",
        ),
        (
            "515.1.1",
            None,
            Basis.UNKNOWN,
            "R515",
            None,
            "515.1.1 is not in the tables, and no host range is known for its branch R515",
        ),
        (
            "460.32.04",
            None,
            Basis.UNKNOWN,
            "R460",
            12,
            "460.32.04 is in the tables, and no host range is known for its branch R460",
        ),
        (
            "384.73",
            None,
            Basis.UNKNOWN,
            "R384",
            5,
            "384.73 is in the tables, and no host range is known for its branch R384",
        ),
        (
            "390.42",
            None,
            Basis.UNKNOWN,
            "R390",
            6,
            "390.42 is in the tables, and no host range is known for its branch R390",
        ),
        (
            "551.61",
            None,
            Basis.UNKNOWN,
            None,
            None,
            "551.61 is in the tables only as the Windows guest driver of vGPU 17.0",
        ),
        (
            "571.99",
            None,
            Basis.UNKNOWN,
            None,
            None,
            "571.99 is not in the tables, and R571 is no branch they know",
        ),
        ("abc", None, Basis.UNKNOWN, None, None, "'abc' is not a driver version such as 550.54.16"),
        ("550", None, Basis.UNKNOWN, None, None, "'550' is not a driver version such as 550.54.16"),
        ("", None, Basis.UNKNOWN, None, None, "'' is not a driver version such as 550.54.16"),
    ],
)
def test_host_driver(
    driver: str,
    host_range: tuple[int, int] | None,
    basis: Basis,
    branch: str | None,
    vgpu_release: int | None,
    said: str,
) -> None:
    """Exact tag, else release, else branch, else unknown; an empty cell counts as not there."""
    found = facts.host_driver(driver)
    assert found.driver == driver
    assert found.preset_range == (None if host_range is None else VersionRange(*host_range))
    assert (found.basis, found.branch, found.vgpu_release, found.said) == (basis, branch, vgpu_release, said)


BETA = VersionRange(0x70001, 0x180001)
FIRST = VersionRange(0x120001, 0x180001)
LATER = VersionRange(0x120001, 0x180002)


@pytest.mark.parametrize(
    ("driver", "host_range"),
    [
        ("570.00", BETA),
        ("570.86.15", BETA),
        ("570.122.99", BETA),
        ("570.123.01", FIRST),
        ("570.123.02", FIRST),
        ("570.123.06", FIRST),
        ("570.123.07", LATER),
        ("570.123.08", LATER),
        ("570.123.99", LATER),
        ("570.124.00", FIRST),
        ("570.124.03", FIRST),
        ("570.132.99", FIRST),
        ("570.133", LATER),
        ("570.133.01", LATER),
        ("570.999", LATER),
    ],
)
def test_r570_has_three_parts(driver: str, host_range: VersionRange) -> None:
    """Before 570.123 beta; 570.123.01-.06 and 570.124-570.132; 570.123.07 and later, and 570.133 on."""
    found = facts.host_driver(driver)
    assert (found.preset_range, found.branch, found.vgpu_release) == (host_range, "R570", 18)


@pytest.mark.parametrize(
    ("driver", "minimum", "maximum", "basis", "branch", "vgpu_release", "said"),
    [
        (
            "550.54.14",
            0x140001,
            0x140001,
            Basis.TAG,
            "R550",
            17,
            "550.54.14 is a tag of the tables",
        ),
        (
            "515.43.04",
            0x70001,
            0xE0001,
            Basis.TAG,
            "R515",
            None,
            "515.43.04 is a tag of the tables",
        ),
        (
            "570.133.07",
            0x140001,
            0x180002,
            Basis.TAG,
            "R570",
            18,
            "570.133.07 is a tag of the tables",
        ),
        (
            "595.58.03",
            0x140001,
            0x1C0001,
            Basis.BRANCH,
            "R595",
            20,
            "595.58.03 is the guest driver of vGPU 20.0; placed by its branch R595",
        ),
        (
            "510.47.03",
            None,
            0xD0001,
            Basis.BRANCH,
            "R510",
            14,
            "510.47.03 is the guest driver of vGPU 14.0; placed by its branch R510",
        ),
        (
            "535.999.01",
            0x70001,
            0x120001,
            Basis.BRANCH,
            "R535",
            16,
            "535.999.01 is not in the tables; placed by its branch R535",
        ),
        (
            "570.125.01",
            0x140001,
            0x180001,
            Basis.BRANCH,
            "R570",
            18,
            "570.125.01 is not in the tables; placed by its branch R570, "
            "570.123.01-570.123.06 and 570.124-570.132",
        ),
        (
            "551.61",
            0x140001,
            0x140001,
            Basis.RELEASE,
            "R550",
            17,
            "551.61 is the Windows guest driver of vGPU 17.0; taken as 550.54.14",
        ),
        (
            "572.60",
            0x140001,
            0x180001,
            Basis.RELEASE,
            "R570",
            18,
            "572.60 is the Windows guest driver of vGPU 18.0; taken as 570.124.06",
        ),
        (
            "572.83",
            0x140001,
            0x180002,
            Basis.RELEASE,
            "R570",
            18,
            "572.83 is the Windows guest driver of vGPU 18.1; taken as 570.133.20",
        ),
        (
            "580.88",
            0x140001,
            0x1A0001,
            Basis.RELEASE,
            "R580",
            19,
            "580.88 is the Windows guest driver of vGPU 19.0; taken as 580.65.06",
        ),
        (
            "475.14",
            None,
            0xB0002,
            Basis.RELEASE,
            "R470",
            13,
            "475.14 is the Windows guest driver of vGPU 13.12; taken as 470.256.02",
        ),
        (
            "425.31",
            None,
            None,
            Basis.UNKNOWN,
            "R418",
            8,
            "425.31 is the Windows guest driver of vGPU 8.0; taken as 418.70; "
            "no vGPU versions are known for its branch R418",
        ),
        (
            "418.70",
            None,
            None,
            Basis.UNKNOWN,
            "R418",
            8,
            "418.70 is in the tables, and no vGPU versions are known for its branch R418",
        ),
        (
            "551.60",
            None,
            None,
            Basis.UNKNOWN,
            None,
            None,
            "551.60 is in the tables only as the host driver of vGPU 17.0 and 17.1",
        ),
        (
            "571.99",
            None,
            None,
            Basis.UNKNOWN,
            None,
            None,
            "571.99 is not in the tables, and R571 is no branch they know",
        ),
        ("550", None, None, Basis.UNKNOWN, None, None, "'550' is not a driver version such as 550.54.16"),
    ],
)
def test_guest_driver(
    driver: str,
    minimum: int | None,
    maximum: int | None,
    basis: Basis,
    branch: str | None,
    vgpu_release: int | None,
    said: str,
) -> None:
    """By tag, else by branch; a Windows driver as the Linux guest driver of its release."""
    found = facts.guest_driver(driver)
    assert (found.driver, found.minimum, found.maximum) == (driver, minimum, maximum)
    assert (found.basis, found.branch, found.vgpu_release, found.said) == (basis, branch, vgpu_release, said)


@given(st.one_of(st.text(), st.from_regex(r"[0-9.]{0,12}", fullmatch=True)))
def test_no_text_makes_a_driver_raise(text: str) -> None:
    """Whatever is asked for is answered, and an unknown range says so."""
    host, guest = facts.host_driver(text), facts.guest_driver(text)
    assert (host.preset_range is None) is (host.basis is Basis.UNKNOWN)
    assert (guest.minimum is None and guest.maximum is None) is (guest.basis is Basis.UNKNOWN)
    assert host.said
    assert guest.said


def test_every_answer_names_a_source_that_is_there() -> None:
    """A known range has a source key of the tables; an unknown one has none."""
    drivers = [*facts.driver_tags(), "570.1", "550.999.01", "460.1", "abc"]
    for row in facts.releases():
        drivers += [row.host_linux, row.host_windows, row.guest_linux, row.guest_windows]
    for driver in drivers:
        for found in (facts.host_driver(driver), facts.guest_driver(driver)):
            assert (found.source in facts.sources()) is (found.basis is not Basis.UNKNOWN), driver


def test_windows_hosts_have_the_range_of_the_linux_host_of_their_release() -> None:
    """Both host drivers of a release offer the same versions."""
    for row in facts.releases():
        if row.host_windows:
            windows, linux = facts.host_driver(row.host_windows), facts.host_driver(row.host_linux)
            assert windows.preset_range == linux.preset_range, row.release


DRIVER_OF = {
    5: "384.73",
    6: "390.42",
    7: "410.68",
    10: "440.43",
    11: "450.55",
    13: "470.63",
    14: "510.47.03",
    15: "525.60.12",
    16: "535.54.06",
    17: "550.54.10",
    18: "570.124.03",
    19: "580.65.05",
    20: "595.58.02",
}


@pytest.mark.parametrize(
    ("manager", "guest", "expected"),
    [
        (17, 17, Support("documented", "notes-8.0")),
        (5, 5, Support("documented", "notes-8.0")),
        (17, 16, Support("documented", "notes-15")),
        (11, 10, Support("documented", "notes-15")),
        (20, 19, Support("documented", "notes-15")),
        (19, 18, Support("documented", "notes-15")),
        (19, 16, Support("documented", "notes-19.0")),
        (20, 16, Support("outside", "notes-otherwise")),
        (20, 18, Support("outside", "notes-otherwise")),
        (16, 13, Support("outside", "notes-otherwise")),
        (13, 16, Support("outside", "notes-otherwise")),
        (16, 19, Support("outside", "notes-otherwise")),
        (16, 17, Support("outside", "notes-otherwise")),
        (19, 13, Support("outside", "notes-otherwise")),
        (7, 6, Support("outside", "notes-otherwise")),
        (6, 5, Support("outside", "notes-otherwise")),
    ],
)
def test_supported(manager: int, guest: int, expected: Support) -> None:
    """Same branch; from 11 on the branch before; from the LTS 19 on the LTS before; else outside."""
    host, guest_there = facts.host_driver(DRIVER_OF[manager]), facts.guest_driver(DRIVER_OF[guest])
    assert (host.vgpu_release, guest_there.vgpu_release) == (manager, guest)
    assert facts.supported(host, guest_there) == expected


def test_10_and_older_need_the_same_branch() -> None:
    """The branch before counts only from manager release 11 on."""
    assert facts.supported(facts.host_driver("440.43"), facts.guest_driver("430.30")).verdict == "outside"


@pytest.mark.parametrize(
    ("host", "guest"), [("550.54.14", None), ("550.54.14", "545.29.02"), ("545.29.02", "550.54.14")]
)
def test_support_is_unknown_without_a_vgpu_release(host: str, guest: str | None) -> None:
    """A branch that is no vGPU software, or no guest driver at all, leaves nothing to look up."""
    guest_there = None if guest is None else facts.guest_driver(guest)
    assert facts.supported(facts.host_driver(host), guest_there) == Support("unknown", "branch-policy")
