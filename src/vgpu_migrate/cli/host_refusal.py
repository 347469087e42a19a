"""A host's "no", in JSON or for people: with the evidence where a verdict decided."""

from __future__ import annotations

from vgpu_migrate.cli import answers, host_types
from vgpu_migrate.cli.evidence_view import obstacles, show_obstacles
from vgpu_migrate.cli.exit_status import NO
from vgpu_migrate.cli.output import write_json
from vgpu_migrate.cli.screen import BAD, Cell, Screen
from vgpu_migrate.compat import Evidence, Verdict
from vgpu_migrate.errors import RefusedError
from vgpu_migrate.manager import Refusal
from vgpu_migrate.nvml import NvmlError


def tell(error: RefusedError | NvmlError, *, as_json: bool) -> int:
    """Tell the refusal; gives exit status 1."""
    if as_json:
        write_json(host_types.RefusedAnswer(_refused(error)))
        return NO
    screen = Screen()
    screen.line(Cell(f"No: {error}.", BAD))
    verdict = _verdict(error)
    if verdict is not None and verdict.evidence:
        screen.line()
        screen.title("What stops it")
        show_obstacles(screen, obstacles(("", piece) for piece in verdict.evidence))
    return NO


def _refused(error: RefusedError | NvmlError) -> host_types.Refused:
    if isinstance(error, NvmlError):
        reason = error.code.name.lower().replace("_", "-")
        return host_types.Refused(reason, None, error.detail or error.code.text, int(error.code))
    refusal = error.refusal
    if not isinstance(refusal, Refusal):
        return host_types.Refused("refused", None, str(error))
    verdict = refusal.verdict
    if verdict is None:
        return host_types.Refused(refusal.reason.value, refusal.thing, refusal.detail)
    return host_types.Refused(
        refusal.reason.value,
        refusal.thing,
        refusal.detail,
        states=answers.spell_states(verdict.states),
        limits=answers.spell_limits(verdict.limits),
        evidence=spell_evidence(verdict),
        unknown=verdict.unknown,
    )


def spell_evidence(verdict: Verdict) -> list[answers.Evidence]:
    """The evidence of a verdict, as `check` spells it."""
    return [_spell(piece) for piece in verdict.evidence]


def _spell(piece: Evidence) -> answers.Evidence:
    return answers.Evidence(piece.rule, piece.seen, piece.basis, piece.source, piece.remedy, piece.by)


def _verdict(error: RefusedError | NvmlError) -> Verdict | None:
    refusal = error.refusal if isinstance(error, RefusedError) else None
    return refusal.verdict if isinstance(refusal, Refusal) else None
