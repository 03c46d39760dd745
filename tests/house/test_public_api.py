"""The public names are locked: a change to them is seen in review, and is a line in the CHANGELOG.

``python tests/house/test_public_api.py`` writes the snapshot anew.
"""

import importlib
import inspect
import sys
import warnings
from pathlib import Path

import pytest

SNAPSHOT = Path(__file__).with_name("public_api.txt")
# Each package, and the modules that the documentation sends people to.
MODULES = (
    "handlens",
    "handlens.access",
    "handlens.attempts",
    "handlens.bench",
    "handlens.engine",
    "handlens.errors",
    "handlens.face",
    "handlens.gates",
    "handlens.golden",
    "handlens.image",
    "handlens.manifest",
    "handlens.metrics",
    "handlens.person",
    "handlens.policy",
    "handlens.recommend",
    "handlens.segment",
    "handlens.serve",
    "handlens.store",
    "handlens.vault",
    "handlens_data",
    "handlens_data.calibration",
    "handlens_data.datasets.attributes",
    "handlens_data.datasets.coco",
    "handlens_data.datasets.faces",
    "handlens_data.datasets.identity",
    "handlens_data.datasets.lfw",
    "handlens_data.datasets.market1501",
    "handlens_data.datasets.market_attributes",
    "handlens_data.datasets.movielens",
    "handlens_data.datasets.peta",
    "handlens_data.datasets.utkface",
    "handlens_data.datasets.wider",
    "handlens_data.made_up_ratings",
    "handlens_data.samples",
    "handlens_train",
    "handlens_train.evaluation",
    "handlens_train.exportable",
    "handlens_train.mask_figures",
    "handlens_train.run",
    "handlens_train.tasks",
    "handlens_export",
    "handlens_export.recipes",
    "handlens_android",
    "handlens_zoo",
    "handlens_browser",
)


def exported(name: str) -> dict[str, object]:
    """What module ``name`` says it exports; a module without ``__all__``: its own public functions and classes."""
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None)
    if names is None:
        own = {key: value for key, value in vars(module).items() if getattr(value, "__module__", "") == name}
        names = [key for key in own if not key.startswith("_")]
    return {key: getattr(module, key) for key in sorted(names)}


def surface(name: str) -> list[str]:
    """One line an exported name: a function or class with its parameters, an error with its exit code."""
    return [f"{name}.{key}{_signature(value)}" for key, value in exported(name).items()]


def _signature(value: object) -> str:
    if inspect.isclass(value) and issubclass(value, BaseException):
        return f" exit {value.exit_code}" if hasattr(value, "exit_code") else ""
    if not callable(value):
        return ""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return ""
    shown, keyword_only = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            shown.append("*")
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        keyword_only = keyword_only or star == "*"
        optional = "" if parameter.default is parameter.empty else "=..."
        shown.append(f"{star}{parameter.name}{optional}")
    return f"({', '.join(shown)})"


def snapshot() -> dict[str, list[str]]:
    """The lines of the stored snapshot, by module."""
    kept: dict[str, list[str]] = {}
    for line in SNAPSHOT.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            kept[line[2:]] = []
        elif line:
            kept[list(kept)[-1]].append(line)
    return kept


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_those_of_the_snapshot(name: str) -> None:
    assert surface(name) == snapshot().get(name), "run `python tests/house/test_public_api.py` if this was meant"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_says_what_it_is(name: str) -> None:
    things = {
        key: value for key, value in exported(name).items() if inspect.isclass(value) or inspect.isfunction(value)
    }
    assert not [key for key, value in things.items() if not value.__doc__]


def test_dir_shows_the_public_names() -> None:
    import handlens

    assert set(handlens.__all__) <= set(dir(handlens))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    text = "\n".join(f"# {name}\n" + "".join(f"{line}\n" for line in surface(name)) for name in MODULES)
    SNAPSHOT.write_text(text, encoding="utf-8")
    sys.exit(0)
