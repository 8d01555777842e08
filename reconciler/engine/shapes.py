"""The secret files that a configuration names, with the shape that the rules of sops must give each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from reconciler.engine.runtimes import runtime_owners
from reconciler.model.desired import Desired
from reconciler.model.errors import Problem
from reconciler.secrets.creation_rules import CONNECTION, Shape, lint_rules, runtime_shape

Shaped: TypeAlias = tuple[str, Shape]
"""A secret file, and what must be encrypted in it and what must not."""


def secret_shapes(desired: Desired) -> Iterator[Shaped]:
    """Every secret file of its own that connections and runtimes name."""
    for connection in desired.connections.values():
        if not connection.credentials.inline:
            yield connection.credentials.file, CONNECTION
    for owner in runtime_owners(desired):
        yield owner.ref.file, runtime_shape(owner.fields)


def lint_for(source: Path | str, files: Sequence[Shaped], *, file: str | None = None) -> tuple[Problem, ...]:
    """What :func:`lint_rules` finds of the rules that sops would take for ``files``; of all without any."""
    by_shape: dict[Shape, list[Path]] = defaultdict(list)
    for name, shape in files:
        by_shape[shape].append(Path(name))
    found = (
        problem
        for shape, paths in (by_shape or {CONNECTION: []}).items()
        for problem in lint_rules(source, file=file, secret_files=paths, shape=shape)
    )
    return tuple(dict.fromkeys(found))
