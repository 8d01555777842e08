"""The files, with what only the whole tool can judge about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconciler.desired import Loaded, load_sound
from reconciler.desired.disk import Disk
from reconciler.desired.files import Files
from reconciler.engine import waivable
from reconciler.engine.runtimes import ABILITIES
from reconciler.model.desired import Desired, RuntimeSpec, Strategy
from reconciler.model.errors import ConfigError, Problem
from reconciler.runtimes.registry import TYPES


def read(files: Sequence[str], top: str = "") -> Desired:
    """What the files below the folder ``top`` want. Raise ``ConfigError`` with everything wrong with them."""
    loaded = read_sound(files, Disk(top=top))
    if loaded.problems:
        raise ConfigError(loaded.problems)
    return loaded.desired


def read_sound(files: Sequence[str], where: Files | None = None) -> Loaded:
    """What is sound in the files, and everything wrong with them. ``where`` is the disk unless told.

    Nothing more is said of what rests on an entry that is not sound.
    """
    loaded = load_sound(files, files=where)
    found = (
        *loaded.problems,
        *waivable.void(loaded.desired),
        *_crowds(loaded.desired),
        *_settings(loaded.desired),
        *_places(loaded.desired),
        *_disabling(loaded.desired),
    )
    return replace(loaded, problems=found)


def _placed(desired: Desired) -> Iterator[tuple[Strategy, RuntimeSpec]]:
    """Each strategy, on or off, with its runtime, in file order; none whose runtime could not be read."""
    for strategy in sorted(desired.strategies.values(), key=lambda one: one.mark):
        if strategy.runtime in desired.runtimes:
            yield strategy, desired.runtimes[strategy.runtime]


def _system(runtime: RuntimeSpec) -> tuple[str, str]:
    """The system behind a runtime, as far as the files tell: two runtimes of one url are the same one."""
    return (runtime.type, runtime.url.lower() if runtime.url else runtime.id)


def _crowds(desired: Desired) -> Iterator[Problem]:
    """A second strategy where a runtime is one bot: which of the two does it run?"""
    first: dict[tuple[str, str], str] = {}
    for strategy, runtime in _placed(desired):
        system = _system(runtime)
        if TYPES[runtime.type].single and first.setdefault(system, strategy.id) != strategy.id:
            yield Problem(
                mark=strategy.marks.get("runtime", strategy.mark),
                code="runtime-runs-one",
                message=f"{runtime.id} is one {runtime.type} bot, and {first[system]} is what it runs",
                fix="give each strategy a bot of its own, with its own entry under `runtimes`",
            )


def _settings(desired: Desired) -> Iterator[Problem]:
    """Settings that the strategy's runtime cannot take: to skip them silently would mislead reviewers."""
    for strategy, runtime in _placed(desired):
        known = TYPES[runtime.type].settings
        for name in strategy.parameters.get("settings", {}):
            if known is not None and name not in known:
                yield Problem(
                    mark=strategy.marks.get(f"settings.{name}", strategy.mark),
                    code="unknown-setting",
                    message=f"a {runtime.type} runtime takes no such setting of {strategy.id}",
                    fix=f"write {' or '.join(sorted(known))}, or leave it out" if known else "leave it out",
                )


def _places(desired: Desired) -> Iterator[Problem]:
    """Strategies that do not say which bot they are, or are the same one as another."""
    taken: dict[tuple[str, ...], str] = {}
    for strategy, runtime in _placed(desired):
        place, mark = TYPES[runtime.type].place, strategy.marks.get("settings", strategy.mark)
        if place is None:
            continue
        try:
            told = place(runtime, strategy.parameters)
        except ValueError as error:
            yield Problem(
                mark=mark,
                code="bot-not-named",
                message=f"{strategy.id} does not say what it is in {runtime.id}: {error}",
                fix=f"docs/runtimes/{runtime.type}.md shows how",
            )
            continue
        key = (*_system(runtime), told)
        if taken.setdefault(key, strategy.id) != strategy.id:
            yield Problem(
                mark=mark,
                code="bot-taken",
                message=f"{told} already is {taken[key]}: which of the two does it run?",
                fix="give each strategy a bot of its own",
            )


def _disabling(desired: Desired) -> Iterator[Problem]:
    """Strategies that choose a way to be disabled in which their runtime cannot: policy is only a default."""
    for strategy, runtime in _placed(desired):
        choices = ABILITIES[runtime.type].choices
        if strategy.on_disable is not None and strategy.on_disable not in choices:
            yield Problem(
                mark=strategy.marks.get("on_disable", strategy.mark),
                code="cannot-disable-so",
                message=f"{strategy.id}: a {runtime.type} runtime cannot disable with {strategy.on_disable}",
                fix=f"write {' or '.join(choices)}, or leave it out (docs/positions.md)",
            )
