"""Whoever trains reads nothing about the baseline that is cut on purpose, and still reads of any other fit."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tracked import ROOT

FIT = """
import training
import numpy as np
from sklearn.linear_model import LogisticRegression
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 30)) * np.logspace(-4, 4, 30)
LogisticRegression(C=1e9, tol=1e-12, max_iter={steps}).fit(X, rng.random(200) > 0.5)
"""


@pytest.mark.parametrize(("steps", "is_told"), [(300, False), (299, True)])
def test_only_the_cut_at_300_steps_is_kept_quiet(steps: int, is_told: bool) -> None:
    fitted = subprocess.run(
        [sys.executable, "-c", FIT.format(steps=steps)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ("ConvergenceWarning" in fitted.stderr) == is_told, fitted.stderr
