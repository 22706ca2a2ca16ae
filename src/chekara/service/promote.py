"""Let a bundle serve: only by a person who did not train it, on an impact assessment."""

from __future__ import annotations

from pathlib import Path

from chekara.service.ports import Promotion


class PromoteModel:
    """The use case behind ``python -m training.promote`` and ``train --promote``."""

    def __call__(
        self, bundle: Path, *, approved_by: str, assessment_id: str | None, is_shortcut: bool = False
    ) -> Promotion:
        """Verify a bundle, put it in its place and record the promotion. ``is_shortcut`` works in dev only."""
        raise NotImplementedError
