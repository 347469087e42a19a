"""What the tables say of a driver: the range a host offers, the range a guest can negotiate, and whether
the vendor documents the pair.

A driver is looked up by its exact tag, then by its release, then by its branch, which is the first of its
numbers (550.54.16 is of R550). An empty cell counts as not there: the next table is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache

from vgpu_migrate.facts.loader import branch_policy, branches, driver_tags, releases
from vgpu_migrate.facts.rows import (
    Basis,
    Branch,
    GuestDriver,
    HostDriver,
    PolicyBranch,
    Release,
    Support,
)

DRIVER_PATTERN = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){1,3}")
"""Two to four numbers, such as 550.67 or 550.54.16: what the vendor has ever called a driver."""

DRIVERS_REMEMBERED = 4096
"""A bound on what is kept, because a service may be asked about any text at all."""


@lru_cache(maxsize=DRIVERS_REMEMBERED)
def host_driver(driver: str) -> HostDriver:
    """The preset range of a host driver, and how it was found. Never raises.

    Source: spec §4: exact tag, else host driver of a release (Linux or Windows), else branch (R570 by its
    part), else unknown.
    """
    if not DRIVER_PATTERN.fullmatch(driver):
        return HostDriver(driver, None, Basis.UNKNOWN, None, None, "", _not_a_driver(driver))
    rows = _by_host_driver().get(driver, ())
    name = rows[0].branch if rows else _branch_name(driver)
    branch = _branch_row(driver, name)
    vgpu_release = _vgpu_release(name)

    tag = driver_tags().get(driver)
    if tag is not None and tag.host_range is not None:
        said = f"{driver} is a tag of the tables"
        return HostDriver(driver, tag.host_range, Basis.TAG, name, vgpu_release, tag.source, said)
    for row in rows:
        if row.host_range is not None:
            said = f"{driver} is the host driver of {_releases_text(rows)}"
            return HostDriver(driver, row.host_range, Basis.RELEASE, name, vgpu_release, row.source, said)
    known = tag is not None or bool(rows)
    if branch is not None and branch.host_range is not None:
        said = _placed_by(branch, driver, is_known=known)
        return HostDriver(driver, branch.host_range, Basis.BRANCH, name, vgpu_release, branch.source, said)
    if name is None:
        said = _no_branch(driver, "Windows guest driver", _by_windows_guest_driver().get(driver, ()))
    else:
        start = f"{driver} is in the tables" if known else f"{driver} is not in the tables"
        said = f"{start}, and no host range is known for its branch {name}"
    return HostDriver(driver, None, Basis.UNKNOWN, name, vgpu_release, "", said)


@lru_cache(maxsize=DRIVERS_REMEMBERED)
def guest_driver(driver: str) -> GuestDriver:
    """The vGPU versions that a guest driver can negotiate, and how they were found. Never raises.

    A Windows driver stands for the Linux guest driver of its release, or, where the release names none,
    for the release's branch.

    Source: spec §4: by tag, else by branch.
    """
    if not DRIVER_PATTERN.fullmatch(driver):
        return GuestDriver(driver, None, None, Basis.UNKNOWN, None, None, "", _not_a_driver(driver))
    windows_rows = _by_windows_guest_driver().get(driver, ())
    if driver not in driver_tags() and windows_rows:
        return _windows_guest_driver(driver, windows_rows)

    rows = _by_guest_driver().get(driver, ())
    name = rows[0].branch if rows else _branch_name(driver)
    branch = _branch_row(driver, name)
    vgpu_release = _vgpu_release(name)
    branch_minimum = None if branch is None else branch.guest_minimum

    tag = driver_tags().get(driver)
    if tag is not None:
        minimum = branch_minimum if tag.guest_minimum is None else tag.guest_minimum
        said = f"{driver} is a tag of the tables"
        return GuestDriver(
            driver, minimum, tag.external_version, Basis.TAG, name, vgpu_release, tag.source, said
        )
    if branch is not None:
        if rows:
            said = (
                f"{driver} is the guest driver of {_releases_text(rows)}; placed by its {_part_text(branch)}"
            )
        else:
            said = _placed_by(branch, driver, is_known=False)
        return GuestDriver(
            driver,
            branch_minimum,
            branch.newest_external,
            Basis.BRANCH,
            name,
            vgpu_release,
            branch.source,
            said,
        )
    if name is None:
        said = _no_branch(driver, "host driver", _by_host_driver().get(driver, ()))
    else:
        start = f"{driver} is in the tables" if rows else f"{driver} is not in the tables"
        said = f"{start}, and no vGPU versions are known for its branch {name}"
    return GuestDriver(driver, None, None, Basis.UNKNOWN, name, vgpu_release, "", said)


def supported(host: HostDriver, guest: GuestDriver | None) -> Support:
    """Whether the vendor documents this pairing of manager and guest branches.

    Manager and guest of one branch; from vGPU 11 on a guest of the branch before; from the LTS branch 19 on
    a guest of the LTS branch before. Source: `branch_policy.toml`.

    Returns:
        `Support`: "documented", "outside", or "unknown" where either has no vGPU release.
    """
    policy = branch_policy()
    if host.vgpu_release is None or guest is None or guest.vgpu_release is None:
        return Support("unknown", policy.source)
    manager, guest_release = host.vgpu_release, guest.vgpu_release
    if manager == guest_release:
        return Support("documented", policy.same_branch_source)
    lts_branches = [branch for branch in policy.branches if branch.is_lts]
    if manager >= policy.previous_branch_from and guest_release == _before(manager, policy.branches):
        return Support("documented", policy.previous_branch_source)
    if manager >= policy.previous_lts_from and guest_release == _before(manager, lts_branches):
        return Support("documented", policy.previous_lts_source)
    return Support("outside", policy.otherwise_source)


def _before(release: int, listed: Sequence[PolicyBranch]) -> int | None:
    """The release listed just before this one; None where this one is not listed, or is the first."""
    numbers = [branch.release for branch in listed]
    if release not in numbers or numbers.index(release) == 0:
        return None
    return numbers[numbers.index(release) - 1]


def _windows_guest_driver(driver: str, rows: Sequence[Release]) -> GuestDriver:
    row = next((row for row in rows if row.guest_linux), rows[0])
    vgpu_release = int(row.release.partition(".")[0])
    if row.guest_linux:
        linux = guest_driver(row.guest_linux)
        minimum, maximum = linux.minimum, linux.maximum
        said = f"{driver} is the Windows guest driver of {_releases_text(rows)}; taken as {linux.driver}"
    else:
        # No number says which part of the branch it is: the newest, as the branch's own number.
        branch = next((branch for branch in reversed(branches()) if branch.branch == row.branch), None)
        minimum = None if branch is None else branch.guest_minimum
        maximum = None if branch is None else branch.newest_external
        said = (
            f"{driver} is the Windows guest driver of {_releases_text(rows)}; placed by branch {row.branch}"
        )
    if minimum is None and maximum is None:
        said = f"{said}; no vGPU versions are known for its branch {row.branch}"
        return GuestDriver(driver, None, None, Basis.UNKNOWN, row.branch, vgpu_release, "", said)
    return GuestDriver(driver, minimum, maximum, Basis.RELEASE, row.branch, vgpu_release, row.source, said)


def _branch_name(driver: str) -> str | None:
    """`R550` for 550.54.16, where the tables know such a branch."""
    name = f"R{int(driver.partition('.')[0])}"
    return name if name in _vgpu_release_by_branch() else None


def _branch_row(driver: str, name: str | None) -> Branch | None:
    """The row of a branch that holds this driver's numbers."""
    numbers = tuple(map(int, driver.split(".")))
    for row in branches():
        if row.branch == name and (not row.spans or any(numbers in span for span in row.spans)):
            return row
    return None


def _vgpu_release(name: str | None) -> int | None:
    """The main release of vGPU software that a branch belongs to; None where it is none."""
    return None if name is None else _vgpu_release_by_branch()[name]


@cache
def _vgpu_release_by_branch() -> Mapping[str, int | None]:
    """Every branch that a table names, with its main release of vGPU software."""
    found = {row.branch: _leading_number(row.vgpu_release) for row in branches()}
    return {**found, **{row.branch: int(row.release.partition(".")[0]) for row in releases()}}


def _leading_number(text: str) -> int | None:
    """18 for "18 (beta)" and for "18.1+"."""
    match = re.match(r"[0-9]+", text)
    return int(match.group()) if match else None


@cache
def _by_host_driver() -> Mapping[str, tuple[Release, ...]]:
    return _releases_by((row.host_linux, row.host_windows) for row in releases())


@cache
def _by_guest_driver() -> Mapping[str, tuple[Release, ...]]:
    return _releases_by((row.guest_linux,) for row in releases())


@cache
def _by_windows_guest_driver() -> Mapping[str, tuple[Release, ...]]:
    return _releases_by((row.guest_windows,) for row in releases())


def _releases_by(drivers_by_row: Iterable[tuple[str, ...]]) -> Mapping[str, tuple[Release, ...]]:
    """Releases by driver, newest first: several may bring the same one."""
    found: dict[str, list[Release]] = {}
    for row, drivers in zip(releases(), drivers_by_row, strict=True):
        for driver in dict.fromkeys(drivers):
            if driver:
                found.setdefault(driver, []).append(row)
    return {driver: tuple(rows) for driver, rows in found.items()}


def _releases_text(rows: Sequence[Release]) -> str:
    """`vGPU 17.2 and 17.3`, oldest first."""
    return "vGPU " + " and ".join(row.release for row in reversed(rows))


def _part_text(branch: Branch) -> str:
    return f"branch {branch.branch}" + (f", {branch.part}" if branch.part else "")


def _placed_by(branch: Branch, driver: str, *, is_known: bool) -> str:
    start = f"{driver} is in the tables without a range" if is_known else f"{driver} is not in the tables"
    return f"{start}; placed by its {_part_text(branch)}"


def _no_branch(driver: str, other_use: str, other_rows: Sequence[Release]) -> str:
    """What is said of a driver without a branch: that it is of another kind, where the tables know that."""
    if other_rows:
        return f"{driver} is in the tables only as the {other_use} of {_releases_text(other_rows)}"
    return f"{driver} is not in the tables, and R{int(driver.partition('.')[0])} is no branch they know"


def _not_a_driver(driver: str) -> str:
    return f"{driver!r} is not a driver version such as 550.54.16"
