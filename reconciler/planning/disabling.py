"""How a strategy is disabled: what the files choose, as far as its runtime can do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from reconciler.model.desired import Desired, OnDisable
from reconciler.model.plan import Action, ActionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Can:
    """What a type of runtime can do, and tell: the fields of the same names of its ``RuntimeType``."""

    disables: tuple[OnDisable, ...] = (OnDisable.STOP,)
    tells_positions: bool = False


Abilities: TypeAlias = Mapping[str, Can]
"""By the name of the type."""

#: What every runtime can do; an embedded one of which only the state still knows can no more.
LEAST: Final = Can()


def how_to_disable(desired: Desired, abilities: Abilities, runtime: str) -> OnDisable:
    """What disabling does in this runtime: what the files chose for it, else its type's default."""
    spec = desired.runtimes.get(runtime)
    chosen = spec.options.get("disable") if spec else None
    can = abilities.get(spec.type, LEAST) if spec else LEAST
    return OnDisable(chosen) if chosen in can.disables else can.disables[0]


def with_how(action: Action, desired: Desired, abilities: Abilities) -> Action:
    """``action``, with how where it disables."""
    if action.kind is not ActionKind.DISABLE:
        return action
    return replace(action, how=how_to_disable(desired, abilities, action.runtime))
