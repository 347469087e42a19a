"""What is looked at before a guest is moved: the lines that follow from a frozen picture of both sides.

Nothing here asks anybody. A line is one thing that was looked at, what was seen, and what would help. The
order of `CHECKS` is the order in which they are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from vgpu_migrate.vmm.move_picture import Line, NoTarget, Picture, Power, TargetSide, Wish, Word
from vgpu_migrate.vmm.preflight_vgpus import post_copy_lines, verdict_lines, vgpu_lines


def look(picture: Picture, wish: Wish) -> tuple[Line, ...]:
    """Every line of the pre-flight, in order."""
    return tuple(line for check in CHECKS for line in check(picture, wish))


def may_go(lines: Iterable[Line]) -> bool:
    """Whether nothing stops the migration."""
    return all(line.word in (Word.OK, Word.NOTE) for line in lines)


def _power(picture: Picture, wish: Wish) -> Iterator[Line]:
    source, check = picture.source, "guest"
    what = f"{source.name} is {source.power} on {source.host}"
    if wish.offline:
        if source.power is not Power.OFF:
            yield Line(
                check,
                Word.NO,
                f"{what}; --offline moves the definition of one that is off",
                "leave --offline out, or shut it down",
            )
        elif not source.is_persistent:
            yield Line(check, Word.NO, f"{source.name} has no definition on {source.host}", "define it")
        else:
            yield Line(check, Word.OK, f"{what}; its definition moves")
            if source.shows_vgpu:
                yield Line(
                    "hook",
                    Word.NOTE,
                    "a hook on the destination judges it as if it were live: libvirt tells it no difference",
                    f"where it refuses, and the guest shall be defined there all the same: virsh dumpxml "
                    f"--inactive {source.name} | virsh -c URI define /dev/stdin",
                )
    elif source.power is Power.OFF:
        yield Line(check, Word.NO, what, "start it, or move its definition with --offline")
    elif source.power is Power.OTHER:
        yield Line(
            check,
            Word.NO,
            f"{source.name} is neither running, paused nor asleep on {source.host}",
            "virsh domstate tells what it does",
        )
    else:
        yield Line(check, Word.OK, what)


def _job(picture: Picture, wish: Wish) -> Iterator[Line]:
    if picture.source.job:
        yield Line(
            "job",
            Word.NO,
            f"libvirt is busy with it: {picture.source.job}",
            "wait for it, or end it with virsh domjobabort",
        )


def _persistence(picture: Picture, wish: Wish) -> Iterator[Line]:
    source, check = picture.source, "definition"
    if wish.undefine_source and not source.is_persistent:
        yield Line(
            check,
            Word.NO,
            f"{source.name} has no definition on {source.host} that could go",
            "leave --undefine-source out",
        )
        return
    if not source.is_persistent and not wish.persistent:
        return
    after = []
    if not wish.persistent:
        after.append("it will have none on the destination and is gone there once it stops (--persistent)")
    if source.is_persistent and not wish.undefine_source:
        after.append("one stays on the source, off (--undefine-source)")
    if after:
        yield Line(check, Word.NOTE, "; ".join(after))


def _target(picture: Picture, wish: Wish) -> Iterator[Line]:
    source, target, check = picture.source, picture.target, "destination"
    if isinstance(target, NoTarget):
        yield Line(
            check,
            Word.FAILED,
            f"{target.uri} cannot be reached: {target.reason}",
            "is libvirtd running there, and may you reach it? virsh -c URI hostname tells",
        )
    elif source.host_uuid and source.host_uuid == target.host_uuid:
        yield Line(
            check,
            Word.NO,
            f"{target.host} is the guest's own host (UUID {source.host_uuid})",
            "name another host; if it is one, give each its own host_uuid in libvirtd.conf",
        )
    else:
        yield Line(check, Word.OK, f"{target.host} answers")


def _namesakes(picture: Picture, wish: Wish) -> Iterator[Line]:
    source, target, check = picture.source, picture.target, "name"
    if isinstance(target, NoTarget):
        return
    for one in target.namesakes:
        same = (one.name, one.uuid) == (source.name, source.uuid)
        state = "running" if one.is_active else "defined"
        if same and not one.is_active:
            yield Line(check, Word.NOTE, f"{one.name} is defined on {target.host} already and is replaced")
        elif same:
            yield Line(
                check,
                Word.NO,
                f"{one.name} is running on {target.host} already",
                f"virsh domstate {one.name} there; only one of the two may run",
            )
        else:
            yield Line(
                check,
                Word.NO,
                f"{target.host} has a {state} guest {one.name} with UUID {one.uuid}; "
                f"wanted neither the name {source.name} nor UUID {source.uuid} there",
                f"rename or undefine {one.name} on {target.host}",
            )


def _machine(picture: Picture, wish: Wish) -> Iterator[Line]:
    target = picture.target
    if isinstance(target, TargetSide) and target.machine_trouble:
        yield Line(
            "machine",
            Word.NO,
            f"{target.host} cannot run it: {target.machine_trouble}",
            "give the guest a machine type that both hosts have: virsh domcapabilities, there, lists them",
        )


def _time(picture: Picture, wish: Wish) -> Iterator[Line]:
    if wish.offline or wish.deadline_s is None or wish.bandwidth_mib_s is None:
        return
    least_s = picture.source.memory_mib / wish.bandwidth_mib_s
    if least_s > wish.deadline_s:
        yield Line(
            "deadline",
            Word.NOTE,
            f"{picture.source.memory_mib:,} MiB at {wish.bandwidth_mib_s:,} MiB/s "
            f"take {least_s:,.0f} s if every page is used, the deadline is {wish.deadline_s:g} s",
            "give it longer, or more bandwidth",
        )


Check = Callable[[Picture, Wish], Iterator[Line]]

CHECKS: Sequence[Check] = (
    _power,
    _job,
    _persistence,
    _target,
    _namesakes,
    _machine,
    vgpu_lines,
    post_copy_lines,
    verdict_lines,
    _time,
)
