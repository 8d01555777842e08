"""Whose a bot is, in a runtime that knows its bots by names of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from reconciler.runtimes.interface import Opening

Place = TypeVar("Place")


def holders(opening: Opening, place_of: Callable[[Mapping[str, Any]], Place | None]) -> dict[Place, str]:
    """The strategy that each bot is told under: under which it was started, else that of git.

    ``place_of`` gives the bot that parameters name, if any. A strategy that git moved to another bot has
    both until the old one is off.
    """
    found: dict[Place, str] = {}
    started = {name: item.parameters for name, item in opening.enabled.items()}
    wanted = {name: one.parameters for name, one in opening.wanted.items()}
    both = {name: parameters for name, parameters in started.items() if name in wanted}
    for claims in (wanted, started, both):  # the later outranks
        for name, parameters in sorted(claims.items()):
            if (place := place_of(parameters)) is not None:
                found[place] = name
    return found
