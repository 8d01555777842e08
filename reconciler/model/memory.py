"""What one pass leaves for the next, for ``gate`` and for people to ask about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from reconciler.model.finding import Subject, Verdict
from reconciler.model.live import Status

#: How far the clocks of hosts that share a state may be apart before what one wrote is of the future.
SKEW: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one pass learned of one connection, in short.

    ``verdict`` is that of all blocking checks together, and ``checks`` names those that did not pass.
    ``key`` is what the exchange said of the key, JSON-like; ``None`` where it said nothing this time.
    ``exchange`` is ``None`` for a reading that an older release kept.
    """

    connection: str
    exchange: str | None = None
    at: datetime
    status: Status
    verdict: Verdict
    checks: tuple[str, ...] = ()
    key: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A connection as the passes so far left it.

    ``reading`` is the last one; its ``key`` is the last that the exchange told. ``unknown_since`` is set
    while nothing is known. ``streak`` counts the passes in a row, the last one included, in which every
    blocking check passed. ``recent`` has one letter of :data:`LETTERS` for each of the last readings.
    """

    reading: Reading
    unknown_since: datetime | None = None
    streak: int = 0
    recent: str = ""


#: How a reading is remembered in one letter; the newest is the last.
LETTERS: Mapping[Status, str] = {
    Status.CONNECTED: "c",
    Status.DEGRADED: "d",
    Status.REJECTED: "r",
    Status.UNREACHABLE: "u",
    Status.UNCHECKED: "n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that is not as it should be, for as long as it lasts: about what, which check, since when."""

    subject: Subject
    subject_id: str
    check: str
    verdict: Verdict
    blocks: bool
    evidence: str
    since: datetime

    @property
    def key(self) -> tuple[Subject, str, str]:
        """What makes two conditions the same one."""
        return self.subject, self.subject_id, self.check


class May(StrEnum):
    """What a pass decided of a strategy: it may start and run, only go on where it runs, or neither."""

    RUN = "run"
    GO_ON = "go-on"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The last decision about one strategy; ``at`` is when its connection was read for it."""

    strategy: str
    runtime: str
    connection: str
    may: May
    why: str
    at: datetime
    checks: tuple[str, ...] = ()


class Scope(StrEnum):
    """What a lockdown is about."""

    ALL = "all"
    EXCHANGE = "exchange"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockdown:
    """An emergency stop, in force from ``since`` until somebody lifts it: nothing that it covers may run."""

    id: int
    scope: Scope
    scope_id: str
    since: datetime
    by: str
    reason: str

    def covers(self, connection: str | None, exchange: str | None) -> bool:
        """Whether it is about this connection. One of an exchange that nobody knows is of every exchange."""
        match self.scope:
            case Scope.ALL:
                return True
            case Scope.CONNECTION:
                return connection == self.scope_id
            case Scope.EXCHANGE:
                return exchange is None or exchange == self.scope_id

    def __str__(self) -> str:
        """``lockdown 3 of exchange mexc``."""
        what = "everything" if self.scope is Scope.ALL else f"{self.scope} {self.scope_id}"
        return f"lockdown {self.id} of {what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a sink of notifications was told: every event up to the number ``seq``.

    ``failures`` counts the attempts in a row that it did not take, the first at ``failing_since``;
    ``trouble`` says of the last one, at ``tried_at``, what went wrong, in our own words.
    """

    sink: str
    seq: int
    failures: int = 0
    failing_since: datetime | None = None
    tried_at: datetime | None = None
    trouble: str = ""
