"""What is known of entities now: two shelves of states and records, one of which serves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "profile_shelves",
        sa.Column("shelf", sa.String(1), nullable=False),
        sa.Column("is_serving", sa.Boolean, nullable=False),
        sa.Column("layout", sa.String(71), nullable=False),
        sa.Column("known_to", sa.String(27), nullable=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("pending", sa.LargeBinary, nullable=False),
        sa.Column("waiting", sa.Text, nullable=False),
        sa.Column("neighbourhoods", sa.Text, nullable=False),
        sa.Column("histories", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("shelf", name="pk_profile_shelves"),
    )
    for shelf in ("a", "b"):
        op.create_table(
            f"profile_states_{shelf}",
            sa.Column(
                "slot", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False
            ),
            sa.Column("state", sa.LargeBinary, nullable=False),
        )
        op.create_table(
            f"profile_records_{shelf}",
            sa.Column("crossing_id", sa.String(512), primary_key=True),
            sa.Column("record", sa.LargeBinary, nullable=False),
        )
