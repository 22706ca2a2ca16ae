"""Whatever a stranger can call, type or run into is described where they would look."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
import typer.main

import chekara
from chekara import errors
from chekara.cli import app

ROOT = Path(__file__).parents[1]
PUBLIC_MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(chekara.__path__, "chekara.")
    if "migrations" not in module.name and not module.name.rsplit(".", 1)[-1].startswith("_")
)
ERROR_CLASSES = [
    value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.ChekaraError)
]


def public_members(module: object) -> list[tuple[str, object]]:
    name = module.__name__  # type: ignore[attr-defined]
    return [
        (key, value)
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and getattr(value, "__module__", None) == name
    ]


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_public_things_are_described(name: str) -> None:
    module = importlib.import_module(name)
    assert inspect.getdoc(module), f"{name} has no docstring"
    bare = []
    for key, value in public_members(module):
        doc = inspect.getdoc(value)
        if not doc:
            bare.append(key)
        if inspect.isclass(value):
            for method, function in vars(value).items():
                if method.startswith("_") or not (inspect.isfunction(function) or isinstance(function, property)):
                    continue
                if not inspect.getdoc(getattr(value, method)):
                    bare.append(f"{key}.{method}")
    assert not bare, f"{name}: no docstring on {bare}"


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_long_signatures_document_their_parameters(name: str) -> None:
    """A public function with three or more parameters has a numpy Parameters section that names each."""
    module = importlib.import_module(name)
    missing = []
    for key, value in public_members(module):
        if not inspect.isfunction(value) or name == "chekara.cli":
            continue
        parameters = [p for p in inspect.signature(value).parameters if p not in ("self", "cls")]
        doc = inspect.getdoc(value) or ""
        if len(parameters) >= 3:
            section = doc.partition("Parameters\n")[2].partition("Returns\n-")[0]
            missing += [f"{key}({p})" for p in parameters if not re.search(rf"(^|\W){re.escape(p)}\b", section)]
    assert not missing, f"{name}: undocumented {missing}"


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    root = typer.main.get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        for path, leaf in _leaves(f"chekara {name}", command):
            assert f"`{path}" in page, f"docs/commands.md does not describe `{path}`"
            assert leaf.help, f"{path} has no help"
    for program in sorted((ROOT / "training").glob("[!_]*.py")):
        assert f"python -m training.{program.stem}" in page


def _leaves(path: str, command: object) -> list[tuple[str, object]]:
    children = getattr(command, "commands", None)
    if not children:
        return [(path, command)]
    return [leaf for name, child in children.items() for leaf in _leaves(f"{path} {name}", child)]


@pytest.mark.parametrize("error", ERROR_CLASSES, ids=lambda error: error.code)
def test_every_error_code_is_documented(error: type[errors.ChekaraError]) -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert f"`{error.code}`" in page
    assert inspect.getdoc(error)
    assert error.__name__ in (errors.__doc__ or ""), "the tree in the docstring is out of date"


def test_error_codes_are_unique() -> None:
    codes = [error.code for error in ERROR_CLASSES]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("page", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_docstring_examples_run() -> None:
    """Every ``>>>`` example in the package is true."""
    import doctest

    failed = {}
    for name in PUBLIC_MODULES:
        if "migrations" in name:
            continue
        result = doctest.testmod(importlib.import_module(name))
        if result.failed:
            failed[name] = result.failed
    assert not failed


def test_no_module_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): n
        for folder in ("src", "training", "scripts")
        for path in (ROOT / folder).rglob("*.py")
        if (n := len(path.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert not long


def test_functions_stay_short() -> None:
    """Ninety of a hundred functions are under 40 lines, docstring not counted."""
    lengths = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                start = node.body[0].lineno
                if ast.get_docstring(node) and len(node.body) > 1:
                    start = node.body[1].lineno
                lengths.append((node.end_lineno or start) - start + 1)
    lengths.sort()
    assert lengths[int(0.9 * len(lengths))] < 40
