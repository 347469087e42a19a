"""The fields that a rule may name, and what their values look like. Both evaluators read this table."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a field's values are, which decides how they are shown and compared in arrays."""

    VERSION = "version"
    FLAG = "flag"
    CLAIM = "claim"
    TEXT = "text"
    WORD = "word"
    LAYOUT = "layout"
    TEXTS = "texts"


class FieldSpec(NamedTuple):
    """A named field: its side (`vgpu`, `gpu`, or `pair` for one derived from both), name and kind.

    `nullable`: its value may be unknown. `words`: in words, for what is said to people.
    """

    side: str
    name: str
    kind: Kind
    nullable: bool
    words: str

    @property
    def dotted(self) -> str:
        """The spelling in the rule table."""
        return f"{self.side}.{self.name}"


_SPECS = (
    FieldSpec("vgpu", "board", Kind.TEXT, False, "board of the vgpu's type"),
    FieldSpec("vgpu", "type", Kind.TEXT, False, "vgpu type"),
    FieldSpec("vgpu", "mig_backed", Kind.CLAIM, False, "whether the type is MIG-backed"),
    FieldSpec("vgpu", "guest_info", Kind.CLAIM, False, "whether the guest driver has reported"),
    FieldSpec("vgpu", "version", Kind.VERSION, True, "vGPU version held"),
    FieldSpec("vgpu", "guest_min", Kind.VERSION, True, "oldest vGPU version of the guest driver"),
    FieldSpec("vgpu", "guest_max", Kind.VERSION, True, "newest vGPU version of the guest driver"),
    FieldSpec("vgpu", "host_driver", Kind.TEXT, True, "host driver of the source"),
    FieldSpec("vgpu", "ecc", Kind.FLAG, True, "ECC of the source gpu"),
    FieldSpec("vgpu", "sriov", Kind.FLAG, True, "SR-IOV of the source gpu"),
    FieldSpec("vgpu", "topology", Kind.WORD, True, "topology word of the source gpu"),
    FieldSpec("vgpu", "mig", Kind.LAYOUT, True, "MIG layout of the source gpu"),
    FieldSpec("vgpu", "migration", Kind.FLAG, False, "capability MIGRATION of the vgpu"),
    FieldSpec("gpu", "board", Kind.TEXT, False, "board of the target gpu"),
    FieldSpec("gpu", "mig_enabled", Kind.CLAIM, False, "whether the target gpu is in MIG mode"),
    FieldSpec("gpu", "types", Kind.TEXTS, True, "types that the target lists"),
    FieldSpec("gpu", "range_min", Kind.VERSION, True, "minimum of the target's range in force"),
    FieldSpec("gpu", "range_max", Kind.VERSION, True, "maximum of the target's range in force"),
    FieldSpec("gpu", "preset_min", Kind.VERSION, True, "minimum of the target's preset range"),
    FieldSpec("gpu", "preset_max", Kind.VERSION, True, "maximum of the target's preset range"),
    FieldSpec("gpu", "host_driver", Kind.TEXT, False, "host driver of the target"),
    FieldSpec("gpu", "ecc", Kind.FLAG, False, "ECC of the target gpu"),
    FieldSpec("gpu", "sriov", Kind.FLAG, False, "SR-IOV of the target gpu"),
    FieldSpec("gpu", "topology", Kind.WORD, False, "topology word of the target gpu"),
    FieldSpec("gpu", "mig", Kind.LAYOUT, False, "MIG layout of the target gpu"),
    FieldSpec("gpu", "migration", Kind.FLAG, False, "capability MIGRATION of the target gpu"),
    FieldSpec("pair", "renegotiated", Kind.VERSION, True, "version that a fresh negotiation would give"),
)

FIELDS = {spec.dotted: spec for spec in _SPECS}

MUST_BE_KNOWN = ("vgpu.guest_min", "vgpu.guest_max", "gpu.range_min", "gpu.range_max")
"""Fields whose being unknown is told beside a verdict: a row that needs one was silent."""


def show_version(value: int | None) -> str:
    """A vGPU version, always as hex."""
    return "unknown" if value is None else f"{value:#x}"


def show_flag(value: bool | None) -> str:
    """A flag as on or off."""
    return "unknown" if value is None else "on" if value else "off"


def show_claim(value: bool | None) -> str:
    """A claim as yes or no."""
    return "unknown" if value is None else "yes" if value else "no"


def show_text(value: str | None) -> str:
    """A name as it is."""
    return "unknown" if value is None else value


def show_word(value: int | None) -> str:
    """The topology word."""
    return "unknown" if value is None else f"{value:#x}" if value > 9 else str(value)


def show_layout(value: tuple[int, ...] | None) -> str:
    """A MIG layout as its slices in order; `none` without MIG."""
    return "unknown" if value is None else "+".join(map(str, value)) or "none"


def show_texts(value: frozenset[str] | None) -> str:
    """A set of names in order."""
    return "not listed" if value is None else ", ".join(sorted(value))


SHOW: dict[Kind, Callable[..., str]] = {
    Kind.VERSION: show_version,
    Kind.FLAG: show_flag,
    Kind.CLAIM: show_claim,
    Kind.TEXT: show_text,
    Kind.WORD: show_word,
    Kind.LAYOUT: show_layout,
    Kind.TEXTS: show_texts,
}
