"""Runtime types by the name that the files use. A new runtime is its module and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reconciler.model.errors import ConfigError, Problem
from reconciler.model.taking import EVERYTHING
from reconciler.runtimes import command, freqtrade, hummingbot, kubernetes, threecommas, webhook
from reconciler.runtimes.interface import Opening, Runtime, RuntimeType
from reconciler.runtimes.ledger import Ledger

TYPES: Final[Mapping[str, RuntimeType]] = MappingProxyType(
    {
        one.name: one
        for one in (
            command.TYPE,
            freqtrade.TYPE,
            hummingbot.TYPE,
            kubernetes.TYPE,
            RuntimeType(
                name="ledger",
                open=lambda opening: Ledger(opening.spec.id, opening.state),
                takes=EVERYTHING,
            ),
            threecommas.TYPE,
            webhook.TYPE,
        )
    }
)


def open_runtime(opening: Opening) -> Runtime:
    """The runtime that ``opening.spec`` describes; one that refuses to act where the state is only readable.

    Nothing is connected to yet. Raise :class:`ConfigError` for a type that this release does not know.
    """
    known = TYPES.get(opening.spec.type)
    if known is None:
        problem = Problem(
            mark=opening.spec.mark,
            code="unknown-runtime-type",
            message=f"the runtime {opening.spec.id} has a type that this release does not know",
            fix=f"use one of: {', '.join(sorted(TYPES))}",
        )
        raise ConfigError([problem])
    return known.open(opening)
