"""The commit of files that lie in a git checkout: of those that were read, and of no other.

Whoever pulls does so beside us. So the commit is asked for after the files were read, and it counts only
where they are still as they were read. git is started only where something moved; what tells that is looked
at on the disk, as gitrepository-layout(5) has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from reconciler.desired.files import is_configuration
from reconciler.engine.configuration import secret_files, stamp
from reconciler.engine.files import read
from reconciler.engine.revision_files import repository_paths
from reconciler.model.desired import Desired
from reconciler.model.errors import ReconcilerError
from reconciler.review.git import Git
from reconciler.review.revisions import commit
from reconciler.review.trees import CommitTree, Kind, blob_id

#: Stands behind a commit where what was read is not as it has it.
DIRTY: Final = "-dirty"

#: Seconds for one command of git: a pass waits for it, and stops for safety wait for the pass.
LIMIT: Final = 5.0

#: So many paths are asked for by name; of more, all that the commit holds is listed.
_NAMED: Final = 500
_MAX_POINTER: Final = 4096


def commit_once(named: Sequence[str], environ: Mapping[str, str], desired: Desired) -> str | None:
    """The commit that ``desired`` was just read of, for a run that asks once; as :meth:`Checkout.commit`."""

    def unchanged() -> bool:
        try:
            return read(named) == desired
        except ReconcilerError:
            return False

    files = frozenset((*desired.files, *secret_files(desired)))
    return Checkout(named, environ).commit(files, reading=None, unchanged=unchanged)


class Checkout:
    """Tells the commit around the paths that were ``named``, again and again."""

    def __init__(self, named: Sequence[str], environ: Mapping[str, str], *, limit: float = LIMIT) -> None:
        self._named = tuple(named)
        self._environ = environ
        self._limit = limit
        self._asked: tuple[Hashable, Hashable] | None = None
        self._told: str | None = None

    def forget(self) -> None:
        """Ask git the next time, whether anything moved or not."""
        self._asked = None

    def commit(
        self, files: Collection[str], *, reading: Hashable, unchanged: Callable[[], bool]
    ) -> str | None:
        """The commit that ``files`` are of, with ``-dirty`` where they differ from it.

        ``reading`` tells one reading of them from another, ``unchanged`` whether they lie there as they were
        read. ``None`` where no commit can be told; where they changed meanwhile it is that of this reading,
        if it was told before.
        """
        asked = (reading, head_marks(self._named))
        if asked == self._asked:
            return self._told
        told = self._ask(files) if asked[1] else None
        if head_marks(self._named) == asked[1] and unchanged():
            self._asked, self._told = asked, told
        elif self._asked is None or self._asked[0] != reading:
            self._asked = self._told = None
        return self._told

    def _ask(self, files: Collection[str]) -> str | None:
        folder = _folder(self._named[0])
        try:
            with Git(str(folder), self._environ, limit=self._limit) as git:
                head = commit(git, "HEAD")
                differs = _differs(git, head, self._named, files)
        except (ReconcilerError, OSError):
            return None  # no git, none that trusts this checkout, or no commit in it
        return head + DIRTY if differs else head


def _differs(git: Git, head: str, named: Sequence[str], files: Collection[str]) -> bool:
    """Whether what was read is not what ``head`` holds, or ``head`` holds more that would have been read."""
    roots = repository_paths(git, [os.path.realpath(path) for path in named])
    real = sorted({os.path.realpath(file) for file in files})
    here = dict(zip(repository_paths(git, real), real, strict=True))
    tree = CommitTree(git, head, below=_below((*roots, *here)))
    folders = tuple(path for path in roots if path not in here)
    wanted = {
        path: tree.identity(path)
        for path, kind in tree.entries.items()
        if path in here or (kind is Kind.FILE and _would_be_read(path, folders))
    }
    return wanted != {path: _identity(file, head) for path, file in here.items()}


def _below(paths: Collection[str]) -> tuple[str, ...]:
    """The paths to list; none for the whole tree."""
    return () if "" in paths or len(paths) > _NAMED else tuple(paths)


def _would_be_read(path: str, folders: Sequence[str]) -> bool:
    """Whether a file of the commit is configuration in one of the folders that were named."""
    for folder in folders:
        inside = path.removeprefix(f"{folder}/") if folder else path
        if (inside != path or not folder) and not any(part.startswith(".") for part in inside.split("/")):
            return is_configuration(path)
    return False


def _identity(file: str, like: str) -> str:
    """The id that a commit would give a file as it lies there; the empty text where it cannot be read."""
    try:
        return blob_id(Path(file).read_bytes(), like=like)
    except OSError:
        return ""


def head_marks(named: Sequence[str]) -> Hashable:
    """Changes whenever another commit is checked out around ``named``; ``None`` where no checkout is.

    A branch is a file of its own, a line of ``packed-refs``, or in the tables of a reftable; each is
    replaced as a whole when something in it moves.
    """
    folder = _folder(named[0]) if named else None
    found = next((above / ".git" for above in _up(folder) if os.path.lexists(above / ".git")), None)
    if found is None:
        return None
    own = _followed(found, found.parent, "gitdir: ") if found.is_file() else found
    shared = _followed(own / "commondir", own, "")
    head = _text(own / "HEAD")
    names = ["HEAD", "packed-refs", "reftable/tables.list"]
    if head.startswith("ref: "):
        names.append(head.removeprefix("ref: "))
    return (str(own), head, *(stamp(str(folder / name)) for name in names for folder in (own, shared)))


def _up(folder: Path | None) -> Iterator[Path]:
    if folder:
        yield folder
        yield from folder.parents


def _followed(file: Path, start: Path, prefix: str) -> Path:
    """The folder that a file points to from ``start``; ``start`` itself where there is no such file."""
    return start / _text(file).removeprefix(prefix)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return os.fsdecode(opened.read(_MAX_POINTER)).strip()
    except OSError:
        return ""


def _folder(file: str) -> Path | None:
    real = Path(os.path.realpath(file))
    if not real.exists():
        return None
    return real if real.is_dir() else real.parent
