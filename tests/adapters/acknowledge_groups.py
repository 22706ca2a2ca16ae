"""A program for the test of durability: score in groups, and tell each group on standard output once it is durable."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.small_house import crossing, got, request, small_house

GROUPS = (1, 4, 16, 2, 8)


def main(home: Path) -> None:
    """Score all groups."""
    house = small_house(home)
    got(house.score([request(crossing("warm"))])[0])
    os.write(1, b"begin\n")
    for number, size in enumerate(GROUPS):
        for outcome in house.score([request(crossing(f"g{number}-{i}")) for i in range(size)]):
            got(outcome)
        os.write(1, b"acknowledged\n")
    os.write(1, b"end\n")
    os._exit(0)  # no orderly close, which would sync once more


if __name__ == "__main__":
    main(Path(sys.argv[1]))
