"""What captured names and ids are in the tables."""

from __future__ import annotations

import re

from vgpu_migrate import facts
from vgpu_migrate.captures.findings import Said, Words
from vgpu_migrate.captures.smi_tables import CUT_OFF
from vgpu_migrate.facts import Board, VgpuType

_NOT_LETTERS = re.compile(r"[^a-z0-9]+")
_BRANDS = ("nvidia", "tesla", "quadro", "grid", "geforce")
_LONG_WORDS = (("serveredition", "se"), ("generation", ""))


def boards_by_product(product: str) -> tuple[Board, ...]:
    """The boards with this product name: their own or a marketing name, blanks and brand left out."""
    wanted = _plain(product)
    return tuple(
        row
        for row in facts.boards().values()
        if wanted in {_plain(row.key), *(_plain(name) for name in row.marketing_names)}
    )


def _plain(name: str) -> str:
    words = [word for word in _NOT_LETTERS.split(name.casefold()) if word]
    while words and words[0] in _BRANDS:
        del words[0]
    plain = "".join(words)
    for long, short in _LONG_WORDS:
        plain = plain.replace(long, short)
    return plain


def type_by_id(said: Said | None) -> VgpuType | None:
    """The type of an id, `1519` or `nvidia-1519`; None where the tables do not have it."""
    if said is None:
        return None
    return facts.vgpu_type_names().get(f"nvidia-{said.text.removeprefix('nvidia-')}")


def type_by_name(said: Said | None) -> VgpuType | None:
    """The type of a name. One that was cut off stands for the only type that begins so."""
    if said is None:
        return None
    names = facts.vgpu_type_names()
    if not said.text.endswith(CUT_OFF):
        return names.get(said.text)
    start = said.text.removesuffix(CUT_OFF)
    found = {row.short: row for name, row in names.items() if name.startswith(start)}
    return next(iter(found.values())) if len(found) == 1 else None


def type_of(words: Words) -> VgpuType | None:
    """The type that id and name say; where they differ, the name's, which people read."""
    return type_by_name(words.get("name")) or type_by_id(words.get("id"))
