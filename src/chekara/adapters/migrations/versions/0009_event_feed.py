"""Withdrawals and reviews are found by position: what is new for an agency is asked for every few seconds."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("ix_voids_newest", "voids", ["chain", "position"])
    op.create_index("ix_reviews_newest", "reviews", ["agency", "chain", "position"])
