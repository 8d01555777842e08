"""What is told to people of one event, or of many: in words for them, and as data for their programs."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from reconciler.model.event import EventKind, EventSeverity, Recorded

#: How many events a digest tells in words; the others it counts.
WORST: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to a sink. No part of it ever holds a secret.

    ``id`` is the same whenever the same is told again, so that a receiver can drop repeats. ``title`` is
    one line, ``text`` a few; ``type`` is the kind of the event, ``digest`` or ``test``; ``data`` is
    JSON-like, as ``schemas/notification.schema.json`` has it.
    """

    id: str
    type: str
    at: datetime
    severity: EventSeverity
    title: str
    text: str
    data: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Digest:
    """Several events as one message: how many of what, and the worst of them, oldest first."""

    first: int
    last: int = 0
    last_hash: str = ""
    at: datetime
    severities: Counter[EventSeverity] = field(default_factory=Counter)
    kinds: Counter[EventKind] = field(default_factory=Counter)
    worst: list[Recorded] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many events it stands for."""
        return self.kinds.total()

    def add(self, one: Recorded) -> None:
        """Have it stand for ``one`` as well, which is newer than all so far."""
        self.last, self.last_hash, self.at = one.seq, one.hash, one.event.at
        self.severities[one.event.severity] += 1
        self.kinds[one.event.kind] += 1
        worst = heapq.nsmallest(WORST, [*self.worst, one], key=lambda it: (-it.event.severity.rank, it.seq))
        self.worst = sorted(worst, key=lambda it: it.seq)
