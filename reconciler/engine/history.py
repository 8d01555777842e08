"""What happened, by the audit log; and whether that log is as it was written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.model.errors import UsageError
from reconciler.model.event import Event, EventKind
from reconciler.model.overview import History, Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events are asked for: all that nothing here excludes."""

    since: datetime | None = None
    subjects: frozenset[str] = frozenset()
    kinds: frozenset[EventKind] = frozenset()

    def __call__(self, event: Event) -> bool:
        """Whether ``event`` is one of them."""
        return (
            (self.since is None or event.at >= self.since)
            and (not self.subjects or event.subject_id in self.subjects)
            and (not self.kinds or event.kind in self.kinds)
        )


def history(state: str, wanted: Wanted, *, limit: int) -> History:
    """The last ``limit`` of the wanted events. Raise ``StateError`` where the state cannot be read."""
    from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

    found = open_for_reading(state).latest_events(wanted, limit=limit + 1)
    return History(events=found[-limit:], more=len(found) > limit)


def verify(state: str, expected: str | None) -> Verification:
    """Whether every line of the log is as it was written, chained to the ones before.

    ``expected`` is a head that an earlier call gave: the log must hold it still. Raise ``UsageError`` for
    what is no head, and ``StateError`` where the state cannot be read.
    """
    from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

    held = open_for_reading(state)
    seq, wanted = _head(expected) if expected is not None else (0, None)
    head = held.audit_head()  # first, so that what is appended meanwhile is no fault of the log
    faults = held.audit_faults()
    if wanted is not None and (found := held.audit_hash(seq)) != wanted:
        what = "is not there" if found is None else "is another than the one expected"
        faults = (*faults, f"record {seq} {what}: the log was rewritten, or it is another log")
    return Verification(records=head.seq, head=str(head), faults=faults)


#: No log is numbered with so many digits, nor could a database compare them.
_TOO_LONG: Final = 18


def _head(text: str) -> tuple[int, str]:
    seq, separator, value = text.partition(":")
    digits = len(value) == 64 and not set(value) - set("0123456789abcdef")  # noqa: PLR2004 - of SHA-256
    if not (separator and seq.isascii() and seq.isdigit() and len(seq) < _TOO_LONG and digits):
        raise UsageError(
            "--expect takes SEQ:HASH, as an earlier --verify printed it",
            hint="copy the whole of it: a number, a colon, and 64 hexadecimal digits",
        )
    return int(seq), value
