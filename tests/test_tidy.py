"""The house's order, read from the source: who imports whom, how long things are, what is used where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "vgpu_migrate"
LINES_OF_A_MODULE, LINES_OF_A_FUNCTION = 500, 70

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "nvml": {"errors"},
    "facts": {"errors", "nvml"},
    "model": {"errors", "nvml", "facts"},
    "files": {"errors"},
    "fleetio": {"errors", "model", "files"},
    "planio": {"errors", "model", "files"},
    "recordsio": {"errors", "nvml", "model", "files"},
    "compat": {"errors", "nvml", "facts", "model"},
    "manager": {"errors", "nvml", "facts", "model", "compat"},
    "snapshot": {"errors", "nvml", "facts", "model", "compat", "manager"},
    "hosts": {"errors", "nvml", "facts", "model", "compat", "manager", "snapshot"},
    "sysfs": {"errors", "nvml", "facts", "model", "manager", "snapshot"},
    "hostd": {
        "errors",
        "nvml",
        "facts",
        "model",
        "compat",
        "manager",
        "snapshot",
        "hosts",
        "sysfs",
        "files",
        "fleetio",
    },
    "dropin": {"errors"},
    "captures": {"errors", "nvml", "facts", "model"},
    "captureio": {"errors", "files", "captures"},
    "planning": {"errors", "nvml", "facts", "model", "compat"},
    "replay": {"errors", "nvml", "facts", "model", "compat"},
    "pictures": {"errors", "nvml", "facts", "model", "compat"},
    "demo": set(),
    "settingsio": {"errors"},
    "pinio": {"errors", "nvml", "files", "settingsio"},
    "vmm": {"errors", "nvml", "files", "settingsio", "model", "compat", "hosts"},
    "units": {"errors", "files", "vmm"},
    "doctor": {"errors", "nvml", "compat", "hosts", "pinio", "units", "vmm"},
}
"""The arrows of docs/architecture.md: what each room may import beside itself."""

EVERY_ROOM = set(MAY_IMPORT)
MAY_IMPORT |= {
    "cli": EVERY_ROOM,
    "testing": {"errors", "model", "hosts", "hostd", "dropin", "fleetio"},
    "pytest_plugin": {"errors", "model", "testing"},
    "__init__": EVERY_ROOM,
    "__main__": {"cli"},
}

CORE = ("nvml", "facts", "model", "compat", "manager", "planning", "replay", "pictures")
"""Rooms of pure functions: clocks and seeds are handed in."""

DEPENDENCIES: dict[str, set[str]] = {
    "click": {"cli"},
    "rich": {"cli"},
    "yaml": {"model", "fleetio", "cli"},
    "msgspec": EVERY_ROOM - {"errors", "nvml"} | {"cli"},
    "numpy": {"compat", "planning"},
    "ortools": {"planning"},
    "distributed": {"planning"},
    "pytest": {"pytest_plugin"},
    "pynvml": {"hosts"},
    "libvirt": {"vmm"},
    "polars": set(),
}
"""Where each dependency, optional ones too, may be imported. Any other import is the standard library's."""


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def files_of_tests() -> list[Path]:
    """Every module of the tests."""
    return sorted((ROOT / "tests").rglob("*.py"))


def scripts() -> list[Path]:
    """Every Python file of the project."""
    folders = ("src", "tests", "benchmarks", "examples", "tools")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def at(path: Path, node: ast.stmt | ast.expr) -> str:
    """A place as editors write it."""
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def room_of(path: Path) -> str:
    """The room that a module of the package stands in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Every module that a file imports, anywhere in it, by its full name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{at(path, node)}: wanted an absolute import"
            if node.module == "vgpu_migrate":
                for alias in node.names:
                    yield f"vgpu_migrate.{alias.name}", node
            else:
                yield str(node.module), node


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call in a file."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_every_room_is_drawn() -> None:
    """Each room of the package has its arrows in the table above, and each row has its room."""
    there = {room_of(path) for path in modules()} | {
        folder.name for folder in PACKAGE.iterdir() if folder.is_dir() and folder.name != "__pycache__"
    }
    assert there == set(MAY_IMPORT)


def test_imports_go_one_way() -> None:
    """No module imports from a room to which its own has no arrow."""
    wrong = []
    for path in modules():
        room = room_of(path)
        for name, node in imports(path):
            package, _, rest = name.partition(".")
            target = rest.partition(".")[0] or "__init__"
            own = {room, "__version__"}
            if package == "vgpu_migrate" and target not in MAY_IMPORT[room] | own:
                wrong.append(f"{at(path, node)}: {room} imports {target}")
    assert wrong == []


def test_dependencies_stay_in_their_rooms() -> None:
    """What is not the standard library's is imported only in the rooms that may."""
    wrong = []
    for path in modules():
        for name, node in imports(path):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or top == "vgpu_migrate":
                continue
            if room_of(path) not in DEPENDENCIES.get(top, set()):
                wrong.append(f"{at(path, node)}: {top}")
    assert wrong == []


@pytest.mark.parametrize("room", ["errors", "nvml", "facts"])
def test_numpy_is_not_loaded_by_the_lower_rooms(room: str) -> None:
    """To import errors, nvml or facts loads no NumPy, so that small commands start fast."""
    code = f"import sys, vgpu_migrate.{room}; sys.exit('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_core_has_no_clock_and_no_dice() -> None:
    """No room of pure functions imports time, random or datetime."""
    wrong = [
        f"{at(path, node)}: {name}"
        for path in modules()
        if room_of(path) in CORE
        for name, node in imports(path)
        if name.partition(".")[0] in {"time", "random", "datetime"} or name == "numpy.random"
    ]
    assert wrong == []


def test_only_the_command_line_prints() -> None:
    """`print` is called in the cli room alone."""
    wrong = [
        at(path, call)
        for path in modules()
        if room_of(path) != "cli"
        for call in calls(path)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    assert wrong == []


def test_modules_are_short() -> None:
    """No module of the package has 500 lines."""
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in modules()}
    assert {path: lines for path, lines in lengths.items() if lines >= LINES_OF_A_MODULE} == {}


def test_functions_are_short() -> None:
    """No function of the package has 70 lines, its docstring and decorators included."""
    wrong = {}
    for path in modules():
        for node in functions(path):
            start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            assert node.end_lineno is not None
            if (lines := node.end_lineno - start + 1) >= LINES_OF_A_FUNCTION:
                wrong[f"{at(path, node)} {node.name}"] = lines
    assert wrong == {}


def test_no_shell_and_no_pickle() -> None:
    """Nothing runs a shell on a string, and nothing reads or writes pickles."""
    wrong = []
    for path in scripts():
        wrong += [
            at(path, call)
            for call in calls(path)
            for keyword in call.keywords
            if keyword.arg == "shell"
            and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        ]
        wrong += [
            at(path, node)
            for name, node in imports(path)
            if name.partition(".")[0] in {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
        ]
    assert wrong == []


def test_no_exception_is_caught_blindly() -> None:
    """No handler in the package is bare or catches Exception or BaseException."""
    wrong = []
    for path in modules():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = (
                    {item.id for item in ast.walk(node.type) if isinstance(item, ast.Name)}
                    if node.type
                    else {"Exception"}
                )
                if caught & {"Exception", "BaseException"}:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


def test_no_room_for_odds_and_ends() -> None:
    """No module is called utils, common, helpers or misc."""
    names = {path.stem for path in scripts()} | {path.parent.name for path in scripts()}
    assert not names & {"utils", "util", "common", "helpers", "helper", "misc"}


def test_every_test_says_its_rule() -> None:
    """Each test function has a docstring of one sentence."""
    wrong = []
    for path in files_of_tests():
        for node in functions(path):
            if node.name.startswith("test_"):
                said = " ".join((ast.get_docstring(node) or "").split())
                if not re.fullmatch(r"\S.*[.?]", said) or re.search(r"[a-z0-9)`]{2}[.?] +[A-Z]", said):
                    wrong.append(f"{at(path, node)} {node.name}: {said!r}")
    assert wrong == []


def test_every_skip_gives_its_reason() -> None:
    """`skip`, `skipif`, `xfail` and `importorskip` say why, as an argument or as `reason`."""
    wrong = []
    for path in files_of_tests():
        nodes = list(ast.walk(tree(path)))
        reasoned = {
            call.func
            for call in nodes
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and (
                any(keyword.arg == "reason" for keyword in call.keywords)
                or (call.func.attr in {"skip", "xfail"} and call.args)
            )
        }
        types = {node.value for node in nodes if isinstance(node, ast.Attribute) and node.attr == "Exception"}
        wrong += [
            at(path, node)
            for node in nodes
            if isinstance(node, ast.Attribute)
            and node.attr in {"skip", "skipif", "xfail", "importorskip"}
            and node not in reasoned | types
        ]
    assert wrong == []
