"""Cases judged by today's rules, as JSON and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vgpu_migrate.cli import answers, case_files
from vgpu_migrate.cli import truth_types as rows
from vgpu_migrate.cli.screen import BAD, GOOD, NOTE, STRONG, WEAK, Cell, Screen, Words, count
from vgpu_migrate.compat import rules
from vgpu_migrate.compat.cases import Case, Recheck, contradictions, recheck

MOST_DIFFERENCES = 12


def answer(files: Sequence[str]) -> rows.VerifyAnswer:
    """The answer of `truth verify --json`.

    Raises:
        InputError: a file is none of cases, or there is no case in any.
        OutsideError: a file cannot be read.
    """
    cases: list[Case] = []
    places: list[tuple[str, int]] = []
    for file in files:
        for number, case in enumerate(case_files.read_some(file), start=1):
            cases.append(case)
            places.append((file, number))
    against = contradictions(cases)
    found = [
        _row(recheck(case), *places[index], [places[other] for other in against.get(index, ())])
        for index, case in enumerate(cases)
    ]
    hit = Counter(rule for row in found for rule in row.rules)
    differ = sum(not row.agrees for row in found)
    return rows.VerifyAnswer(
        cases=found,
        agree=len(found) - differ,
        differ=differ,
        rules={rule.id: hit[rule.id] for rule in rules()},
    )


def _row(found: Recheck, file: str, number: int, against: Sequence[tuple[str, int]]) -> rows.CheckedCase:
    case, said = found.case, found.case.said
    whole = None
    if said.states is not None and said.limits is not None:
        whole = rows.Verdict(answers.spell_states(said.states), answers.spell_limits(said.limits))
    return rows.CheckedCase(
        file=file,
        number=number,
        by=case.by.kind.value,
        vgpu=case.vgpu.type,
        gpu=case.gpu.board,
        agrees=found.agrees,
        said=whole,
        live=said.live,
        ours=rows.Verdict(
            answers.spell_states(found.verdict.states), answers.spell_limits(found.verdict.limits)
        ),
        rules=found.rows,
        driver=case.by.driver,
        source=case.by.source,
        month=case.month,
        too_strict=found.too_strict,
        unexplained=found.unexplained,
        contradicts=tuple(f"{name}:{place}" for name, place in against),
    )


def show(screen: Screen, found: rows.VerifyAnswer, *, show_all: bool) -> None:
    """A sentence, who judged how many cases, and each difference with the rows to look at."""
    differing = [row for row in found.cases if not row.agrees]
    if differing:
        said = f"No: the rules differ from {len(differing):,} of {count(len(found.cases), 'case')}."
    else:
        said = f"Yes: the rules agree with {count(len(found.cases), 'case')}."
    screen.line(Cell(said, BAD if differing else GOOD))
    _show_judges(screen, found)
    most = len(differing) if show_all else MOST_DIFFERENCES
    for row in differing[:most]:
        screen.line()
        _show_difference(screen, row)
    if len(differing) > most:
        screen.line()
        screen.line(Cell(f"and {len(differing) - most:,} more; --all shows them", WEAK))
    untouched = [name for name, hits in found.rules.items() if not hits]
    if untouched:
        screen.line()
        screen.line([Cell("no case hits", NOTE), f": {', '.join(untouched)}"])


def _show_judges(screen: Screen, found: rows.VerifyAnswer) -> None:
    judges = Counter((row.by, row.driver) for row in found.cases)
    says = {
        "driver": "by driver {driver}",
        "simulated": "by a simulated host of driver {driver}, whose rules are ours",
        "document": "by a vendor's document",
    }
    with screen.indented():
        for (kind, driver), cases in judges.items():
            screen.line(f"{count(cases, 'case')} {says[kind].format(driver=driver)}")


def _show_difference(screen: Screen, row: rows.CheckedCase) -> None:
    screen.line([Cell(f"{row.file}, case {row.number}", STRONG), f": {row.vgpu} on {row.gpu}"])
    if row.by == "document":
        who = f"document: {row.source}"
    else:
        who = f"{'driver' if row.by == 'driver' else 'a simulated host of driver'} {row.driver}, {row.month}"
    facts: list[tuple[str, Words]] = [
        ("judged by", who),
        ("it says", _say(row.said) if row.said is not None else "live" if row.live else "not live"),
        ("our rules", _say(row.ours)),
        ("rows that hit", ", ".join(row.rules) or "none"),
    ]
    if row.too_strict:
        facts.append(("stricter than it", ", ".join(row.too_strict)))
    if row.unexplained:
        facts.append(("no row explains", ", ".join(row.unexplained)))
    if row.contradicts:
        facts.append(
            ("contradicted by", f"{', '.join(row.contradicts)}: no rule over these fields can satisfy both")
        )
    with screen.indented():
        screen.facts(facts)


def _say(verdict: rows.Verdict) -> str:
    return f"{', '.join(verdict.states) or 'no state'} (limits: {', '.join(verdict.limits) or 'none'})"
