"""Other services to load beside ours: MLflow's scoring server, with and without contributions, and a naive FastAPI.

Each serves one model of 200 trees x 31 leaves of depth 8 over 40 columns that are ready to be scored: no profiles, no
goods lines, no key, no policy, no log. That is a small part of what ours does, so their figures are an upper bound.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from benchmarks.peers import ONE_THREAD, PeerError
from benchmarks.processes import Target, free_port, running
from benchmarks.shap_kernel import make_history, train_model

TRAINING_ROWS, BODIES, TREES, DEPTH = 50_000, 2000, 200, 8
MLFLOW = {"mlflow, prediction": "prediction", "mlflow, contributions": "contributions"}
NAIVE = "naive FastAPI"


@contextmanager
def peer_targets(
    python: Path, scratch: Path, *, rows: int = TRAINING_ROWS
) -> Iterator[tuple[list[Target], dict[str, str]]]:
    """Run the peers until the block ends.

    Parameters
    ----------
    python : Path
        Of the peers' environment.
    scratch : Path
        For models, registry, bodies and logs.
    rows : int
        That the model learns from.

    Yields
    ------
    list of Target, dict of str to str
        Servers that answer, and versions.

    Raises
    ------
    PeerError
        The model cannot be registered with MLflow.
    RuntimeError
        A server does not answer.
    """
    scratch.mkdir()
    X, y = make_history(rows, seed=1)
    model = scratch / "model.txt"
    train_model(X, y, TREES, DEPTH).save_model(model)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CHEKARA_", "MLFLOW_"))}
    environment |= ONE_THREAD | {"MLFLOW_TRACKING_URI": f"sqlite:///{scratch}/mlflow.db", "BENCH_MODEL": str(model)}
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', '')}"  # MLflow calls uvicorn by name
    versions = _register(python, scratch, environment)
    names = [f"Column_{i}" for i in range(X.shape[1])]
    cells = [[None if np.isnan(value) else value for value in row] for row in X[:BODIES].tolist()]
    split, plain = scratch / "split.ndjson", scratch / "plain.ndjson"
    _write(split, [{"dataframe_split": {"columns": names, "data": [row]}} for row in cells])
    _write(plain, [dict(zip(names, row, strict=True)) for row in cells])
    with ExitStack() as stack:
        targets = []
        for name, registered in MLFLOW.items():
            port = free_port()
            command = [str(python), "-m", "mlflow", "models", "serve", "-m", f"models:/{registered}/1"]
            command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
            log = scratch / f"{registered}.log"
            pid = stack.enter_context(running(command, port, "/ping", log, environment=environment, cwd=scratch))
            targets.append(Target(name, port, "/invocations", {}, str(split), pid))
        port = free_port()
        command = [str(python), "-m", "uvicorn", "peer_service:app", "--app-dir", str(Path(__file__).parent)]
        command += ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
        log = scratch / "naive.log"
        pid = stack.enter_context(running(command, port, "/", log, environment=environment, cwd=scratch))
        targets.append(Target(NAIVE, port, "/score", {}, str(plain), pid))
        yield targets, versions


def _register(python: Path, scratch: Path, environment: dict[str, str]) -> dict[str, str]:
    script = Path(__file__).with_name("peer_registry.py")
    done = subprocess.run(
        [str(python), str(script), str(scratch)],
        env=environment,
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PeerError(f"mlflow: {done.stderr.strip()[-300:]}")
    versions: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    return versions


def _write(to: Path, bodies: list[dict[str, object]]) -> None:
    to.write_text("\n".join(json.dumps(body) for body in bodies), encoding="utf-8")
