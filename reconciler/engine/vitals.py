"""What monitoring is told, gathered from the state alone: no file, no key, no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.engine.settings import Settings
from reconciler.model.vitals import Vitals

if TYPE_CHECKING:
    from reconciler.state.view import ReadState


def vitals(
    settings: Settings,
    *,
    sinks: Collection[str] = (),
    run: tuple[datetime, int] | None = None,
) -> Vitals:
    """How things stand by what the state holds now; changes nothing. ``output.metrics.render`` words it.

    ``sinks`` are the names of those that this process tells. Raise ``StateError``.
    """
    from reconciler.state.store import open_for_reading  # noqa: PLC0415 - sqlalchemy is slow to import

    state = open_for_reading(settings.state)
    tallies = state.tallies()
    last, cursors = state.last_finished(), state.cursors()
    return Vitals(
        version=__version__,
        connections=state.readings(),
        conditions=state.conditions(),
        decisions=Counter(one.may for one in state.permits().values()),
        enabled=len(state.inventory()),
        unfinished=len(state.unfinished()),
        lockdowns=state.lockdowns(),
        locked=_locked(state, settings.now()),
        last_pass=(last.started_at, last.finished_at, last.exit_code or 0)
        if last and last.finished_at
        else None,
        events=tallies["events"],
        actions=tallies["actions"],
        passes=tallies["passes"],
        head=state.audit_head().seq,
        sinks=tuple(cursors[name] for name in sorted(sinks) if name in cursors),
        run=run,
    )


def _locked(state: ReadState, now: datetime) -> bool:
    record = state.lease_record()
    return record is not None and record.held(now)
