"""A home in which the training program ran for real, MLflow and all; made once per test session."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import mlflow

from chekara.settings import Settings

ROOT = Path(__file__).parents[1]
SEED = "7"


@dataclass(frozen=True)
class TrackedHome:
    """What a training left behind. Read it, never write to it.

    Attributes
    ----------
    home, history : Path
    screen : str
        What the program printed.
    """

    home: Path
    history: Path
    screen: str

    @property
    def settings(self) -> Settings:
        """The settings that the training ran with."""
        return Settings.from_environment({"CHEKARA_HOME": str(self.home), "CHEKARA_ENV": "dev"})

    @property
    def client(self) -> mlflow.MlflowClient:
        """A client of its tracking store."""
        return mlflow.MlflowClient(self.settings.tracking_uri, self.settings.tracking_uri)


def environment_of(home: Path, environment: str = "dev") -> dict[str, str]:
    """Return the environment of a program that runs in a home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHEKARA_", "MLFLOW_"))}
    return {**kept, "CHEKARA_HOME": str(home), "CHEKARA_ENV": environment, "COLUMNS": "160"}


def run_training(home: Path, *arguments: str, environment: str = "dev") -> subprocess.CompletedProcess[str]:
    """Run ``python -m training.<...>`` in a process of its own: MLflow keeps state per process."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment_of(home, environment),
        capture_output=True,
        text=True,
        check=False,
    )


def tracked_home(shared: Path, history: Path) -> TrackedHome:
    """Train and promote revenue_fraud on a history; made once, whoever of several workers comes first.

    Parameters
    ----------
    shared : Path
        Folder that all workers of a test session share.
    history : Path
    """
    home, screen = shared / "tracked-home", shared / "tracked-home.txt"
    with (shared / "tracked-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not screen.exists():
            wanted = (
                "--data",
                str(history),
                "--domain",
                "revenue_fraud",
                "--seed",
                SEED,
                "--trained-by",
                "Ms A",
                "--promote",
            )
            done = run_training(home, "training.train", *wanted)
            assert done.returncode == 0, done.stdout + done.stderr
            assert not done.stderr, done.stderr
            screen.write_text(done.stdout, encoding="utf-8")
    return TrackedHome(home, history, screen.read_text(encoding="utf-8"))
