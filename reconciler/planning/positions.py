"""What a strategy that is to stop still holds: told, so that a person can decide; never closed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from reconciler.model.plan import Action, ActionKind, RunningStrategy

#: Up to so many positions are named.
_FEW: Final = 5


def with_positions(action: Action, runtimes: Mapping[str, Mapping[str, RunningStrategy] | None]) -> Action:
    """``action``, with what it leaves open in its reason where it stops a strategy whose runtime tells."""
    running = (runtimes.get(action.runtime) or {}).get(action.strategy)
    held = running.bot.open_positions if running is not None and running.bot is not None else None
    if action.kind is not ActionKind.DISABLE or not held:
        return action
    named = ", ".join(held[:_FEW]) + (f" and {len(held) - _FEW} more" if held[_FEW:] else "")
    what = "1 position stays" if len(held) == 1 else f"{len(held)} positions stay"
    return replace(action, reason=f"{action.reason}; {what} open: {named}")
