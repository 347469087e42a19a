"""Files of cases on the command line: read, written, and added to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from vgpu_migrate.cli.endings import say
from vgpu_migrate.cli.output import write_bytes
from vgpu_migrate.cli.screen import count
from vgpu_migrate.compat.case_file import parse_cases, write_cases
from vgpu_migrate.compat.cases import Case, JudgedBy, NoCase, added, make_case
from vgpu_migrate.compat.judged import Question, Refused
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.files import STDIN, atomic_write, read_bytes
from vgpu_migrate.model import Profile

LARGEST = 256 << 20


def read(path: str) -> tuple[Case, ...]:
    """The cases of a file; `-` is standard input.

    Raises:
        InputError: there is no such file, or it is none of cases.
        OutsideError: it cannot be read.
    """
    source = "standard input" if path == STDIN else path
    return parse_cases(read_bytes(path, what="a file of cases", most=LARGEST), source=source)


def read_some(path: str) -> tuple[Case, ...]:
    """As `read`, and there is at least one.

    Raises:
        InputError: there is no such file, it is none of cases, or has none.
        OutsideError: it cannot be read.
    """
    found = read(path)
    if not found:
        raise InputError(Problem(path, "no case in it", "wanted one at least"))
    return found


def write(path: str | None, cases: Sequence[Case]) -> None:
    """Write cases to a file in the place of what it had, or to stdout without one.

    Raises:
        OutsideError: it cannot be written.
    """
    data = write_cases(cases)
    if path is None:
        write_bytes(data)
    else:
        atomic_write(path, data)
        say(f"{count(len(cases), 'case')} written to {path}")


def add(path: str, new: Sequence[Case]) -> None:
    """Put cases behind those of a file, which is made where it is not there; each case stands once.

    Raises:
        InputError: the file is there and is none of cases.
        OutsideError: it cannot be read or written.
    """
    if path == STDIN:
        raise InputError(Problem(path, "standard input or output", "wanted a file to add cases to"))
    before = read(path) if Path(path).exists() else ()
    after = added(before, new)
    if not after:
        say(f"no case to save, so {path} is not made")
        return
    if after != before:
        atomic_write(path, write_cases(after))
    say(f"{count(len(after) - len(before), 'new case')} in {path}, {len(after)} altogether")


def save_answers(
    path: str, questions: Sequence[Question], by: JudgedBy, profile: Profile = Profile.DEFAULT
) -> None:
    """Add answers to a file of cases; where none of them can be a case, it is told and nothing is written.

    Raises:
        InputError: the file is there and is none of cases.
        OutsideError: it cannot be read or written.
    """
    if not questions:
        say("nothing to save: our rules cannot read these records, so nobody could judge the case again")
        return
    add(path, cases_of(questions, by, profile))


def cases_of(
    questions: Iterable[Question], by: JudgedBy, profile: Profile = Profile.DEFAULT
) -> tuple[Case, ...]:
    """The cases of verdicts; those of which there is none are counted on stderr, with the reason."""
    found: list[Case] = []
    left_out: Counter[str] = Counter()
    for one in questions:
        if isinstance(one.answer, Refused):
            left_out["the judge gave no verdict"] += 1
            continue
        made = make_case(
            one.vgpu.traits,
            one.gpu,
            one.answer,
            by=by,
            month=this_month(),
            profile=profile,
            guest_driver=one.vgpu.guest_driver,
        )
        if isinstance(made, NoCase):
            left_out[made.why] += 1
        else:
            found.append(made)
    for why, number in left_out.items():
        say(f"{count(number, 'answer')} left out: {why}")
    return tuple(found)


def this_month() -> str:
    """The month that a case is dated with, in UTC."""
    return f"{datetime.now(UTC):%Y-%m}"
