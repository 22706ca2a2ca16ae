"""Every notebook runs from top to bottom, checks what it claims, and is kept without outputs."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The kernel keeps its sockets' key and matplotlib its caches in places that vanish with the test.
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    drawn = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert drawn, "the notebook shows no picture"


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem[:2] != "01"], ids=lambda path: path.stem)
def test_a_notebook_checks_what_it_claims(path: Path) -> None:
    """A page that tells of results ends by asserting them, so that running it fails once they are no longer so."""
    *_, heading, last = nbformat.read(path, as_version=4).cells
    assert "What this page claims, checked" in heading.source
    checks = [step for step in ast.walk(ast.parse(last.source)) if isinstance(step, ast.Assert)]
    assert len(checks) >= 5
    assert not [check for check in checks if isinstance(check.test, ast.Constant)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert not any(cell.outputs or cell.execution_count for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        lines = cell.source.splitlines() if cell.cell_type == "code" else []
        assert not [line for line in lines if line.lstrip().startswith(("def ", "class ", "async def "))]
