"""Observe, check and plan: everything of a pass that only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from reconciler.checks import permits
from reconciler.engine.bots import bot_findings, runtime_findings, shown, with_bots
from reconciler.engine.choose import chosen_connections
from reconciler.engine.guards import guard_findings
from reconciler.engine.markets import market_findings
from reconciler.engine.policy import policy_findings
from reconciler.engine.runtimes import ABILITIES, read_all
from reconciler.engine.settings import Settings
from reconciler.engine.survey import Survey, Surveyor, survey
from reconciler.model.desired import Desired
from reconciler.model.finding import Finding, Verdict
from reconciler.model.memory import Permit
from reconciler.model.plan import ActionKind, InventoryItem, OutcomeState, Plan
from reconciler.planning.guard import Guards
from reconciler.planning.permits import assumed, permits_of
from reconciler.planning.plan import Runtimes, ended, make_plan, require_targets
from reconciler.planning.settle import Settling
from reconciler.planning.thresholds import NOTHING, Recent

if TYPE_CHECKING:
    from reconciler.runtimes.interface import Runtime
    from reconciler.state.view import ReadState


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a pass knows before it acts.

    ``resting`` has what is remembered of each connection that was to be looked at and was not read anew.
    """

    desired: Desired
    survey: Survey
    runtimes: Mapping[str, Runtime]
    bots: tuple[Finding, ...]
    plan: Plan
    guards: Guards
    permits: tuple[Permit, ...]
    unreadable: tuple[str, ...]
    at: datetime
    ended: tuple[InventoryItem, ...]
    resting: Mapping[str, Verdict]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those about no single connection."""
        return (
            *policy_findings(self.desired, self.plan.targets),
            *market_findings(self.desired, self.survey.reports, self.plan.targets),
            *self.bots,
            *guard_findings(self.desired, self.plan, self.at, self.guards),
        )


async def look(
    desired: Desired,
    state: ReadState,
    runtimes: Mapping[str, Runtime],
    settings: Settings,
    *,
    surveyor: Surveyor = survey,
) -> Seen:
    """Observe, check and plan; reads only. ``surveyor`` says how connections are looked at."""
    inventory = state.inventory()
    require_targets(settings.targets, desired, inventory)
    connections = chosen_connections(desired, settings.targets, inventory)
    seen, holdings = await asyncio.gather(surveyor(desired, connections, settings), read_all(runtimes))
    running = holdings.held
    now, unknown_since, guards = settings.now(), state.unknown_since(), _guards(desired, state, settings)
    begun = {(intent.action.strategy, intent.action.runtime) for intent in state.unfinished()}
    bots = bot_findings(desired, holdings, now)
    unreadable = tuple(sorted(name for name, held in running.items() if held is None))

    def plan_over(held: Runtimes) -> Plan:
        return make_plan(
            desired,
            seen.reports,
            held,
            inventory,
            unknown_since,
            now=now,
            permits=permits,
            judge=with_bots(bots),
            targets=settings.targets,
            guards=guards,
            begun=begun,
            unread=unreadable,
            abilities=ABILITIES,
        )

    plan = plan_over(running)
    decided = plan_over(assumed(running, inventory.values())) if unreadable else plan
    return Seen(
        desired=desired,
        survey=seen,
        runtimes=runtimes,
        bots=(*runtime_findings(desired, holdings), *shown(bots, desired, settings.targets)),
        plan=plan,
        guards=guards,
        permits=tuple(permits_of(desired, decided, seen.reports, now=now)),
        unreadable=unreadable,
        at=now,
        ended=ended(desired, running, inventory, ABILITIES),
        resting=_remembered(seen.resting, state),
    )


def _guards(desired: Desired, state: ReadState, settings: Settings) -> Guards:
    passes = desired.policy.settle if settings.settles else 1
    readings = state.readings()
    streaks = {name: one.streak for name, one in readings.items()} if settings.settles else {}
    return Guards(
        settling=Settling(passes=passes, streaks=streaks),
        lockdowns=state.lockdowns(),
        recent=_recent(state, settings),
        exchanges={name: one.reading.exchange for name, one in readings.items() if one.reading.exchange},
    )


def _recent(state: ReadState, settings: Settings) -> Recent:
    """What was done of late, by whomever: it is in the journal, so a restart forgets none of it."""
    if not settings.counts_back:
        return NOTHING
    acted = state.acted(settings.now() - timedelta(seconds=settings.counts_back))
    done = [one.action for one in acted if one.outcome is not OutcomeState.FAILED]
    return Recent(
        enabled=frozenset(one.strategy for one in done if one.kind is ActionKind.ENABLE),
        stopped=frozenset(one.strategy for one in done if one.of_files),
    )


def _remembered(connections: tuple[str, ...], state: ReadState) -> Mapping[str, Verdict]:
    if not connections:
        return {}
    known = state.readings()
    return {name: known[name].reading.verdict if name in known else Verdict.UNKNOWN for name in connections}
