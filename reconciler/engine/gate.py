"""Asking whether one strategy may run now: of the state alone, without files, keys or network."""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model.gate import Admission
from reconciler.planning.admit import admit
from reconciler.state.glance import glance


def gate(state: str, strategy: str, *, running: bool, max_age: timedelta, now: datetime) -> Admission:
    """The answer for ``strategy`` by what the state at the URL ``state`` holds, as true as the last pass.

    Raise ``StateError`` where the state is not there or cannot be read.
    """
    seen = glance(state, strategy)
    return admit(seen, strategy, running=running, max_age=max_age, now=now)
