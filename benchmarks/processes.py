"""Servers under measurement: started, waited for, watched through /proc, and ended."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    """A server to load: where it listens, what to send it, and its process."""

    name: str
    port: int
    path: str
    headers: dict[str, str]
    bodies: str
    pid: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process and its children took until now: processor seconds, and resident memory in MB."""

    cpu_s: float
    rss_mb: float


def spent(pid: int) -> Spent:
    """Read what a process and its living children took.

    Parameters
    ----------
    pid : int
    """
    cpu, rss = 0.0, 0.0
    for each in _family(pid):
        try:
            words = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
            status = Path(f"/proc/{each}/status").read_text()
        except FileNotFoundError:
            continue
        cpu += (int(words[11]) + int(words[12])) / TICKS
        rss += next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)
    return Spent(cpu, rss)


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [each for child in task.read_text().split() for each in _family(int(child))]
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    path: str,
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[int]:
    """Run a server until the block ends; begin once ``path`` answers 200.

    Parameters
    ----------
    command : sequence of str
    port : int
    path : str
    log : Path
        Where its output goes.
    environment : mapping of str to str, optional
    cwd : Path, optional

    Yields
    ------
    int
        Its process id.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, cwd=cwd, start_new_session=True
        )
    try:
        _wait(process, port, path, log)
        yield process.pid
    finally:
        # Its children (workers of a peer) are of its group.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def ceiling(bodies: Path, log: Path) -> Iterator[Target]:
    """Run `benchmarks.ceiling` on the server, loop and parser that Chekara uses, until the block ends.

    Parameters
    ----------
    bodies : Path
        What it is to be sent.
    log : Path
        Where its output goes.
    """
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.ceiling:app", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    with running(command, port, "/", log) as pid:
        yield Target("ceiling", port, "/", {}, str(bodies), pid)


def _wait(process: subprocess.Popen[bytes], port: int, path: str, log: Path, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not answer: {log.read_text(errors='replace')[-2000:]}")
