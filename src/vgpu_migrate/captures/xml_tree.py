"""XML from strangers: no entity is expanded, nothing outside is read, and every element knows its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from vgpu_migrate.captures.findings import Said
from vgpu_migrate.errors import InputError, Problem

MOST_DEPTH = 64
MOST_ELEMENTS = 200_000
SMI_ROOT = "nvidia_smi_log"
"""`nvidia-smi -x` begins with a DOCTYPE that names a file of the vendor's; it is passed over, never read."""


@dataclass(slots=True)
class Element:
    """An element, its text without blanks around it, and its line in `file`."""

    tag: str
    attributes: dict[str, str]
    file: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"

    def all(self, *path: str) -> Iterator[Element]:
        """The elements at a path of tags below this one."""
        for child in self.children:
            if child.tag == path[0]:
                if len(path) == 1:
                    yield child
                else:
                    yield from child.all(*path[1:])

    def descendants(self) -> Iterator[Element]:
        """All elements below this one, in the file's order."""
        for child in self.children:
            yield child
            yield from child.descendants()

    def first(self, *path: str) -> Element | None:
        """The first element at a path of tags, or None."""
        return next(self.all(*path), None)

    def said(self, *path: str) -> Said | None:
        """The text of the first element at a path of tags."""
        found = self.first(*path)
        return None if found is None else Said(found.text, found.place)

    def attribute(self, name: str) -> Said | None:
        """An attribute's value."""
        value = self.attributes.get(name)
        return None if value is None else Said(value, self.place)


class _Builder:
    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Element | None = None
        self.open: list[Element] = []
        self.texts: list[list[str]] = []
        self.count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._entity
        self.parser.SkippedEntityHandler = self._skipped

    def refuse(self, seen: str, wanted: str) -> NoReturn:
        raise InputError(Problem(f"{self.file}:{self.parser.CurrentLineNumber}", seen, wanted))

    def _doctype(self, name: str, _system: str | None, _public: str | None, has_subset: bool) -> None:
        if has_subset or name != SMI_ROOT:
            self.refuse(f"DOCTYPE {name}", "wanted XML without declarations of its own")

    def _entity(self, name: str, *_rest: object) -> None:
        self.refuse(f"entity {name}", "wanted XML without entities of its own")

    def _skipped(self, name: str, _is_parameter: bool) -> None:
        self.refuse(f"entity {name}", "wanted XML without entities of its own")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MOST_ELEMENTS:
            self.refuse("more elements", f"wanted at most {MOST_ELEMENTS}")
        if len(self.open) >= MOST_DEPTH:
            self.refuse("elements nested deeper", f"wanted at most {MOST_DEPTH} levels")
        element = Element(tag, attributes, self.file, self.parser.CurrentLineNumber)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)
        self.texts.append([])

    def _text(self, text: str) -> None:
        if self.texts:
            self.texts[-1].append(text)

    def _end(self, _tag: str) -> None:
        self.open.pop().text = "".join(self.texts.pop()).strip()


def read_xml(data: bytes, *, file: str) -> Element:
    """The root element.

    Raises:
        InputError: it is no XML, or has a DOCTYPE or entities of its own, or is nested too deeply.
    """
    builder = _Builder(file)
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "not XML")
        raise InputError(Problem(f"{file}:{error.lineno}", reason, "wanted one XML document")) from None
    except (ValueError, LookupError) as error:
        raise InputError(Problem(file, str(error), "wanted one XML document")) from None
    assert builder.root is not None, "expat refuses a document without an element"
    return builder.root
