"""What reading back says became of an action: the runtime's word, which outranks that of the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.model.desired import OnDisable
from reconciler.model.plan import Action, ActionKind, OutcomeState, RunningStrategy
from reconciler.planning.canonical import same_parameters
from reconciler.planning.disabling import open_positions

Holdings = Mapping[str, RunningStrategy]
"""What a runtime holds, by strategy."""

WORDS: Final = {
    OutcomeState.DONE: "reading back shows it in effect",
    OutcomeState.FAILED: "reading back shows it not in effect",
    OutcomeState.UNKNOWN: "it could not be read back, so nobody knows; the next pass looks again",
}

_ALTOGETHER: Final = (OnDisable.STOP, OnDisable.CLOSE_FIRST_MANUAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What a call to a runtime raised, or what else is to be told of it.

    ``known`` says that what the runtime did is beyond doubt: nothing, where it raised.
    """

    text: str
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What reading back shows. ``running`` is the strategy as it runs, where it does.

    ``waits``: it opens nothing, and is still to be stopped altogether once what it holds is closed.
    ``stays_ours``: it is stopped as it was to be, and manages what it holds: the files may yet want it
    stopped altogether.
    """

    state: OutcomeState
    running: RunningStrategy | None = None
    waits: bool = False
    stays_ours: bool = False


def judge(action: Action, holdings: Holdings | None) -> Verdict:
    """Judge an action by what its runtime holds now; nothing but a clear answer is done or failed."""
    if holdings is None:
        return Verdict(state=OutcomeState.UNKNOWN)
    found = holdings.get(action.strategy)
    if found is not None and found.enabled is None:
        return Verdict(state=OutcomeState.UNKNOWN)
    running = found if found is not None and found.enabled else None
    waits = stays_ours = False
    if action.kind is ActionKind.DISABLE:
        rests = found is not None and found.paused
        closes_first = action.how is OnDisable.CLOSE_FIRST_MANUAL
        waits = rests and closes_first and (action.open_positions != () or open_positions(found) != ())
        effect = running is None and (waits or not (rests and action.how in _ALTOGETHER))
        # what the files alone stopped is where they want it; a stop for safety says nothing of what they want
        stays_ours = waits or (rests and bool(action.checks))
    else:
        effect = running is not None and _as_wanted(running, action)
    state = OutcomeState.DONE if effect else OutcomeState.FAILED
    return Verdict(state=state, running=running, waits=waits, stays_ours=stays_ours)


def parameters_of(running: RunningStrategy, action: Action) -> Mapping[str, Any]:
    """What it runs with; what it was told to, where the runtime does not tell."""
    return (action.after or {}) if running.parameters is None else running.parameters


def may_come_late(verdict: Verdict, trouble: Trouble | None) -> bool:
    """Whether a call that broke off may still take effect after it was read back as not in effect."""
    return verdict.state is OutcomeState.FAILED and trouble is not None and not trouble.known


def detail_of(verdict: Verdict, trouble: Trouble | None) -> str:
    """What an outcome says beyond its state; nothing where all went well."""
    if trouble is None and verdict.state is OutcomeState.DONE:
        return ""
    said = [trouble.text] if trouble else []
    later = ["it may come late, so the next pass looks again"] if may_come_late(verdict, trouble) else []
    return "; ".join([*said, WORDS[verdict.state], *later])


def _as_wanted(running: RunningStrategy, action: Action) -> bool:
    """Whether it runs on the wanted connection, as far as the runtime tells, with the wanted parameters."""
    on_it = running.connection is None or running.connection == action.connection
    return on_it and same_parameters(parameters_of(running, action), action.after or {})
