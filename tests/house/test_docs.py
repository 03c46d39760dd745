"""Every command block in the documentation is run, or at least parsed against the real command line.

The word after the language says which:

    ```sh run      run, page by page, top to bottom, in one empty folder a page
    ```sh data     needs real data, a trained run or time: each `handlens` line is parsed by the real command line
    ```sh device   needs hardware or another environment: parsed likewise
    ```python run  run in the page's folder, warnings as errors
    ```python data compiled, and each imported handlens name must exist
    ```python file PATH, ```sh task, ```python task: of docs/adding-a-task.md, see test_adding_a_task.py
    ```text        output, trees, formats: not a command

A block of shell or Python without such a word fails.
"""

import ast
import importlib
import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
import typer.main

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("zoo/**/*.md")])
HOW = {"sh": {"run", "data", "device", "task"}, "python": {"run", "data", "device", "task", "file"}}
PLAIN = {"text", "json", "toml", "csv", "kotlin"}
# Programs that a block may call beside handlens, python and make.
PROGRAMS = {"export", "cd", "cp", "ls", "unzip", "git", "tensorboard", "pip", "uv", "ray"}


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    how: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    found, opened, lines = [], None, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*```(.*)$", line)
        if fence and opened is None:
            opened, lines = (number, fence[1].strip()), []
        elif fence:
            language, _, how = opened[1].partition(" ")
            found.append(Block(page, opened[0], language, how, "\n".join(lines)))
            opened = None
        elif opened:
            lines.append(line)
    assert opened is None, f"{page.name}:{opened[0]}: a block is not closed"
    return found


BLOCKS = [block for page in PAGES for block in blocks(page)]


def commands(text: str) -> list[list[str]]:
    """The words of each command in a shell block, assignments and comments left out."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words:
            found.append(words)
    return found


# Typer carries a copy of click of its own; these are that copy's classes.
UsageError = typer.BadParameter.__bases__[0]


def parse_handlens(words: list[str]) -> None:
    """Parses a `handlens ...` line with the real command's parameters; nothing is run.

    Raises:
        UsageError: an unknown sub-command or option, or an argument missing.
    """
    entries = {entry.name: entry for entry in importlib.metadata.entry_points(group="handlens.commands")}
    if words[1] == "COMMAND":  # stands for any
        return
    assert words[1] in entries, f"no command {words[1]!r}; there are {sorted(entries)}"
    loaded = entries[words[1]].load()
    if not isinstance(loaded, typer.Typer):
        alone = typer.Typer()
        alone.command(words[1])(loaded)
        loaded = alone
    command, context, arguments = typer.main.get_command(loaded), None, words[2:]
    while hasattr(command, "resolve_command"):
        context = command.context_class(command, info_name=words[1], parent=context)
        _, resolved, arguments = command.resolve_command(context, arguments)
        assert resolved is not None
        command = resolved
    for parameter in command.params:  # the files of an example need not be here
        if hasattr(getattr(parameter, "type", None), "exists"):
            parameter.type.exists = False
    command.make_context(command.name, list(arguments), parent=context)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def check_command(words: list[str]) -> None:
    program = Path(words[0]).name
    if program == "handlens":
        parse_handlens(words)
    elif program == "make":
        assert {word for word in words[1:] if "=" not in word} <= make_targets(), f"no such target: {words}"
    elif program in {"pip", "uv"}:
        extras = set(importlib.metadata.metadata("handlens").get_all("Provides-Extra"))
        for word in words:
            named = re.fullmatch(r"handlens\[([\w,-]+)\].*", word)
            assert named is None or set(named[1].split(",")) <= extras, f"no such extra: {word}"
    elif program.startswith("python"):
        if words[1] == "-m" and words[2] not in {"venv", "pip", "uv"}:
            assert importlib.util.find_spec(words[2]), f"no module {words[2]}"
    elif "/" in words[0]:
        assert (ROOT / words[0]).exists() or words[0].startswith(".venv"), f"no such program: {words[0]}"
    else:
        assert program in PROGRAMS, f"unknown program {program!r}"


def test_pages_were_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= {page.name for page in PAGES}
    assert len(BLOCKS) > 20


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_says_how_it_is_checked(block: Block) -> None:
    if block.language in HOW:
        assert block.how.split(" ")[0] in HOW[block.language], (
            f"```{block.language} needs one of {sorted(HOW[block.language])}"
        )
    else:
        assert block.language in PLAIN, f"```{block.language or '(nothing)'} · say ```text if it is no command"


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "sh" and block.how != "task"], ids=str
)
def test_shell_blocks_fit_the_command_line(block: Block) -> None:
    for words in commands(block.text):
        check_command(words)


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language == "python" and block.how in ("run", "data", "device")],
    ids=str,
)
def test_python_blocks_import_what_exists(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("handlens"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


RUN_PAGES = [page for page in PAGES if any(block.how == "run" for block in blocks(page))]


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_runnable_blocks_run(page: Path, tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HANDLENS_CACHE": str(tmp_path / "cache"),
        "COLUMNS": "120",
    }
    folder = tmp_path / "page"
    folder.mkdir()
    for block in blocks(page):
        if block.how != "run":
            continue
        start = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-W", "error", "-c"]
        done = subprocess.run([*start, block.text], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (
            f"{block} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )


def test_the_error_tree_is_the_code_s() -> None:
    from handlens import errors

    shown = next(block.text for block in blocks(ROOT / "docs/errors.md") if block.language == "text")
    tree = [line.strip() for line in errors.__doc__.splitlines() if line.startswith("    ")]
    assert [line.strip() for line in shown.splitlines()] == tree


def test_every_compression_recipe_is_in_the_table() -> None:
    from handlens_export.recipes import RECIPES

    page = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    for recipe in RECIPES.values():
        assert f"| `{recipe.name}` | {recipe.summary} | {', '.join(recipe.formats)} |" in page


def test_every_training_recipe_is_in_a_table() -> None:
    from handlens_train.tasks.reid import RECIPES

    page = (ROOT / "docs/training-reid.md").read_text(encoding="utf-8")
    assert not [name for name in RECIPES if f"`{name}`" not in page]


def test_every_command_is_documented() -> None:
    shown = {words[1] for block in BLOCKS if block.language == "sh" for words in commands(block.text) if len(words) > 1}
    assert {entry.name for entry in importlib.metadata.entry_points(group="handlens.commands")} <= shown


def test_nothing_is_left_to_do_in_the_documentation() -> None:
    assert not [str(page.relative_to(ROOT)) for page in PAGES if "TODO" in page.read_text(encoding="utf-8")]


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    "words",
    [
        ["handlens", "inspekt", "x"],
        ["handlens", "inspect"],
        ["handlens", "inspect", "x", "--no-such-option"],
        ["make", "nothing"],
        ["pip", "install", "handlens[nothing]"],
        ["rm", "x"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_noticed(words: list[str]) -> None:
    with pytest.raises((AssertionError, UsageError)):
        check_command(words)
