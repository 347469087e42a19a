"""The package's build hook: compile libnvidia-ml.so.1 into the package, where there is a compiler.

With it the wheel is one of this platform; without it, a pure one that lacks the library and nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg, misc, unused-ignore]
    """Runs before a wheel is put together, an editable one too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library and say what kind of wheel this makes."""
        sys.path.insert(0, self.root)
        try:
            from native.build import NAME, CompilerError, build
        finally:
            sys.path.remove(self.root)
        library = Path("src", "vgpu_migrate", "dropin", NAME)
        if not sys.platform.startswith("linux"):
            self.app.display_warning(f"{NAME} is for Linux; the package is built without it")
            return
        try:
            build(Path(self.root) / library)
        except CompilerError as error:
            self.app.display_warning(f"{NAME} is left out: {error}")
            return
        build_data["artifacts"].append(str(library))
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(platform_tags())}"
