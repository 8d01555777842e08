"""What a strategy that is disabled still holds: told, so that a person can decide; never closed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.model.desired import Desired, OnDisable
from reconciler.model.plan import Action, ActionKind, RunningStrategy
from reconciler.planning.disabling import CHECK, Abilities, Choice, choice, open_positions, with_how

#: Up to so many positions are named.
_FEW: Final = 5

_AGAIN: Final = "close them by hand, then run again to stop it altogether"
_LOOK: Final = "look there, close what is open by hand, and run again"


def winding_down(
    strategy: str, runtime: str, connection: str | None, running: RunningStrategy, *, chosen: Choice, why: str
) -> Action:
    """What is left to do for one that the files want off and that only manages what it holds."""
    waits = chosen.waits(running)
    action = Action(
        kind=ActionKind.HOLD if waits else ActionKind.DISABLE,
        strategy=strategy,
        runtime=runtime,
        connection=connection,
        reason=f"{why}; it opens nothing, and manages what it holds",
        checks=(CHECK,) if waits else (),
        how=chosen.how,
        paused=True,
    )
    if not waits:
        return action
    held = open_positions(running)
    what = f"{_named(held)}: {_AGAIN}" if held else f"its runtime does not tell now what is open: {_LOOK}"
    return replace(action, reason=f"{action.reason}: {what}", open_positions=held)


def with_positions(
    action: Action,
    desired: Desired,
    abilities: Abilities,
    runtimes: Mapping[str, Mapping[str, RunningStrategy] | None],
) -> Action:
    """``action``, with how it disables and what that leaves open, in its reason too."""
    if action.kind is not ActionKind.DISABLE:
        return action
    chosen = choice(desired, abilities, strategy=action.strategy, runtime=action.runtime)
    action = with_how(action, desired, abilities)
    held = open_positions((runtimes.get(action.runtime) or {}).get(action.strategy))
    said = [one for one in (chosen.told, _left(action, held, tells=chosen.tells)) if one]
    return replace(action, open_positions=held, reason="; ".join([action.reason, *said]))


def _left(action: Action, held: Sequence[str] | None, *, tells: bool) -> str:
    """What becomes of what it holds, in a few words; nothing where nobody ever tells of any."""
    match action.how:
        case OnDisable.STOP_ENTRIES:
            rest = "it does not tell what is open, and manages it on" if held is None else "nothing is open"
            return f"entries stop: {f'{_named(held)}, managed on' if held else rest}"
        case OnDisable.CLOSE_FIRST_MANUAL:
            rest = f"it does not tell now what is open: {_LOOK}"
            waits = f"entries stop, and the rest waits: {f'{_named(held)}: {_AGAIN}' if held else rest}"
            return "it stops altogether: nothing is open" if held == () else waits
        case _:
            rest = "it stops altogether, and does not tell now what stays open, unmanaged" if tells else ""
            # what tells only some of its positions does not say by none that there are none
            if held:
                return f"it stops altogether: {_named(held)}, and nobody manages that"
            return "it stops altogether: nothing is open" if held == () and tells else rest


def _named(held: Sequence[str]) -> str:
    named = ", ".join(held[:_FEW]) + (f" and {len(held) - _FEW} more" if held[_FEW:] else "")
    return f"{'1 position stays' if len(held) == 1 else f'{len(held)} positions stay'} open: {named}"
