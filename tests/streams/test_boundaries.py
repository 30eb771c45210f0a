"""The rules that hold the code base together: who imports whom, who prints, how long a module may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT
from support.patience import PATIENCE_S

PACKAGES = ("streams", "features", "models")
MAY_IMPORT = {"streams": {"features", "models"}, "features": set(), "models": set()}
MAX_LINES = 300
MAX_WIDTH = 20

MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield every (module, name) that a file imports, wherever in it; the name is empty for a whole module."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: a relative import hides its package"
            assert node.module is not None
            yield from ((node.module, alias.name) for alias in node.names)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def test_the_packages_are_there() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PACKAGES)


def test_dependencies_point_one_way() -> None:
    wrong = []
    for path in MODULES:
        own = path.relative_to(ROOT).parts[0]
        foreign = {name.split(".")[0] for name, _ in imports(path)} & set(PACKAGES) - {own}
        wrong += [f"{name_of(path)} imports {package}" for package in foreign - MAY_IMPORT[own]]
    assert wrong == []


def test_another_module_is_used_by_its_public_names_only() -> None:
    private = []
    for path in MODULES:
        ours = [f"{name}.{member}" for name, member in imports(path) if name.split(".")[0] in PACKAGES]
        private += [f"{name_of(path)} imports {used}" for used in ours if any(map(is_private, used.split(".")))]
    assert private == []


def test_nothing_prints_but_the_command_line() -> None:
    printing = []
    for path in MODULES:
        if name_of(path).startswith("streams/cli/"):
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
        named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
        printing += [f"{name_of(path)}:{call.lineno}" for call in named]
    assert printing == []


def test_a_module_is_short_enough_to_hold_one_idea() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_folder_is_wider_than_a_glance() -> None:
    widths = Counter(str(path.parent.relative_to(ROOT)) for path in MODULES)
    assert {folder: width for folder, width in widths.items() if width > MAX_WIDTH} == {}


def test_feast_is_imported_by_one_module_only() -> None:
    users = {name_of(path) for path in MODULES for name, _ in imports(path) if name.split(".")[0] == "feast"}
    assert users == {"features/repository.py"}


def test_the_pure_core_has_no_clock_and_no_io() -> None:
    core = (
        "features/tiles.py",
        "features/users/state.py",
        "features/users/row.py",
        "features/text_sum.py",
        "features/observation.py",
    )
    effects = {"time", "os", "io", "socket", "asyncio", "threading", "subprocess", "pathlib", "random", "logging"}
    used = [(path, name) for path in core for name, _ in imports(ROOT / path) if name.split(".")[0] in effects]
    assert used == []


@pytest.mark.parametrize("package", ["features", "models"])
def test_what_is_remembered_and_what_is_inferred_load_without_the_flow(package: str) -> None:
    names = [name_of(path)[:-3].replace("/", ".") for path in MODULES if name_of(path).startswith(package)]
    names = [name.removesuffix(".__init__") for name in names if name != "features.repository"]
    lines = ["import importlib, sys", f"for name in {names!r}: importlib.import_module(name)"]
    others = sorted(set(PACKAGES) - {package} | {"faust", "aiokafka", "feast"})
    lines.append(f"print(sorted({set(others)!r} & set(sys.modules)))")
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert ran.stdout.strip() == "[]", ran.stderr
