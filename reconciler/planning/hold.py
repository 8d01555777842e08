"""Leaving a strategy as it is: the one way in which every guard holds back."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.plan import Action, ActionKind


def hold_back(action: Action, why: str, check: str) -> Action:
    """The same strategy left as it is: not started where it does not run, as it runs where it does."""
    kind = ActionKind.BLOCKED if action.kind is ActionKind.ENABLE else ActionKind.HOLD
    return replace(action, kind=kind, reason=why, checks=(check,), before=None, after=None)
