"""Browser sessions that were signed out, until they would have ended by themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "ended_sessions",
        sa.Column("session_sha256", sa.String(64), nullable=False),
        sa.Column("until", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("session_sha256", name="pk_ended_sessions"),
    )
