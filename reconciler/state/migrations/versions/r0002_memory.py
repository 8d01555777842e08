"""What lasts beyond a pass: readings, conditions, permits, lockdowns, and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

_MOMENT = sa.DateTime(timezone=True)

#: Until it is read again, all that is known of a connection is since when nothing is.
_CARRIED = """
INSERT INTO readings (connection, at, status, verdict, checks, unknown_since, streak, recent)
SELECT connection, unknown_since, 'unchecked', 'unknown', '["connection-test"]', unknown_since, 0, ''
FROM evidence
"""


def upgrade() -> None:
    """Create the new tables, and carry over since when each connection is unknown."""
    _create_what_was_read()
    _create_what_was_decided()
    _create_what_is_chained()
    op.execute(_CARRIED)
    op.drop_table("evidence")
    op.add_column("passes", sa.Column("by", sa.Text))
    op.add_column("passes", sa.Column("commit", sa.Text))
    op.create_index("journal_by_pass", "journal", ["pass_id"])


def _create_what_was_read() -> None:
    op.create_table(
        "readings",
        sa.Column("connection", sa.Text, primary_key=True),
        sa.Column("exchange", sa.Text),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("checks", sa.JSON, nullable=False),
        sa.Column("key", sa.JSON),
        sa.Column("unknown_since", _MOMENT),
        sa.Column("streak", sa.Integer, nullable=False),
        sa.Column("recent", sa.Text, nullable=False),
    )
    op.create_table(
        "conditions",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("subject_id", sa.Text, primary_key=True),
        sa.Column("check", sa.Text, primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("blocks", sa.Boolean, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
    )


def _create_what_was_decided() -> None:
    op.create_table(
        "permits",
        sa.Column("strategy", sa.Text, primary_key=True),
        sa.Column("runtime", sa.Text, nullable=False),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("may", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("checks", sa.JSON, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
    )
    op.create_table(
        "lockdowns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("scope_id", sa.Text, nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("lifted_at", _MOMENT),
    )


def _create_what_is_chained() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "cursors",
        sa.Column("sink", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", _MOMENT),
        sa.Column("tried_at", _MOMENT),
        sa.Column("trouble", sa.Text),
        sa.Column("teller", sa.Text),
        sa.Column("telling_until", _MOMENT),
    )
    op.create_table(
        "tallies",
        sa.Column("family", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("detail", sa.Text, primary_key=True),
        sa.Column("times", sa.BigInteger, nullable=False),
    )
