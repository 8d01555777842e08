"""A value of somebody else's file, with its place. Never shows what it holds: it may be a secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from reconciler.model.errors import Mark, Problem

#: Deeper than any configuration is, and shallow enough to be walked by recursion.
DEPTH: Final = 32
#: More values than any configuration has. Each takes a hundred times what it takes in the file.
MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Node:
    """``value`` is a dict or a list of nodes, or text, a number (int or Decimal), a bool or ``None``."""

    value: Any = field(repr=False)
    mark: Mark

    def get(self, *path: str) -> Node | None:
        """What stands there; ``None`` where nothing does, or a null."""
        found: Node | None = self
        for name in path:
            found = found.value.get(name) if found and isinstance(found.value, dict) else None
        return found if found is not None and found.value is not None else None

    def text(self, *path: str) -> str:
        """The text there without spaces around it; empty where there is none."""
        found = self.get(*path)
        return found.value.strip() if found and isinstance(found.value, str) else ""

    def items(self, *path: str) -> tuple[Node, ...]:
        """The entries of a list; none where there is no list."""
        found = self.get(*path)
        return tuple(found.value) if found and isinstance(found.value, list) else ()

    def number(self, *path: str) -> Decimal | None:
        """The number there, ``None`` for everything else."""
        found = self.get(*path)
        value = found.value if found else None
        return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None

    def leaves(self, *path: str) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Every value that is neither a mapping nor a list, with its way there (lists add nothing to it)."""
        if isinstance(self.value, dict):
            for name, child in self.value.items():
                yield from child.leaves(*path, name)
        elif isinstance(self.value, list):
            for child in self.value:
                yield from child.leaves(*path)
        else:
            yield path, self


class Unreadable(Exception):
    """A file that cannot be read as what it is said to be; ``problem`` quotes nothing of it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def unreadable(mark: Mark, code: str, message: str, fix: str) -> Unreadable:
    """The exception for one such problem."""
    return Unreadable(Problem(mark=mark, code=code, message=message, fix=fix))
