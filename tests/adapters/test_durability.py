"""No acknowledgement before the fsync, and one fsync a group: counted from the system calls of a real process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.acknowledge_groups import GROUPS
from tests.small_house import small_house

ROOT = Path(__file__).parents[2]
# A call during which another thread makes one is told in two lines.
SYNCED = re.compile(r"f(?:data)?sync\(\d+<[^>]*/chekara\.db-wal>(?:\)\s+= 0| <unfinished)")


def system_calls(home: Path, out: Path) -> list[str]:
    strace = shutil.which("strace")
    if strace is None:
        if os.environ.get("CI"):
            pytest.fail("strace is missing: the set-up must install it (apt-get install strace)")
        pytest.skip("strace is not installed (apt-get install strace)")
    small_house(home).database.close()
    program = [sys.executable, "-m", "tests.adapters.acknowledge_groups", str(home)]
    command = [strace, "-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o", str(out), *program]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return out.read_text("utf-8", "replace").splitlines()


def test_every_group_is_fsynced_once_before_it_is_acknowledged(tmp_path: Path) -> None:
    lines = system_calls(tmp_path / "home", tmp_path / "calls.txt")
    told = re.compile(r'write\(1<[^>]*>, "(begin|acknowledged|end)')
    # The thread that moves what was committed syncs, too; it vouches for nothing.
    writer = next(line.split()[0] for line in lines if told.search(line))
    lines = [line for line in lines if line.split()[0] == writer]
    syncs: list[int] = []
    since = 0
    for line in lines:
        if found := told.search(line):
            if found[1] == "acknowledged":
                syncs.append(since)
            since = 0
        elif SYNCED.search(line):
            since += 1
    assert syncs == [1] * len(GROUPS)
