"""The audit log as an outbox: what happened is durable first, then told, to each sink from its cursor on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection

from reconciler.model.event import Event, Recorded
from reconciler.model.memory import Cursor
from reconciler.state import audit, cursors
from reconciler.state.database import Writer, writer
from reconciler.state.records import Clock
from reconciler.state.view import ReadState

#: How long a teller has a sink for itself without a sign of life: longer than one message can take.
CLAIM: Final = timedelta(seconds=60)
_PAGE: Final = 500


def open_outbox(url: str, *, clock: Clock | None = None) -> Outbox:
    """The outbox of the state that ``url`` names; close it after. Raise as ``open_for_writing`` does.

    Claims are judged by the database's own clock, or by ``clock`` where one is given.
    """
    return Outbox(writer(url), clock=clock)


class Outbox(ReadState):
    """Events to tell, and how far each sink was told. Every write is durable when its method returns."""

    def __init__(self, db: Writer, *, clock: Clock | None = None) -> None:
        super().__init__(db)
        self._db = db
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def meet(self, sinks: Iterable[str], *, after: int | None = None) -> None:
        """Have sinks that are new begin at the present end of the log, or with what is ``after`` a number."""
        names = frozenset(sinks)
        if names - self.cursors().keys():  # a run that brings nothing new writes nothing
            self._db.write(lambda db: cursors.meet(db, names, after=after))

    def after(self, seq: int) -> Iterator[Recorded]:
        """Every event beyond the number ``seq``, oldest first, in pages: there may be many."""
        while page := self.events(after=seq, limit=_PAGE):
            yield from page
            seq = page[-1].seq

    def claim(self, sink: str, teller: str) -> Cursor | None:
        """Where to go on with ``sink``, for ``teller`` alone; ``None`` while another one tells it."""

        def work(db: Connection) -> Cursor | None:
            now = self._now(db)
            return cursors.claim(db, sink, teller=teller, now=now, until=now + CLAIM)

        return self._db.write(work)

    def told(self, sink: str, seq: int, teller: str, *, events: Iterable[Event] = ()) -> bool:
        """Record that ``sink`` took everything up to ``seq``; whether ``teller`` may go on with it.

        ``events`` are what is to be told of that in turn.
        """

        def work(db: Connection) -> bool:
            audit.append(db, events)
            return cursors.told(db, sink, seq, teller=teller, until=self._now(db) + CLAIM)

        return self._db.write(work)

    def failed(self, sink: str, *, trouble: str, at: datetime, events: Iterable[Event] = ()) -> Cursor:
        """Record that ``sink`` did not take a message; ``events`` as for :meth:`told`."""

        def work(db: Connection) -> Cursor:
            audit.append(db, events)
            return cursors.failed(db, sink, trouble=trouble, at=at)

        return self._db.write(work)

    def release(self, sink: str, teller: str) -> None:
        """Let somebody else tell ``sink``."""
        self._db.write(lambda db: cursors.release(db, sink, teller=teller))

    def _now(self, db: Connection) -> datetime:
        return self._db.now(db) if self._clock is None else self._clock()
