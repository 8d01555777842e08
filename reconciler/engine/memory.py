"""What a loop asks of the state beside its passes: what happened since, and what is still to be recorded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from reconciler.engine.record import who
from reconciler.engine.settings import Settings
from reconciler.model.event import Event, EventKind, EventSeverity, Origin, Recorded
from reconciler.model.finding import Subject
from reconciler.model.plan import InventoryItem

if TYPE_CHECKING:
    from reconciler.state.audit import Head

#: So many events of one pass are shown; an outage of an exchange may bring hundreds.
SHOWN: Final = 20
#: So many wait at most for a state that is gone, the newest.
_PENDING: Final = 100
_SAID_ALREADY: Final = frozenset({EventKind.CONFIGURATION_REFUSED, EventKind.CONFIGURATION_RESTORED})
_REPLACED: Final = (
    "warning: the state is another one than in the passes before: it was deleted, replaced or restored. "
    "What it does not know of is not ours any longer and left alone: stop by hand what git no longer names"
)


class Memory:
    """The state of one loop, beside its passes. With ``audit`` nothing is ever written to it."""

    def __init__(self, settings: Settings, *, audit: bool) -> None:
        self._settings = settings
        self._audit = audit
        self._seen: Head | None = None
        self._lost = False
        self._pending: deque[Event] = deque(maxlen=_PENDING)

    def prepare(self) -> Mapping[str, InventoryItem]:
        """What this tool enabled; and write what could not be written before. May block for seconds.

        Raise :class:`reconciler.model.errors.StateError` when the state cannot be had.
        """
        from reconciler.state.store import open_for_reading, open_for_writing  # noqa: PLC0415 - slow to import

        if self._pending and not self._audit:
            with open_for_writing(self._settings.state) as store:
                store.record_events(self._pending)
            self._pending.clear()
        state = open_for_reading(self._settings.state)
        if self._seen is None:
            self._seen = state.audit_head()
        elif state.audit_hash(self._seen.seq) != self._seen.hash:
            self._lost, self._seen = True, state.audit_head()
        return state.inventory()

    def note(self, refused: str | None, *, at: datetime, commit: str | None) -> None:
        """Keep for the audit log that the files of ``commit`` cannot be used, why, or that they can again."""
        kind = EventKind.CONFIGURATION_REFUSED if refused else EventKind.CONFIGURATION_RESTORED
        self._pending.append(
            Event(
                kind=kind,
                severity=EventSeverity.WARNING if refused else EventSeverity.INFO,
                subject=Subject.POLICY,
                subject_id="files",
                summary=refused or "the configuration can be used again",
                at=at,
                origin=Origin(by=who(), commit=commit),
            )
        )

    def happened(self) -> tuple[str, ...]:
        """A line for each event since this was last asked, the first few of many."""
        from reconciler.state.audit import Head  # noqa: PLC0415 - slow to import
        from reconciler.state.store import open_for_reading  # noqa: PLC0415 - the same

        found = open_for_reading(self._settings.state).events(after=self._seen.seq if self._seen else 0)
        if found:
            self._seen = Head(seq=found[-1].seq, hash=found[-1].hash)
        shown = [one for one in found if one.event.kind not in _SAID_ALREADY]
        lost, self._lost = self._lost, False
        return (*([_REPLACED] if lost else ()), *_lines(shown))


def _lines(found: list[Recorded]) -> Iterator[str]:
    for one in found[:SHOWN]:
        yield f"{one.event.severity}: {one.event.summary}"
    if len(found) > SHOWN:
        yield f"and {len(found) - SHOWN} more"
