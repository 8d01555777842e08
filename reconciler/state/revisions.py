"""Which schemas there are, and what is said of a database with another one. Needs no database library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reconciler.model.errors import StateError

#: Every revision of the schema, oldest first. A test holds it to the migrations that ship.
REVISIONS: Final = ("0001", "0002")
HEAD: Final = REVISIONS[-1]


def one_of(found: Sequence[object], known: Sequence[str] = REVISIONS) -> str:
    """The revision that a database has, always one of ``known``.

    ``found`` is what its table of versions holds. Raise :class:`StateError` for one that a newer
    release wrote.
    """
    if len(found) == 1 and found[0] in known:
        return str(found[0])
    raise StateError(
        f"the state has a schema that this release does not know (it knows up to {known[-1]})",
        hint="it was written by a newer release: upgrade reconciler here, or name another --state",
    )


def require(found: str, head: str = HEAD) -> None:
    """Raise :class:`StateError` unless the schema is exactly ours. For readers, who never migrate."""
    if found != head:
        raise StateError(
            f"the state has schema {found}, this release reads {head}",
            hint="run `reconcile` (an apply) once: it migrates the state, which a dry run never does",
        )


def not_ours() -> StateError:
    """What is raised for a database that holds tables of somebody else."""
    return StateError(
        "the state database holds tables, but not this tool's",
        hint="name another --state (a file, a database, or a schema by search_path); nothing was touched",
    )
