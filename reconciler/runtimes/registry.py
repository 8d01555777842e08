"""Runtime types by the name that the files use. A new runtime is its module and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from reconciler.model.desired import RuntimeSpec
from reconciler.model.errors import ConfigError, Problem
from reconciler.runtimes.interface import Runtime
from reconciler.runtimes.ledger import Ledger, LedgerRows

Factory = Callable[[RuntimeSpec, LedgerRows], Runtime]


def _ledger(spec: RuntimeSpec, state: LedgerRows) -> Runtime:
    return Ledger(spec.id, state)


TYPES: Final[Mapping[str, Factory]] = MappingProxyType({"ledger": _ledger})


def open_runtime(spec: RuntimeSpec, *, state: LedgerRows) -> Runtime:
    """The runtime that ``spec`` describes; one that refuses to act where ``state`` is only readable.

    Raise :class:`ConfigError` for a type that this release does not know.
    """
    factory = TYPES.get(spec.type)
    if factory is None:
        problem = Problem(
            mark=spec.mark,
            code="unknown-runtime-type",
            message=f"the runtime {spec.id} has a type that this release does not know",
            fix=f"use one of: {', '.join(sorted(TYPES))}",
        )
        raise ConfigError([problem])
    return factory(spec, state)
