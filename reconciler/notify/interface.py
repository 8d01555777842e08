"""What a sink of notifications is to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from reconciler.model.event import EventSeverity
from reconciler.model.message import Message
from reconciler.model.secret import Secret

#: Seconds that one message may take, from the first packet to the status line.
TIME_LIMIT: Final = 10.0
#: How many messages a sink is sent within a minute, unless its entry says otherwise.
PER_MINUTE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSpec:
    """One sink as the operator wrote it; ``url`` and ``secret`` show themselves as a mask.

    It is told of events that weigh at least ``min_severity``, in at most ``per_minute`` messages.
    """

    name: str
    type: str
    url: Secret = field(repr=False)
    secret: Secret | None = field(default=None, repr=False)
    min_severity: EventSeverity = EventSeverity.INFO
    per_minute: int = PER_MINUTE


class Sink(Protocol):
    """One place where people are told."""

    async def send(self, message: Message) -> None:
        """Return once it was taken. Raise :class:`reconciler.model.errors.NotTaken`, and nothing else."""


class SinkKind(Protocol):
    """How one type of sink is opened, and what is wrong with an entry of that type."""

    def wrong(self, spec: SinkSpec) -> Sequence[tuple[str, str, str]]:
        """Each fault as field, what is wrong, and what to do; none quotes a value."""

    def open(self, spec: SinkSpec) -> Sink:
        """The sink of an entry without faults. Connects to nothing."""
