"""One seed and one history give one bundle, whichever process made it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chekara.data.sources import History
from tests.modelling.conftest import SPEC_PATH

PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from chekara.data.sources import load_history
from chekara.modelling.bundle import write_bundle
from chekara.modelling.dataset import build_dataset
from chekara.modelling.recipe import refit_on_everything
from chekara.modelling.spec import load_spec

spec = load_spec(Path(sys.argv[2]))
dataset = build_dataset(load_history(Path(sys.argv[1])), spec, datetime(2100, 1, 1, tzinfo=UTC))
model = refit_on_everything(dataset, spec, seed=3)
print(write_bundle(model, Path(sys.argv[3]), Ed25519PrivateKey.generate(), {}))
"""


def test_processes_that_hash_differently_make_the_same_bundle(history: History, tmp_path: Path) -> None:
    """Nothing in a bundle may follow the order of a set, the number of threads or the folder it was made in."""
    made = set()
    for hash_seed, threads in (("0", "1"), ("4242", "2")):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OPENBLAS_NUM_THREADS": threads}
        folder = tmp_path / hash_seed
        command = [sys.executable, "-c", PROGRAM, str(history.directory), str(SPEC_PATH), str(folder)]
        made.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(made) == 1
    assert made.pop().startswith("sha256:")
