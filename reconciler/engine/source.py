"""Where the files of a run come from: they lie here, or a git repository is followed.

Whoever uses a source calls :meth:`Source.refresh` before each pass. An error means that nothing new can be
told, never that nothing should exist: what was read before goes on. The same trouble is raised in the same
words each time, so that it can be told once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from reconciler.engine.revision_files import repository_paths
from reconciler.engine.settings import utc_now
from reconciler.model.errors import ReconcilerError
from reconciler.review.git import Git
from reconciler.review.revisions import commit
from reconciler.review.trees import CommitTree, Kind, Tree, WorkTree

#: Stands behind a commit where the files are not as it has them.
DIRTY: Final = "-dirty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of the files: where they lie, of which commit they are (if that is known), since when.

    ``files`` are paths for ``Settings.files``; ``commit`` is a full id, with ``-dirty`` behind it where the
    files differ from it. Two revisions of the same files of the same commit are equal.
    """

    files: tuple[str, ...]
    commit: str | None
    at: datetime = field(compare=False)


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


class Here:
    """Files that lie on this machine, as they were named."""

    def __init__(
        self, files: Sequence[str], environ: Mapping[str, str], *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._files = tuple(files)
        self._environ = environ
        self._now = now

    async def refresh(self) -> Revision:
        """The files; with the commit of the repository that they lie in, where it can be told."""
        found = await asyncio.to_thread(checked_out, self._files, self._environ)
        return Revision(files=self._files, commit=found, at=self._now())

    def good(self, revision: Revision) -> None:
        """Nothing is kept: the files are overwritten by whoever writes them."""

    def last_good(self) -> Revision | None:
        """Nothing was kept."""
        return None


def checked_out(files: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The commit that is checked out around ``files``, with ``-dirty`` where something there differs from it.

    ``None`` where they do not lie in one repository, or git is not there or does not trust it. Runs nothing
    that the repository names (see :mod:`reconciler.review.git`).
    """
    folder = _folder(files[0]) if files else None
    if folder is None or not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return None
    try:
        with Git(str(folder), environ) as git:
            head = commit(git, "HEAD")
            paths = repository_paths(git, [os.path.realpath(file) for file in files])
            differs = _differs(CommitTree(git, head), WorkTree(git, like=head), paths)
    except (ReconcilerError, OSError):
        return None
    return head + DIRTY if differs else head


def _folder(file: str) -> Path | None:
    real = Path(os.path.realpath(file))
    if not real.exists():
        return None
    return real if real.is_dir() else real.parent


def _differs(head: Tree, here: Tree, paths: Sequence[str]) -> bool:
    """Whether a file that could be read from here is not as in ``head``."""
    below = tuple(_beside(here, path) for path in paths)

    def wanted(tree: Tree) -> dict[str, str]:
        kinds = ((path, kind) for path, kind in tree.entries.items() if path.startswith(below))
        return {path: kind if kind is Kind.MODULE else tree.identity(path) for path, kind in kinds}

    return wanted(head) != wanted(here)


def _beside(tree: Tree, path: str) -> str:
    """The folder that secrets may lie in, with a slash at its end; empty for the whole repository."""
    folder = path.rpartition("/")[0] if path in tree.entries else path
    return f"{folder}/" if folder else ""
