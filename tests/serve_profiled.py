"""`chekara serve` with the small model in place of promoted ones: a real process that reads every profile."""

from __future__ import annotations

from typing import Any

from chekara import cli
from chekara.adapters import assembly
from tests.profiled import profiled_model
from tests.small_house import FixedChampions


class Watched(FixedChampions):
    """Champions that never change."""

    def __init__(self, *_: Any) -> None:
        super().__init__({"revenue_fraud": profiled_model()})

    def refresh(self) -> None: ...
    def start_watching(self) -> None: ...
    def stop_watching(self) -> None: ...
    def holds(self, *_: str) -> bool:
        return False


if __name__ == "__main__":
    assembly.ServingChampions = Watched  # type: ignore[misc,assignment]
    cli.main()
