"""Text that comes from data, with nothing in it that a terminal would obey."""

from __future__ import annotations


def visible(text: str) -> str:
    r"""The text with every unprintable character, line ends among them, spelled out: `\x1b`, `\u202e`."""
    return text if text.isprintable() else "".join(map(_spelled, text))


def _spelled(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def visible_json(text: str) -> str:
    """JSON in which unprintable characters are escaped; what it means stays the same."""
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_escaped, line)) for line in lines)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
