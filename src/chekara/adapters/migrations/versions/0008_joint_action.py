"""Joint action: referrals and their steps, delayed releases, and who is told of what."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _logged(
        "referrals",
        sa.Column("referral_id", sa.String(36), nullable=False),
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("from_agency", sa.String(64), nullable=False),
        sa.Column("asked_agency", sa.String(64), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("answer_by", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("referral_id", name="pk_referrals"),
    )
    op.create_index("ix_referrals_decision", "referrals", ["decision_id"])
    op.create_index("ix_referrals_newest", "referrals", ["chain", "position"])
    _logged(
        "referral_steps",
        sa.Column("referral_id", sa.String(36), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("to_agency", sa.String(64), nullable=True),
        sa.Column("due_at", sa.String(27), nullable=True),
        sa.PrimaryKeyConstraint("referral_id", "step", name="pk_referral_steps"),
    )
    _logged(
        "delays",
        sa.Column("review_id", sa.String(36), nullable=False),
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("until", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("review_id", name="pk_delays"),
    )
    op.create_index("ix_delays_until", "delays", ["until"])
    op.create_index("ix_delays_decision", "delays", ["decision_id"])
    _logged(
        "releases",
        sa.Column("review_id", sa.String(36), nullable=False),
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("review_id", name="pk_releases"),
    )
    op.create_index("ix_releases_decision", "releases", ["decision_id"])
    _logged(
        "event_agencies",
        sa.Column("agency", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("agency", "chain", "position", name="pk_event_agencies"),
    )
    _bring_over_delays()
    for name in ("referrals", "referral_steps", "delays", "releases", "event_agencies"):
        _guard(name)


def _bring_over_delays() -> None:
    """Give the reviews that delayed a release their rows: the audit makes them anew from the payloads."""
    stored = sa.text(
        "SELECT r.chain, r.position, p.body FROM reviews AS r JOIN payloads AS p "
        "ON p.chain = r.chain AND p.position = r.position WHERE r.action = 'delay'"
    )
    insert = sa.text("INSERT INTO delays VALUES (:chain, :position, :review_id, :decision_id, :agency, :until)")
    connection = op.get_bind()
    for chain, position, body in connection.execute(stored).all():
        told = json.loads(body)
        row = {name: told[name] for name in ("review_id", "decision_id", "agency", "until")}
        connection.execute(insert, {"chain": chain, "position": position, **row})


def _logged(name: str, *columns: sa.Column[object] | sa.PrimaryKeyConstraint) -> None:
    op.create_table(
        name,
        sa.Column("chain", sa.String(8), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["chain", "position"], ["log.chain", "log.position"], name=f"fk_{name}_log"),
    )


def _guard(name: str) -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'this table is append-only'); END"
    for what in ("update", "delete"):
        op.execute(f"CREATE TRIGGER {name}_no_{what} BEFORE {what.upper()} ON {name} {refuse}")
