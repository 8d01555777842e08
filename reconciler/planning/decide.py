"""What to do with one strategy: every rule of a plan, one strategy at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.model.desired import OnUnknown, Strategy
from reconciler.model.finding import Verdict
from reconciler.model.plan import Action, ActionKind, InventoryItem, RunningStrategy
from reconciler.planning.canonical import ordered, same_parameters
from reconciler.planning.gate import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """How long a strategy may run on evidence that turned unknown at ``since`` (``None``: just now).

    ``then`` is what policy wants once that is over.
    """

    allowed: timedelta
    then: OnUnknown = OnUnknown.DISABLE
    since: datetime | None
    now: datetime

    @property
    def spent(self) -> timedelta:
        """How long the evidence has been unknown."""
        return timedelta(0) if self.since is None else self.now - self.since

    @property
    def over(self) -> bool:
        """Whether more time has passed than is allowed."""
        return self.spent > self.allowed

    @property
    def stops(self) -> bool:
        """Whether the strategy must stop."""
        return self.over and self.then is OnUnknown.DISABLE


def desired_strategy(
    strategy: Strategy,
    running: RunningStrategy | None,
    *,
    gate: Gate,
    grace: Grace,
    broken: tuple[str, ...] = (),
    unsafe: tuple[str, ...] = (),
    obstacle: str | None = None,
    enabled_on: str | None = None,
) -> Action:
    """The action for a strategy in git, whose runtime could be read.

    ``running`` is what the runtime holds of it, ``None`` when nothing. ``broken`` names the rules
    of policy that the strategy itself breaks; ``unsafe`` names the checks for which it may not go on
    running where git switched it off or moved it from; ``obstacle`` says what besides the checks keeps it
    from starting; ``enabled_on`` is the connection on which this tool had enabled it, where it had.
    """
    if not strategy.enabled:
        return _switched_off(strategy, running, (*unsafe, *broken))
    if gate.verdict is Verdict.FAIL or broken:
        return _failed(strategy, running, gate, broken)
    if gate.verdict is Verdict.UNKNOWN:
        stranded = unsafe and not is_off(running)
        return _stranded(strategy, unsafe) if stranded else _unknown(strategy, running, gate, grace)
    if running is not None and running.enabled is None and not unsafe:
        why = f": {running.silence}" if running.silence else ""
        reason = f"runtime {strategy.runtime} does not tell whether it runs{why}"
        return _act(ActionKind.UNKNOWN, strategy, reason)
    return _permitted(strategy, running, obstacle, enabled_on or strategy.connection)


def unreadable(strategy: str, runtime: str, connection: str | None) -> Action:
    """The action while a runtime cannot be read: none, as nobody knows what runs there."""
    reason = f"runtime {runtime} could not be read, so nobody knows what runs there"
    return Action(
        kind=ActionKind.UNKNOWN, strategy=strategy, runtime=runtime, connection=connection, reason=reason
    )


def runtime_gone(item: InventoryItem) -> Action:
    """The action for a strategy whose runtime left the files before the strategy was stopped there."""
    return Action(
        kind=ActionKind.UNKNOWN,
        strategy=item.strategy,
        runtime=item.runtime,
        connection=item.connection,
        reason=(
            f"this tool had enabled it in runtime {item.runtime}, which the files no longer name: "
            "put the runtime back until the strategy is disabled there"
        ),
    )


def left_behind(item: InventoryItem, moved_to: str | None, unsafe: tuple[str, ...] = ()) -> Action:
    """The disabling of a strategy that this tool enabled and git no longer wants there.

    ``unsafe`` names the checks for which it could not go on running there anyway.
    """
    gone = "it is no longer in git" if moved_to is None else f"git moved it to runtime {moved_to}"
    return Action(
        kind=ActionKind.DISABLE,
        strategy=item.strategy,
        runtime=item.runtime,
        connection=item.connection,
        reason=f"{gone}, and this tool had enabled it here{_besides(unsafe)}",
        checks=unsafe,
    )


def unmanaged(strategy: str, runtime: str) -> Action:
    """The report of a strategy that somebody else runs."""
    reason = "it runs, but is not in git and was not enabled by this tool: left alone"
    return Action(kind=ActionKind.UNMANAGED, strategy=strategy, runtime=runtime, reason=reason)


def is_off(running: RunningStrategy | None) -> bool:
    """Whether a strategy surely does not run; one whose runtime does not tell may."""
    return running is None or running.enabled is False


def _act(
    kind: ActionKind,
    strategy: Strategy,
    reason: str,
    *checks: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> Action:
    return Action(
        kind=kind,
        strategy=strategy.id,
        runtime=strategy.runtime,
        connection=strategy.connection,
        reason=reason,
        checks=checks,
        before=before,
        after=after,
    )


def _switched_off(strategy: Strategy, running: RunningStrategy | None, unsafe: tuple[str, ...]) -> Action:
    if is_off(running):
        return _act(ActionKind.NONE, strategy, "disabled in git, and it does not run")
    return _act(ActionKind.DISABLE, strategy, f"git says `enabled: false`{_besides(unsafe)}", *unsafe)


def _besides(unsafe: tuple[str, ...]) -> str:
    """What makes a stop that the files ask for one that waits for nobody."""
    return f"; {', '.join(unsafe)} would stop it too" if unsafe else ""


def _failed(
    strategy: Strategy, running: RunningStrategy | None, gate: Gate, broken: tuple[str, ...]
) -> Action:
    """Stopped, or kept from starting, by checks that failed; those without an answer are not named beside."""
    kind = ActionKind.BLOCKED if is_off(running) else ActionKind.DISABLE
    failed = gate.checks if gate.verdict is Verdict.FAIL else ()
    told = [f"{strategy.connection} fails {', '.join(failed)}"] if failed else []
    told += [f"it breaks {', '.join(broken)} itself"] if broken else []
    return _act(kind, strategy, ", and ".join(told), *failed, *broken)


def _stranded(strategy: Strategy, unsafe: tuple[str, ...]) -> Action:
    """Stopped on the key that git moved it from: it cannot leave that key in this pass."""
    reason = f"it cannot move to {strategy.connection} yet, and the key that it runs on fails"
    return _act(ActionKind.DISABLE, strategy, f"{reason} {', '.join(unsafe)}", *unsafe)


def _unknown(strategy: Strategy, running: RunningStrategy | None, gate: Gate, grace: Grace) -> Action:
    what = f"{', '.join(gate.checks) or 'a check'} of {strategy.connection} gave no answer"
    if is_off(running):
        return _act(ActionKind.UNKNOWN, strategy, f"{what}; nothing starts on unknown", *gate.checks)
    spent, allowed = _minutes(grace.spent), _minutes(grace.allowed)
    if grace.over:
        reason = f"{what} for {spent}, longer than the grace of {allowed}"
        if not grace.stops:
            return _act(ActionKind.HOLD, strategy, f"{reason}; policy.on_unknown holds it", *gate.checks)
        return _act(ActionKind.DISABLE, strategy, reason, *gate.checks)
    reason = f"{what} for {spent}; it runs on as it is for at most {allowed}"
    return _act(ActionKind.HOLD, strategy, reason, *gate.checks)


def _permitted(
    strategy: Strategy, running: RunningStrategy | None, obstacle: str | None, enabled_on: str
) -> Action:
    after: Mapping[str, Any] = strategy.parameters
    if is_off(running) and obstacle is not None:
        return _act(ActionKind.BLOCKED, strategy, obstacle)
    if running is None or is_off(running):
        return _act(ActionKind.ENABLE, strategy, "every blocking check passes", after=after)
    what = "its settings differ from git"
    enabled_on = running.connection or enabled_on  # the runtime's word outranks what we remember
    if enabled_on != strategy.connection:
        what = f"git moved it from connection {enabled_on} to {strategy.connection}"
    elif same_parameters(running.parameters or {}, after):
        return _act(ActionKind.NONE, strategy, "runs as git says")
    reason = f"{what}, and every blocking check passes"
    return _act(ActionKind.CHANGE, strategy, reason, before=ordered(running.parameters), after=after)


def _minutes(span: timedelta) -> str:
    """``90 s``, ``15 min``, ``36 h``: the coarsest unit that still says it."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 120:  # noqa: PLR2004 - two minutes read better as seconds
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004 - the same of hours
