"""The files, with what only the whole tool can judge about them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from reconciler.checks import CATALOGUE, STRATEGY_CHECKS
from reconciler.desired import load
from reconciler.model.desired import Desired
from reconciler.model.errors import ConfigError, Problem


def read(files: Sequence[str]) -> Desired:
    """What the files want. Raise ``ConfigError`` with everything wrong with them."""
    desired = load(files)
    problems = tuple(_waivers(desired))
    if problems:
        raise ConfigError(problems)
    return desired


def _waivers(desired: Desired) -> Iterator[Problem]:
    """Waivers of checks that no connection is asked: a misspelt one would silently excuse nothing."""
    for waiver in desired.waivers:
        if waiver.check in STRATEGY_CHECKS:
            yield Problem(
                mark=waiver.mark,
                code="not-waivable",
                message="the waiver names a rule of policy about strategies, and nothing waives those",
                fix="change the strategy, or the policy itself",
            )
        elif waiver.check not in CATALOGUE:
            near = difflib.get_close_matches(waiver.check, CATALOGUE, n=3, cutoff=0.5)
            yield Problem(
                mark=waiver.mark,
                code="unknown-check",
                message="the waiver names a check that does not exist",
                fix=f"write {' or '.join(near)}" if near else "reconcile explain lists every check",
            )
