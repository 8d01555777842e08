"""The tables, in SQLAlchemy's words: the same for SQLite and PostgreSQL. No column ever holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from reconciler.state import revisions

Json: TypeAlias = Any
"""What JSON can hold: mapping, list, text, number, bool or None."""

REVISIONS: Final = revisions.REVISIONS
HEAD: Final = revisions.HEAD

OUTCOMES: Final = ("done", "failed", "not_tried", "unknown")
KINDS: Final = ("disable", "change", "enable")


class Instant(sa.TypeDecorator[datetime]):
    """An aware moment, kept in UTC; SQLite has no time zones, so it is put back on reading."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment in UTC. Raise ``ValueError`` for one without a zone: it would be a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be kept")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment, aware and in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


metadata: Final = sa.MetaData()

inventory: Final = sa.Table(
    "inventory",
    metadata,
    sa.Column("strategy", sa.Text, primary_key=True),
    sa.Column("runtime", sa.Text, nullable=False),
    sa.Column("connection", sa.Text),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("enabled_at", Instant, nullable=False),
)

readings: Final = sa.Table(
    "readings",
    metadata,
    sa.Column("connection", sa.Text, primary_key=True),
    sa.Column("exchange", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("checks", sa.JSON, nullable=False),
    sa.Column("key", sa.JSON),
    sa.Column("unknown_since", Instant),
    sa.Column("streak", sa.Integer, nullable=False),
    sa.Column("recent", sa.Text, nullable=False),
)

conditions: Final = sa.Table(
    "conditions",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("subject_id", sa.Text, primary_key=True),
    sa.Column("check", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("blocks", sa.Boolean, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
)

permits: Final = sa.Table(
    "permits",
    metadata,
    sa.Column("strategy", sa.Text, primary_key=True),
    sa.Column("runtime", sa.Text, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("may", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("checks", sa.JSON, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

lockdowns: Final = sa.Table(
    "lockdowns",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("scope_id", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("lifted_at", Instant),
)

audit: Final = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

audit_head: Final = sa.Table(
    "audit_head",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

cursors: Final = sa.Table(
    "cursors",
    metadata,
    sa.Column("sink", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", Instant),
    sa.Column("tried_at", Instant),
    sa.Column("trouble", sa.Text),
    sa.Column("teller", sa.Text),
    sa.Column("telling_until", Instant),
)

tallies: Final = sa.Table(
    "tallies",
    metadata,
    sa.Column("family", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("detail", sa.Text, primary_key=True),
    sa.Column("times", sa.BigInteger, nullable=False),
)

passes: Final = sa.Table(
    "passes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("digest", sa.Text),
    sa.Column("finished_at", Instant),
    sa.Column("exit_code", sa.Integer),
    sa.Column("summary", sa.JSON),
    sa.Column("by", sa.Text),
    sa.Column("commit", sa.Text),
)

journal: Final = sa.Table(
    "journal",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("pass_id", sa.Integer, sa.ForeignKey("passes.id")),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, sa.CheckConstraint(_one_of("kind", KINDS)), nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("runtime", sa.Text, nullable=False),
    sa.Column("action", sa.JSON, nullable=False),
    sa.Column("intended_at", Instant, nullable=False),
    sa.Column("outcome", sa.Text, sa.CheckConstraint(_one_of("outcome", OUTCOMES))),
    sa.Column("detail", sa.Text),
    sa.Column("finished_at", Instant),
    sa.Index("journal_by_finish", "finished_at"),
    sa.Index("journal_by_pass", "pass_id"),
)

lease: Final = sa.Table(
    "lease",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("host", sa.Text),
    sa.Column("pid", sa.Integer),
    sa.Column("user", sa.Text),
    sa.Column("started_at", Instant),
    sa.Column("expires_at", Instant),
)

ledger: Final = sa.Table(
    "ledger",
    metadata,
    sa.Column("runtime", sa.Text, primary_key=True),
    sa.Column("strategy", sa.Text, primary_key=True),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("token", sa.Integer, nullable=False),
)


def plain(value: Json) -> Json:
    """``value`` as JSON would give it back, so that what was kept compares equal to what was asked."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
