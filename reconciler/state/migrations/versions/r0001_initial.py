"""The first tables: inventory, evidence, passes, journal, lease, ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create every table."""
    _create_what_is_managed()
    _create_what_happened()
    op.create_table(
        "lease",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("host", sa.Text),
        sa.Column("pid", sa.Integer),
        sa.Column("user", sa.Text),
        sa.Column("started_at", _MOMENT),
        sa.Column("expires_at", _MOMENT),
    )


def _create_what_is_managed() -> None:
    op.create_table(
        "inventory",
        sa.Column("strategy", sa.Text, primary_key=True),
        sa.Column("runtime", sa.Text, nullable=False),
        sa.Column("connection", sa.Text),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("enabled_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "evidence",
        sa.Column("connection", sa.Text, primary_key=True),
        sa.Column("unknown_since", _MOMENT, nullable=False),
    )
    op.create_table(
        "ledger",
        sa.Column("runtime", sa.Text, primary_key=True),
        sa.Column("strategy", sa.Text, primary_key=True),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
    )


def _create_what_happened() -> None:
    op.create_table(
        "passes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("digest", sa.Text),
        sa.Column("finished_at", _MOMENT),
        sa.Column("exit_code", sa.Integer),
        sa.Column("summary", sa.JSON),
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("pass_id", sa.Integer, sa.ForeignKey("passes.id")),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column(
            "kind", sa.Text, sa.CheckConstraint("kind IN ('disable', 'change', 'enable')"), nullable=False
        ),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("runtime", sa.Text, nullable=False),
        sa.Column("action", sa.JSON, nullable=False),
        sa.Column("intended_at", _MOMENT, nullable=False),
        sa.Column(
            "outcome",
            sa.Text,
            sa.CheckConstraint("outcome IN ('done', 'failed', 'not_tried', 'unknown')"),
        ),
        sa.Column("detail", sa.Text),
        sa.Column("finished_at", _MOMENT),
    )
    op.create_index("journal_by_finish", "journal", ["finished_at"])
