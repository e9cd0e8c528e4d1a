"""The arrows of the design: which folder may import which. Data flows one way."""

import ast
from pathlib import Path

import pytest

import jitad

ROOT = Path(jitad.__file__).parent
ALLOWED = {
    "ir": set(),
    "primitives": {"ir"},
    "frontend": {"ir", "primitives"},
    "transform": {"ir", "primitives"},
    "optimize": {"ir", "primitives"},
    "lower": {"ir", "primitives"},
    "codegen": {"ir", "lower"},
    "runtime": {"ir", "codegen"},
    "functional": {"ir", "primitives", "frontend", "transform", "optimize"},
    "pipeline": {"ir", "optimize", "lower", "codegen", "runtime"},
}
COMPILERS = {"numba", "llvmlite"}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0].removesuffix(".py") in ALLOWED)

UNMAPPED = {"functional", "runtime", "codegen/elementary", "frontend/numpy_api", "frontend/scipy_api"}  # whose modules tell by their names
MAPPED = sorted({str(path.parent.relative_to(ROOT)) for path in FILES if path.name == "__init__.py"} - UNMAPPED)
STORIES_OF_LOWER = ["grammar", "fusion", "preparation", "steps", "memory", "schedule", "lowering"]  # each may import those before it


def imported(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_layers(path):
    layer = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for module in imported(path):
        first, *rest = module.split(".")
        if first == "jitad":
            assert rest and (rest[0] == layer or rest[0] in ALLOWED[layer]), f"{layer} imports {module}"


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(ROOT / "lower")], ids=lambda path: str(path.relative_to(ROOT)))
def test_the_folders_of_lower_stand_on_one_another(path):
    story = path.relative_to(ROOT).parts[1].removesuffix(".py")
    for module in imported(path):
        if module.startswith("jitad.lower."):
            other = module.split(".")[2]
            assert STORIES_OF_LOWER.index(other) <= STORIES_OF_LOWER.index(story), f"{story} imports {module}"


@pytest.mark.parametrize("folder", MAPPED)
def test_every_module_is_on_the_map_of_its_folder(folder):
    text = ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text()))
    names = sorted(path.stem for path in (ROOT / folder).iterdir() if not path.name.startswith("_") and (path.suffix == ".py" or path.is_dir()))
    assert not [name for name in names if f"`{name}`" not in text]


def test_only_codegen_imports_the_compilers():
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] not in ("codegen", "__main__.py"):
            found = {module.split(".")[0] for module in imported(path)} & COMPILERS
            assert not found, f"{path} imports {found}"


def test_no_module_imports_one_that_imports_it():
    modules = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path for path in ROOT.rglob("*.py")}
    arrows = {name: set() for name in modules}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in modules:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                arrows[name] |= {full if full in modules else node.module for full in names} - {name}
    assert not [name for name in modules if name in reached(arrows, name)]


def reached(arrows: dict[str, set[str]], name: str) -> set[str]:
    found, front = set(), arrows[name]
    while front:
        found |= front
        front = set().union(*(arrows[other] for other in front)) - found
    return found
