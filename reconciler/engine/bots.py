"""What a run finds out about runtimes and the bots in them, against what git says of these."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TypeAlias

from reconciler.checks import BotCase, evaluate_bot, evaluate_strategy, judge_runtime
from reconciler.engine.runtimes import Holdings
from reconciler.model.desired import Desired, Policy, Strategy
from reconciler.model.finding import Finding
from reconciler.planning.gate import Judge

BotFindings: TypeAlias = Mapping[str, tuple[Finding, ...]]
"""By strategy, passes included; nothing of a strategy whose runtime says nothing of a bot."""


def bot_findings(desired: Desired, holdings: Holdings, now: datetime) -> BotFindings:
    """What is found of the bot behind every strategy in git, switched on there or not."""
    found: dict[str, tuple[Finding, ...]] = {}
    for strategy in desired.strategies.values():
        running = (holdings.held.get(strategy.runtime) or {}).get(strategy.id)
        if running is not None and running.bot is not None:
            found[strategy.id] = evaluate_bot(
                BotCase(
                    connection=desired.connections[strategy.connection],
                    strategy=strategy,
                    runtime=desired.runtimes[strategy.runtime],
                    bot=running.bot,
                    running=bool(running.enabled),
                    now=now,
                )
            )
    return found


def with_bots(found: BotFindings) -> Judge:
    """The judge of a plan: policy's rules over a strategy, and what was found of its bot."""

    def judge(policy: Policy, strategy: Strategy) -> tuple[Finding, ...]:
        return (*evaluate_strategy(policy, strategy), *found.get(strategy.id, ()))

    return judge


def shown(found: BotFindings, desired: Desired, targets: Collection[str]) -> tuple[Finding, ...]:
    """What a report tells: of strategies that should run; with ``targets`` only of those that they name."""
    chosen = (
        one
        for one in sorted(desired.strategies.values(), key=lambda strategy: strategy.id)
        if one.enabled and (not targets or {one.id, one.connection} & set(targets))
    )
    return tuple(finding for one in chosen for finding in found.get(one.id, ()))


def runtime_findings(desired: Desired, holdings: Holdings) -> tuple[Finding, ...]:
    """Whether each runtime that has to be asked over a network, or that could not be read, was read."""
    return tuple(
        judge_runtime(spec, holdings.failures.get(spec.id), read=holdings.held.get(spec.id) is not None)
        for spec in sorted(desired.runtimes.values(), key=lambda one: one.id)
        if spec.type != "ledger" or holdings.held.get(spec.id) is None
    )
