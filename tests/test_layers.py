"""The layers of docs/architecture.md hold: a lower room never imports a higher one, and outside worlds stay outside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "chekara"

# Rooms on one line may not import each other, except api and web, which share a floor and a door.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("domain", "settings", "evaluation"),
    ("messages", "programs", "secret_files", "toml_lines"),
    ("data",),
    ("features",),
    ("policy", "explain"),
    ("modelling",),
    ("service",),
    ("adapters",),
    ("api", "web"),
    ("cli",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Who may import a package of the outside world.
OUTSIDE: dict[str, tuple[str, ...]] = {
    "mlflow": ("adapters",),
    "sqlalchemy": ("adapters",),
    "alembic": ("adapters",),
    "fastapi": ("api", "web"),
    "starlette": ("api", "web"),
    "uvicorn": ("api",),
    "lightgbm": ("modelling", "explain"),
    "numba": ("explain", "features"),
    "jinja2": ("web",),
    "typer": ("cli",),
    "sklearn": ("modelling",),
    "shap": ("evaluation",),
    "matplotlib": ("evaluation",),
    "pickle": (),
    "joblib": (),
    "cloudpickle": (),
    "training": (),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "chekara" and len(parts) > 1 and parts[1] in FLOOR else None


MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def test_every_module_has_a_floor() -> None:
    homeless = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in MODULES} - set(FLOOR)
    assert not homeless


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    wrong = []
    for module in imports(path):
        room = room_of(module)
        if room is None or room == own:
            continue
        same_floor = FLOOR[room] == FLOOR[own] and {room, own} != {"api", "web"}
        if FLOOR[room] > FLOOR[own] or same_floor:
            wrong.append(module)
        if own == "evaluation" and room != "errors":
            wrong.append(module)
    assert not wrong, f"{own} must not import {wrong}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_outside_worlds_stay_outside(path: Path) -> None:
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    wrong = {m for m in imports(path) if m.split(".")[0] in OUTSIDE and own not in OUTSIDE[m.split(".")[0]]}
    assert not wrong, f"{own} must not import {wrong}"


def test_domain_needs_the_standard_library_only() -> None:
    import sys

    for path in (SOURCE / "domain").glob("*.py"):
        for module in imports(path):
            top = module.split(".")[0]
            assert top == "chekara" or top in sys.stdlib_module_names, f"{path.name} imports {module}"


def test_training_programs_leave_serving_alone() -> None:
    for path in (ROOT / "training").glob("*.py"):
        wrong = {room_of(m) for m in imports(path)} & {"api", "web", "cli"}
        assert not wrong, f"{path.name} imports {wrong}"
