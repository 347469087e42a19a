"""Tables and lines for people: width, colour and characters as the terminal can show them.

Colour only on a terminal and not against NO_COLOR; only ASCII where the locale is not UTF-8. What a file
names is shown, never obeyed: no markup is read from it, and what is unprintable in it is spelled out.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vgpu_migrate.cli.visible import visible

WIDTH_OF_A_PIPE = 100
INDENT = 2
GAP = 2
LONGEST_WORD = 24
"""Longer words may be broken where there is no room."""

_BLANKS_AT_END = re.compile(r" +$", re.MULTILINE)

_ASCII = str.maketrans({"✓": "y", "–": "-", "·": ".", "…": "...", "×": "x", "≥": ">=", "→": ">", "✗": "n"})

GOOD, BAD, WEAK, STRONG, NOTE = "green", "red", "bright_black", "bold", "yellow"


class Column(NamedTuple):
    """A column: its title, whether numbers stand right, and whether it may be broken into lines."""

    title: str
    right: bool = False
    wraps: bool = False
    style: str = ""


class Cell(NamedTuple):
    """A piece of text in a style."""

    text: str
    style: str = ""


Words = str | Cell | Sequence[Cell | str]

BREAK = Cell("\n")
"""A new line inside a cell. One in any other text is data, and is spelled out."""


class Screen:
    """What answers for people are written to."""

    def __init__(self) -> None:
        piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
        self._console = Console(
            file=sys.stdout,
            width=WIDTH_OF_A_PIPE if piped else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self.is_ascii = not (sys.stdout.encoding or "").lower().startswith("utf")
        self._indent = 0

    @property
    def width(self) -> int:
        """How many columns are left."""
        return self._console.width - self._indent

    def line(self, *words: Words) -> None:
        """One line, or a paragraph where it is long; without words an empty line."""
        self._show(self._text(words))

    def title(self, text: str) -> None:
        """The head of a section."""
        self._show(self._text([Cell(text, STRONG)]))

    @contextmanager
    def indented(self) -> Iterator[None]:
        """What is shown meanwhile stands further in."""
        self._indent += INDENT
        try:
            yield
        finally:
            self._indent -= INDENT

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Words]]) -> None:
        """A table with a head. A narrow terminal breaks the lines of a wide one; nothing is cut off."""
        table = Table(box=None, padding=(0, GAP, 0, 0), header_style=STRONG)
        cells = [[self._text([words]) for words in row] for row in rows]
        least = 0
        for number, column in enumerate(columns):
            title = Text(self._fit(column.title))
            narrowest = max(_narrowest(text, column) for text in (title, *(row[number] for row in cells)))
            least += narrowest + GAP
            table.add_column(
                title,
                justify="right" if column.right else "left",
                no_wrap=not column.wraps,
                min_width=narrowest,
                overflow="fold",
                style=column.style or None,
            )
        for row in cells:
            table.add_row(*row)
        # The gap behind the last column is cut off again.
        with self._width(max(self._console.width + GAP, least + self._indent)):
            self._show(table)

    @contextmanager
    def _width(self, width: int) -> Iterator[None]:
        before = self._console.width
        self._console.width = width
        try:
            yield
        finally:
            self._console.width = before

    def facts(self, rows: Iterable[tuple[str, Words]]) -> None:
        """Names and what stands behind them, one pair a line."""
        grid = Table.grid(padding=(0, GAP, 0, 0))
        grid.add_column(style=WEAK, no_wrap=True)
        grid.add_column(overflow="fold")
        for name, words in rows:
            grid.add_row(self._text([name]), self._text([words]))
        self._show(grid)

    def _show(self, what: RenderableType) -> None:
        if self._indent and not (isinstance(what, Text) and not what.plain):
            what = Padding(what, (0, 0, 0, self._indent), expand=False)
        with self._console.capture() as captured:
            self._console.print(what)
        # Tables fill their columns with blanks, which nobody wants at the end of a line.
        sys.stdout.write(_BLANKS_AT_END.sub("", captured.get()))

    def _text(self, words: Iterable[Words]) -> Text:
        text = Text(overflow="fold")
        for part in words:
            for piece in (part,) if isinstance(part, str | Cell) else part:
                if piece is BREAK:
                    text.append("\n")
                    continue
                content, style = piece if isinstance(piece, Cell) else (piece, "")
                text.append(self._fit(content), style or None)
        return text

    def _fit(self, text: str) -> str:
        shown = visible(text)
        return shown.translate(_ASCII) if self.is_ascii else shown


def _narrowest(text: Text, column: Column) -> int:
    """The least width at which a cell reads well: its longest line, or where it wraps its longest word."""
    if not column.wraps:
        return max((cell_len(line) for line in text.plain.splitlines()), default=0)
    return min(LONGEST_WORD, max((cell_len(word) for word in text.plain.split()), default=0))


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: `1 host`, `2 hosts`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def seconds(number: float) -> str:
    """A time for people: `4.1 s`, `12 min 5 s`, `1 h 30 min`."""
    if number < 60:
        return f"{number:.1f} s"
    whole = round(number)
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(number / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def some(names: Sequence[str], most: int = 6) -> str:
    """The names, or the first of many and how many more."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1:,} more"
