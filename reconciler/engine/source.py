"""Where the files of a run come from when they do not lie here: a git repository that is followed.

Whoever uses a source calls :meth:`Source.refresh` before each pass. An error means that nothing new can be
told, never that nothing should exist: what was read before goes on. The same trouble is raised in the same
words each time, so that it can be told once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of the files: where they lie, of which commit they are, since when.

    ``files`` and ``top`` are those of ``Settings``; ``commit`` is a full id. Two revisions of the same files
    of the same commit are equal.
    """

    files: tuple[str, ...]
    top: str
    commit: str
    at: datetime = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A source that is followed, and the revision that it gave to begin with."""

    source: Source
    first: Revision


class Source(Protocol):
    """Gives the files of a run, again and again."""

    async def refresh(self) -> Revision:
        """The files as they are now; cheap where nothing changed.

        They stay where they are until the call after the next one, and longer where they are :meth:`good`.
        Raise a ``ReconcilerError`` where nothing new can be told or may be taken.
        """

    def good(self, revision: Revision) -> None:
        """Told that the configuration of ``revision`` is sound: it is what to fall back on from now on."""

    def last_good(self) -> Revision | None:
        """What to run with where the newest files are wrong or cannot be had; also after a restart.

        ``None`` where nothing better is kept than what lies here.
        """
