"""How a strategy is disabled: what the files choose, as far as its runtime can do it. Pure.

The most specific choice counts: of the strategy, of its runtime, of policy, else what the type of the
runtime does by itself. ``docs/positions.md`` explains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from reconciler.model.desired import Desired, OnDisable
from reconciler.model.plan import Action, ActionKind, RunningStrategy

#: The finding that says more of what waits until somebody closed its positions.
CHECK: Final = "open-positions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Can:
    """What a type of runtime can do, and tell: the fields of the same names of its ``RuntimeType``."""

    disables: tuple[OnDisable, ...] = (OnDisable.STOP,)
    tells_positions: bool = False

    @property
    def choices(self) -> tuple[OnDisable, ...]:
        """What the files can choose for it.

        To wait for open positions it has to tell them, and to open none while it waits.
        """
        both = {OnDisable.STOP, OnDisable.STOP_ENTRIES} <= set(self.disables)
        waits = both and self.tells_positions
        return (*self.disables, OnDisable.CLOSE_FIRST_MANUAL) if waits else self.disables

    def nearest(self, wanted: OnDisable) -> OnDisable:
        """``wanted``, or what it can do instead that leaves as little alone as possible."""
        if wanted in self.choices:
            return wanted
        managed = wanted is OnDisable.CLOSE_FIRST_MANUAL and OnDisable.STOP_ENTRIES in self.disables
        return OnDisable.STOP_ENTRIES if managed else self.disables[0]


Abilities: TypeAlias = Mapping[str, Can]
"""By the name of the type."""

#: What every runtime can do; an embedded one of which only the state still knows can no more.
LEAST: Final = Can()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How a strategy is disabled. ``chosen``: the files say so; ``told``: why it is not what policy says."""

    how: OnDisable
    chosen: bool = False
    tells: bool = False
    told: str = ""

    def winds_down(self, running: RunningStrategy | None) -> bool:
        """Whether one that opens nothing, and manages what it holds, is to be stopped altogether."""
        paused = running is not None and running.enabled is False and running.paused
        stops = self.how is OnDisable.CLOSE_FIRST_MANUAL or (self.how is OnDisable.STOP and self.chosen)
        return paused and stops

    def waits(self, running: RunningStrategy | None) -> bool:
        """Whether it is not to be stopped altogether as long as it holds, or may hold, a position."""
        return self.how is OnDisable.CLOSE_FIRST_MANUAL and open_positions(running) != ()


def open_positions(running: RunningStrategy | None) -> tuple[str, ...] | None:
    """The pairs of its open positions, ``None`` where its runtime did not tell."""
    return running.bot.open_positions if running is not None and running.bot is not None else None


def choice(desired: Desired, abilities: Abilities, *, strategy: str, runtime: str) -> Choice:
    """How this strategy is disabled in this runtime, in git or not."""
    spec, named = desired.runtimes.get(runtime), desired.strategies.get(strategy)
    can = abilities.get(spec.type, LEAST) if spec else LEAST
    option = spec.options.get("disable") if spec else None
    closer = (named.on_disable if named else None, OnDisable(option) if option else None)
    wanted = next((one for one in (*closer, desired.policy.on_disable) if one is not None), None)
    how = can.disables[0] if wanted is None else can.nearest(wanted)
    other = f"{wanted} is chosen, which a {spec.type if spec else 'ledger'} runtime cannot do"
    told = other if wanted is not None and how is not wanted else ""
    return Choice(how=how, chosen=how is wanted, tells=can.tells_positions, told=told)


def with_how(action: Action, desired: Desired, abilities: Abilities) -> Action:
    """``action``, with how where it disables; one that git wants to run never waits to stop altogether."""
    if action.kind is not ActionKind.DISABLE:
        return action
    how = choice(desired, abilities, strategy=action.strategy, runtime=action.runtime).how
    strategy = desired.strategies.get(action.strategy)
    wanted_here = strategy is not None and strategy.enabled and strategy.runtime == action.runtime
    if how is OnDisable.CLOSE_FIRST_MANUAL and wanted_here:
        how = OnDisable.STOP_ENTRIES
    return replace(action, how=how)
