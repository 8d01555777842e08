"""Waivers that waive nothing, and why: of a check that no connection is asked, or of none that there is."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import Final

from reconciler.checks import (
    BOT_CHECKS,
    CATALOGUE,
    GUARD_CHECKS,
    MARKET_CHECKS,
    RUNTIME_CHECKS,
    STRATEGY_CHECKS,
    TAKING_CHECKS,
)
from reconciler.model.desired import Desired, Waiver
from reconciler.model.errors import Problem

#: The checks that no waiver reaches: what each of them is, and what helps instead.
_OUT_OF_REACH: Final[tuple[tuple[Collection[str], str, str], ...]] = (
    (
        STRATEGY_CHECKS,
        "is a rule of policy about strategies, and nothing waives those",
        "change the strategy, or the policy itself",
    ),
    (
        BOT_CHECKS,
        "compares the bot itself with the files, and a waiver is about the key of a connection",
        "let the bot be what the files describe, or change what they say of its strategy",
    ),
    (
        (*TAKING_CHECKS, *MARKET_CHECKS),
        "is advice about a strategy: it keeps nothing from running, so there is nothing to waive",
        "remove the waiver",
    ),
    (
        RUNTIME_CHECKS,
        "tells whether a runtime answers, and nobody can act on one that does not",
        "start the runtime, or mend its url and its credentials",
    ),
    (
        GUARD_CHECKS,
        "is a guard of the whole run, and has its own way to let more happen",
        "docs/guards.md tells it: an approval for a threshold, another end for a suspension, other windows",
    ),
)


def void(desired: Desired) -> Iterator[Problem]:
    """A problem for each waiver of a check that no connection is asked: it would silently excuse nothing."""
    for waiver in desired.waivers:
        if waiver.check not in CATALOGUE:
            yield _out_of_reach(waiver) or _misspelt(waiver)


def _out_of_reach(waiver: Waiver) -> Problem | None:
    """Why the check, which there is, cannot be waived."""
    for checks, why, fix in _OUT_OF_REACH:
        if waiver.check in checks:
            message = f"{waiver.check} exists and cannot be waived: it {why}"
            return Problem(mark=waiver.mark, code="not-waivable", message=message, fix=fix)
    return None


def _misspelt(waiver: Waiver) -> Problem:
    near = difflib.get_close_matches(waiver.check, CATALOGUE, n=3, cutoff=0.5)
    return Problem(
        mark=waiver.mark,
        code="unknown-check",
        message="the waiver names a check that does not exist",
        fix=f"write {' or '.join(near)}" if near else "reconcile explain lists every check",
    )
