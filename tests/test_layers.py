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


@pytest.mark.parametrize("folder", [
    "ir", "primitives", "primitives/control", "frontend", "frontend/control", "transform", "optimize", "lower", "codegen"])
def test_every_module_is_on_the_map_of_its_folder(folder):
    text = ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text()))
    names = sorted(path.stem for path in (ROOT / folder).iterdir() if not path.name.startswith("_") and (path.suffix == ".py" or path.is_dir()))
    assert not [name for name in names if f"`{name}`" not in text]


def test_only_codegen_imports_the_compilers():
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] not in ("codegen", "__main__.py"):
            found = {module.split(".")[0] for module in imported(path)} & COMPILERS
            assert not found, f"{path} imports {found}"
