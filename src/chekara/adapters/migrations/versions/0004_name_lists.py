"""Lists of feature names, written once and named by their digest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "name_lists",
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("names", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_name_lists"),
    )
    refuse = "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END"
    op.execute(f"CREATE TRIGGER name_lists_no_update BEFORE UPDATE ON name_lists {refuse}")
    op.execute(f"CREATE TRIGGER name_lists_no_delete BEFORE DELETE ON name_lists {refuse}")
