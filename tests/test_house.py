"""The house itself: lock, commands, licences and what must never be committed."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: nothing to ask about tracked files")
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def normal(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def test_every_requirement_is_locked_with_hashes() -> None:
    locked = {normal(line) for line in LOCK.splitlines() if re.match(r"[a-zA-Z0-9]", line)}
    wanted = [*PROJECT["dependencies"], *(r for extra in PROJECT["optional-dependencies"].values() for r in extra)]
    assert {normal(r) for r in wanted} <= locked
    blocks = re.split(r"\n(?=[a-zA-Z0-9])", LOCK.partition("\n#")[2].partition("\n")[2].strip())
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)


def test_lock_names_no_index() -> None:
    assert not re.search(r"https?://|--index-url|--extra-index|--find-links", LOCK)


def test_scorer_needs_no_training_library() -> None:
    core = {normal(r) for r in PROJECT["dependencies"]}
    assert not core & {"mlflow", "scikit-learn", "shap", "matplotlib", "catboost", "pytest"}


def test_ci_calls_the_readme_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


def test_nothing_of_a_workplace_is_tracked() -> None:
    secret = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|(?:^|[\s\"'=(])/(?:work|home/[a-z]+|root)/", re.MULTILINE)
    for path in tracked():
        if path.suffix in {".png", ".woff2", ".ico"} or path == Path(__file__) or path.name == "Dockerfile":
            continue
        found = secret.search(path.read_bytes())
        assert not found, f"{path.relative_to(ROOT)} holds {found.group()!r}"


def test_notebooks_are_tracked_without_outputs() -> None:
    for path in tracked():
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path.name


def test_image_targets_keep_training_out_of_the_scorer() -> None:
    stages = re.split(r"\n(?=FROM )", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    scorer = next(stage for stage in stages if " AS scorer" in stage)
    assert "USER chekara" in scorer
    assert "NUMBA_CACHE_DIR" in scorer
    assert "train" not in scorer.replace("trainer", "")
    assert any(" AS trainer" in stage for stage in stages)
