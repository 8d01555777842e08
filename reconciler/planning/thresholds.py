"""How many strategies one pass may enable, or disable because of the files: numbers in, breaches out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reconciler.model.desired import Approval, Desired, Guarded, Threshold
from reconciler.model.plan import Action, ActionKind, Bound, Breach

#: So many are within every percentage but 0: a share of two or three strategies says nothing.
SMALL: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The strategies that were enabled, and those that the files had stopped, a short while ago.

    A loop does what many passes of one interval find; a limit that each of them kept would be none.
    """

    enabled: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()


NOTHING: Final = Recent()


def breaches(
    actions: Iterable[Action],
    desired: Desired,
    *,
    running: frozenset[str],
    now: datetime,
    recent: Recent = NOTHING,
) -> tuple[Breach, ...]:
    """The limits that ``actions`` exceed, at most one for enables and one for disables.

    Of disables only those count that come from the files alone. ``running`` are the ids of the
    strategies that this tool is in charge of and that may run now. Disables are a share of those
    that nothing else stops: else a pass that was killed after its stops for safety would find the
    rest of the same files too much. One that only manages what it holds is among them where its stop
    counts. Enables are a share of those that git wants to run. What is ``recent`` counts as well, each
    strategy once.
    """
    held, limits = tuple(actions), desired.policy.thresholds
    stopped = {action.strategy for action in held if action.of_files}
    unsafe = {action.strategy for action in held if action.kind is ActionKind.DISABLE} - stopped
    sides = (
        _Side(
            guarded=Guarded.ENABLE,
            count=_count((action for action in held if action.kind is ActionKind.ENABLE), recent.enabled),
            of=sum(strategy.enabled for strategy in desired.strategies.values()),
            threshold=limits.enable,
        ),
        _Side(
            guarded=Guarded.DISABLE,
            count=_count((action for action in held if action.of_files), recent.stopped),
            of=len((running - unsafe) | stopped | recent.stopped),
            threshold=limits.disable,
            emptied=not desired.strategies,
        ),
    )
    found = (_breach(side, _approved(side.guarded, desired, now)) for side in sides)
    return tuple(breach for breach in found if breach is not None)


def _count(actions: Iterable[Action], recent: frozenset[str]) -> int:
    """How many strategies; what is over alone exceeds nothing."""
    new = {action.strategy for action in actions}
    return len(new | recent) if new else 0


def holds(approval: Approval, now: datetime) -> bool:
    """Whether an approval still counts: until the end of its last day, in UTC."""
    return now.astimezone(UTC).date() <= approval.until


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """``count`` of ``of`` strategies, and what they are held against."""

    guarded: Guarded
    count: int
    of: int
    threshold: Threshold
    emptied: bool = False

    def bounds(self) -> Iterator[tuple[int, Bound]]:
        """How many each limit allows. 0 allows none, and ``None`` is no limit."""
        if self.emptied:  # rather a lost file than a wish, however few ran
            yield 0, Bound.EMPTIED
        if self.threshold.count is not None:
            yield self.threshold.count, Bound.COUNT
        if self.threshold.percent is not None:
            share = int(self.of * self.threshold.percent / 100)
            yield max(SMALL, share) if self.threshold.percent else 0, Bound.PERCENT


def _breach(side: _Side, approved: int) -> Breach | None:
    allowed, bound = min(side.bounds(), default=(side.count, Bound.COUNT), key=lambda one: one[0])
    if side.count <= max(allowed, approved):
        return None
    return Breach(
        guarded=side.guarded, bound=bound, count=side.count, of=side.of, allowed=allowed, approved=approved
    )


def _approved(guarded: Guarded, desired: Desired, now: datetime) -> int:
    """The most that an approval allows; several do not add up."""
    fitting = (one for one in desired.approvals if one.allow is guarded and holds(one, now))
    return max((one.count for one in fitting), default=0)
