"""Other libraries to measure against: in an environment of their own, asked over a pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path("var/bench-venv")
LIST = Path(__file__).with_name("peers.txt")
ROOT = Path(__file__).parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


class PeerError(RuntimeError):
    """A peer cannot be installed, or failed at what it was asked; the report says so and goes on."""


def peers_python(folder: Path = FOLDER) -> Path:
    """Return the Python of the peers' environment; make it where it is not there or its list has changed.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    PeerError
        It cannot be installed.
    """
    python, done = (folder / "bin" / "python").absolute(), folder / "installed.txt"
    if python.exists() and done.exists() and done.read_text() == LIST.read_text():
        return python
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise PeerError("uv is not installed: it is part of the extra `test`")
    for words in (
        ("venv", "-q", "--clear", "--python", sys.executable, str(folder)),
        ("pip", "install", "-q", "--python", str(python), "-r", str(LIST)),
    ):
        made = subprocess.run([uv, *words], capture_output=True, text=True, check=False)
        if made.returncode:
            raise PeerError(f"the peers could not be installed: {made.stderr.strip()[-300:]}")
    shutil.copy(LIST, done)
    return python


class PeerProcess:
    """A module of peers as a process that waits while nobody asks it.

    Parameters
    ----------
    python : Path
        Of the peers' environment.
    module : str
        `benchmarks.peer_kernels` or `benchmarks.peer_history`.
    """

    def __init__(self, python: Path, module: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
        )

    def ask(self, **asked: Any) -> dict[str, Any]:
        """Ask one thing.

        Raises
        ------
        PeerError
            The peer failed at it.
        """
        assert self._process.stdin is not None  # noqa: S101  # they are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {"error": "it ended"}
        if "error" in found:
            raise PeerError(f"{asked['peer']}: {found['error']}")
        return found

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.close()
        self._process.wait()
