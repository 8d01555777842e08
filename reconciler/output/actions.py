"""How a plan and its outcomes read on a screen: what happens to each strategy, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from reconciler.model.desired import Strategy
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState, Plan
from reconciler.output.clean import shortened
from reconciler.output.document import BLANK, Line, Role, Span, joined, labelled
from reconciler.output.findings import LONGEST
from reconciler.output.words import differences, flattened, setting

_ROLES: Final = {
    ActionKind.DISABLE: Role.BAD,
    ActionKind.CHANGE: Role.WARN,
    ActionKind.ENABLE: Role.GOOD,
    ActionKind.HOLD: Role.UNKNOWN,
    ActionKind.BLOCKED: Role.BAD,
    ActionKind.UNKNOWN: Role.UNKNOWN,
    ActionKind.UNMANAGED: Role.WARN,
    ActionKind.NONE: Role.MUTED,
}

_OUTCOMES: Final = {
    OutcomeState.DONE: ("✓ done", Role.GOOD),
    OutcomeState.FAILED: ("✗ failed", Role.BAD),
    OutcomeState.NOT_TRIED: (". not tried", Role.MUTED),
    OutcomeState.UNKNOWN: ("? unknown", Role.UNKNOWN),
}


def action_lines(plan: Plan, strategies: Iterable[Strategy], *, verbose: bool) -> Iterator[Line]:
    """One block per action in the plan's own order; what stays as it is only where ``verbose``."""
    names = {strategy.id: strategy.name for strategy in strategies}
    for action in plan.actions:
        if verbose or action.kind is not ActionKind.NONE:
            yield from _block(action, names)
            yield BLANK


def outcome_lines(outcomes: Iterable[Outcome], strategies: Iterable[Strategy]) -> Iterator[Line]:
    """What became of each action that was to call a runtime."""
    names = {strategy.id: strategy.name for strategy in strategies}
    for outcome in outcomes:
        label, role = _OUTCOMES[outcome.state]
        did = f"{outcome.action.kind.value} "
        yield labelled(label, did, *_name(outcome.action, names), indent=0, role=role)
        if outcome.detail:
            yield labelled("", shortened(outcome.detail, LONGEST))
    yield BLANK


def _block(action: Action, names: Mapping[str, str]) -> Iterator[Line]:
    word = "unchanged" if action.kind is ActionKind.NONE else action.kind.value
    label = f"{action.kind.symbol} {word}"
    yield labelled(label, *_name(action, names), _where(action), indent=0, role=_ROLES[action.kind])
    if action.reason:
        yield labelled("why", action.reason)
    unnamed = [check for check in action.checks if check not in action.reason]
    if unnamed:
        yield labelled("checks", ", ".join(unnamed))
    yield from _settings(action)


def _name(action: Action, names: Mapping[str, str]) -> tuple[Span, ...]:
    name = names.get(action.strategy)
    if name is None:
        return (Span(action.strategy, Role.TITLE),)
    return (Span(name, Role.TITLE), Span(f" · {action.strategy}", Role.MUTED))


def _where(action: Action) -> Span:
    on = f" · on {action.connection}" if action.connection else ""
    return Span(f"{on} · in {action.runtime}", Role.MUTED)


def _settings(action: Action) -> Iterator[Line]:
    """What a strategy starts with, or each setting that changes as old → new."""
    if action.before is None:
        if action.after:
            parts = (Span(f"{path} {setting(value)}") for path, value in flattened(action.after))
            yield labelled("with", *joined(((part,) for part in parts), " · "))
        return
    for path, old, new in differences(action.before, action.after or {}):
        told = f"{path}: {setting(old)} "
        yield labelled("set", Span(told), Span("→ ", Role.MUTED), Span(setting(new), Role.TITLE))
