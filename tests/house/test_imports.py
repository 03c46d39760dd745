"""Imports point one way only, and importing the runtime stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each package may import those before it in the list, and itself.
ORDER = {
    "handlens": ROOT / "runtime/handlens",
    "handlens_data": ROOT / "calib_data/handlens_data",
    "handlens_train": ROOT / "train/handlens_train",
    "handlens_export": ROOT / "export/handlens_export",
    "handlens_android": ROOT / "android_bridge/handlens_android",
}
HEAVY = {"keras", "tensorflow", "tf_keras", "jax", "torch"}
LEGACY_KERAS = {"tensorflow_model_optimization", "tf_keras"}
# handlens_data's loaders and splits serve machines that have no training stack.
FREE_OF_KERAS = ("handlens", "handlens_data")


def modules(package: str) -> list[Path]:
    return sorted(ORDER[package].rglob("*.py"))


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of each import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module if node.level == 0 and node.module else "."
        elif isinstance(node, ast.Call) and _calls_import(node.func) and node.args:
            if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def _calls_import(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"import_module", "__import__"}


@pytest.mark.parametrize("package", ORDER)
def test_imports_point_one_way(package: str) -> None:
    names = list(ORDER)
    later = set(names[names.index(package) + 1 :]) | {"handlens_zoo"}
    if package == "handlens_android":  # what an app's build needs is the runtime alone
        later |= set(names) - {"handlens", package}
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in modules(package)
        for line, name in imported(file.read_text(encoding="utf-8"))
        if name.split(".")[0] in later
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", FREE_OF_KERAS)
def test_no_training_framework_even_inside_functions(package: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in modules(package)
        for line, name in imported(file.read_text(encoding="utf-8"))
        if name.split(".")[0] in HEAVY
    ]
    assert not wrong, "\n".join(wrong)


def test_tfmot_is_imported_by_its_own_process_alone() -> None:
    """Importing tfmot turns a process to Keras 2; what imports it is the worker and what the worker imports."""
    inside = {f"handlens_export.tfmot.{name}" for name in ("rebuild", "stages", "tune", "worker")}
    wrong = []
    for package in ORDER:
        for file in modules(package):
            name = ".".join(file.relative_to(ORDER[package].parent).with_suffix("").parts)
            for line, other in imported(file.read_text(encoding="utf-8")):
                if name not in inside and (other.split(".")[0] in LEGACY_KERAS or other in inside):
                    wrong.append(f"{file.relative_to(ROOT)}:{line} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_the_import_reader_sees_every_form() -> None:
    source = "import a.b\ndef f():\n    from c import d\n    importlib.import_module('e.f')\nfrom . import g\n"
    assert sorted(imported(source)) == [(1, "a.b"), (3, "c"), (4, "e.f"), (5, ".")]


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_handlens_loads_no_framework_and_no_engine() -> None:
    loaded = loaded_after("import handlens")
    assert not loaded & (HEAVY | {"cv2", "onnxruntime", "ai_edge_litert", "matplotlib", "sklearn", "handlens_data"})


def test_using_every_public_name_of_handlens_loads_no_framework() -> None:
    loaded = loaded_after("import handlens; [getattr(handlens, name) for name in handlens.__all__]")
    assert not loaded & (HEAVY | {"handlens_data", "handlens_train", "handlens_export"})


def test_listing_the_data_loaders_loads_no_framework() -> None:
    assert not loaded_after("import handlens_data.datasets") & HEAVY
