"""The names that users import."""

import subprocess
import sys

import vgpu_migrate


def test_every_public_name_can_be_imported() -> None:
    """Each name of `__all__` is there and is imported from one room."""
    assert sorted(vgpu_migrate._HOME_OF) == sorted(vgpu_migrate.__all__)
    for name in vgpu_migrate.__all__:
        assert getattr(vgpu_migrate, name) is not None


def test_importing_the_package_imports_nothing_heavy() -> None:
    """`import vgpu_migrate` loads neither NumPy nor Rich nor a table."""
    heavy = ("numpy", "rich", "msgspec", "yaml")
    code = f"import sys, vgpu_migrate; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
