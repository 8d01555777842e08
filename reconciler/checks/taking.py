"""Whether anything makes the bot keep to what its strategy states, judged on the files alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from reconciler.checks.check import Answer, Entry, failed, passed
from reconciler.model.desired import RuntimeSpec, Strategy
from reconciler.model.errors import Mark
from reconciler.model.finding import Severity
from reconciler.model.taking import Parameter, Takes, stated


@dataclass(frozen=True, slots=True, kw_only=True)
class TakingCase:
    """A strategy, its runtime, and what a runtime of that type takes."""

    strategy: Strategy
    runtime: RuntimeSpec
    takes: Takes


def taken(case: TakingCase) -> Answer:
    """Whether the runtime is given, or is compared with, everything that the strategy states."""
    strategy, runtime = case.strategy, case.runtime
    loose = [one for one in stated(strategy.parameters) if one not in case.takes]
    if not loose:
        return passed(f"all that {strategy.id} states is given to {runtime.id}, or compared with it")
    names = tuple(_named(case, loose))
    told = ", ".join(f"{name} (line {_place(case, name).line})" for name in names)
    return failed(
        f"nothing makes the bot of {strategy.id} keep to {told}: a {runtime.type} runtime does not take that",
        mark=_place(case, names[0]),
    )


def _named(case: TakingCase, loose: list[Parameter]) -> Iterator[str]:
    """A field of which nothing is taken as one; else each part of it that is not."""
    for field, group in groupby(loose, key=lambda one: one.field):
        partly = any(one.field == field for one in case.takes)
        yield from (one.value for one in group) if partly else (field,)


def _place(case: TakingCase, name: str) -> Mark:
    return case.strategy.marks.get(name, case.strategy.mark)


TAKEN: Final = Entry(
    id="strategy-settings-taken",
    title="What a strategy states is kept",
    asks="Does the runtime take everything that the strategy states, or tell it for comparison?",
    cause="It is written in git, but nothing makes the bot keep to it: its runtime knows no such thing.",
    fix=(
        "Set the same in the bot's own configuration, and have that reviewed: the line here is only a note. "
        "Or remove it, where the files can do without."
    ),
    explanation=(
        "Reviewers who read a limit believe that it holds. `reconcile validate` tells, as advice, of each "
        "strategy what its runtime is neither given nor compared with; docs/runtimes/README.md lists it "
        "by type. It blocks nothing: what the bot does was decided in its own configuration, with or "
        "without the line here. A rule of policy over margin_limit or averaging then binds what git states, "
        "and not the bot. A key of `settings` that the type does not know is an error."
    ),
    severity=Severity.ADVISORY,
    waivable=False,
)
