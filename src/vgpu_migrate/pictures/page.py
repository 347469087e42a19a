"""The page: one HTML file that needs nothing beside itself and may load nothing.

The Content-Security-Policy allows the page's own style and script, by their hashes, and nothing else. The
data stand in a block that is no script; what could end the block is escaped, and the scripts put text into
the page as text alone.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from string import Template

import msgspec

from vgpu_migrate.pictures.columns import Report

SCRIPTS = ("data.js", "paint.js", "lanes.js", "gantt.js", "strips.js", "classes.js", "tables.js", "page.js")
"""The parts of the script, in order: each uses those before it."""

_ESCAPED = {b"<": b"\\u003c", b">": b"\\u003e", b"&": b"\\u0026"}


def page(report: Report) -> bytes:
    """The page of a report, in UTF-8; the same report gives the same bytes."""
    style, script = _part("page.css"), "\n".join(map(_part, SCRIPTS))
    filled = Template(_part("page.html")).substitute(
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        goal=report.goal,
        style=style,
        script=script,
        data=_data(report).decode(),
    )
    return filled.encode()


def _data(report: Report) -> bytes:
    """The data as JSON in which nothing looks like markup: these characters stand in texts alone."""
    data = msgspec.json.encode(report)
    for character, escaped in _ESCAPED.items():
        data = data.replace(character, escaped)
    return data


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _part(name: str) -> str:
    return resources.files("vgpu_migrate.pictures").joinpath("web", name).read_text(encoding="utf-8")
