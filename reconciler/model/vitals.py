"""How a reconciler fares, in the numbers that a monitoring system keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from reconciler.model.memory import Condition, Cursor, Lockdown, May, Remembered

Tally: TypeAlias = Mapping[tuple[str, ...], int]
"""How often each thing happened, by its labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What the state tells at one moment. Tallies count since the state was made, by kind and detail.

    ``sinks`` are those that this process tells, ``head`` the number of the newest event. ``run`` is how
    this very run ended, and when, where it is over; ``loop_up`` whether the loop goes round, in one.
    """

    version: str
    connections: Mapping[str, Remembered] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    decisions: Mapping[May, int] = field(default_factory=dict)
    enabled: int = 0
    unfinished: int = 0
    lockdowns: tuple[Lockdown, ...] = ()
    locked: bool = False
    last_pass: tuple[datetime, datetime, int] | None = None
    events: Tally = field(default_factory=dict)
    actions: Tally = field(default_factory=dict)
    passes: Tally = field(default_factory=dict)
    head: int = 0
    sinks: tuple[Cursor, ...] = ()
    run: tuple[datetime, int] | None = None
    loop_up: bool | None = None
