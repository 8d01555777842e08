"""The files, with what only the whole tool can judge about them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconciler.checks import CATALOGUE, STRATEGY_CHECKS
from reconciler.desired import Loaded, load_sound
from reconciler.desired.files import Files
from reconciler.model.desired import Desired
from reconciler.model.errors import ConfigError, Problem


def read(files: Sequence[str]) -> Desired:
    """What the files want. Raise ``ConfigError`` with everything wrong with them."""
    loaded = read_sound(files)
    if loaded.problems:
        raise ConfigError(loaded.problems)
    return loaded.desired


def read_sound(files: Sequence[str], where: Files | None = None) -> Loaded:
    """What is sound in the files, and everything wrong with them. ``where`` is the disk unless told."""
    loaded = load_sound(files, files=where)
    # With other problems about, a waiver may seem to name nothing because something could not be read.
    return loaded if loaded.problems else replace(loaded, problems=tuple(_waivers(loaded.desired)))


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
