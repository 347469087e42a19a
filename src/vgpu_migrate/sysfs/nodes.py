"""Directories, files and links as values; a directory's entries are worked out when first looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from vgpu_migrate.facts import VgpuType
from vgpu_migrate.manager import DeviceId
from vgpu_migrate.model import GpuId

READ_ONLY, READ_WRITE, WRITE_ONLY = 0o444, 0o644, 0o200


class CreateMdev(NamedTuple):
    """A UUID written here makes a mediated device of this type, on this virtual function if there are any."""

    gpu: GpuId
    type: VgpuType
    function: int | None


class RemoveMdev(NamedTuple):
    """A number other than 0 written here ends the device."""

    device: DeviceId


class SetType(NamedTuple):
    """A type id written here sets a virtual function's type; 0 takes it away.

    `new_device` is the id that a device made here has, `device` the one that is there now.
    """

    gpu: GpuId
    function: int
    types: tuple[VgpuType, ...]
    new_device: DeviceId
    device: DeviceId | None


class SetPlacement(NamedTuple):
    """A placement id written here moves the device to it; None: there is no device yet."""

    device: DeviceId | None


class SetFunctions(NamedTuple):
    """The number of virtual functions, which stays as it is."""

    number: int


Action = CreateMdev | RemoveMdev | SetType | SetPlacement | SetFunctions
"""What a write to a file asks for."""


class File(NamedTuple):
    """A file: what it holds, its permission bits, and what a write asks for, None where there is none."""

    content: bytes
    mode: int = READ_ONLY
    action: Action | None = None


class Link(NamedTuple):
    """A symbolic link."""

    target: str


class Directory:
    """A directory; two are the same if what is in them is."""

    def __init__(self, entries: Callable[[], Mapping[str, Node]]) -> None:
        self._entries = entries

    @cached_property
    def entries(self) -> Mapping[str, Node]:
        """What is in it, by name, in the order in which it is listed."""
        return self._entries()

    def find(self, path: str) -> Node | None:
        """What is at a path relative to this directory, links not followed; None: nothing."""
        node: Node = self
        for name in path.split("/") if path else ():
            found = node.entries.get(name) if isinstance(node, Directory) else None
            if found is None:
                return None
            node = found
        return node

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Everything below it, with its path, directories before what is in them."""
        for name, node in self.entries.items():
            at = f"{path}/{name}" if path else name
            yield at, node
            if isinstance(node, Directory):
                yield from node.walk(at)


Node = File | Link | Directory


def text(line: object) -> File:
    """A read-only attribute of one line."""
    return File(f"{line}\n".encode())


def folder(entries: Mapping[str, Node]) -> Directory:
    """A directory whose entries are known."""
    return Directory(lambda: entries)
