"""The folder of a followed repository: what was accepted last, and its files, each commit's in a folder.

::

    FOLDER/             0700, one for each URL and ref
      lock              held by whoever fetches; also by the git that it started, should it be killed
      accepted.json     the commit that was accepted last: what comes next has to grow from it
      good.json         the commit whose configuration was last found sound
      COMMIT-…/         its files, written whole before they get this name
      new-…/            what is at work, or was left behind by somebody who was killed

Followers that share it, on one machine, do not disturb each other: whoever writes holds the lock, and a
folder that some process still reads from is not removed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

from reconciler.git.plumbing import Cancelled
from reconciler.model.errors import LockHeld, SourceError, TreeRefused

_NEW: Final = "new-"
_POLL: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A commit that is remembered: with the folder of its files, and the digest of who could sign it."""

    commit: str
    tree: str
    signers: str | None
    at: datetime


class Cache:
    """One such folder. Raise ``SourceError`` where it is not ours alone, or cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, int] = {}

    def prepare(self) -> None:
        """Have the folder there, for this user alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.lstat()
        except OSError:
            raise self._unusable("it cannot be made or looked at") from None
        if not stat.S_ISDIR(found.st_mode):
            raise self._unusable("it is no folder")
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise self._unusable("others may write or read there")

    @contextmanager
    def locked(self, *, patience: float, cancel: Event | None = None) -> Iterator[int]:
        """Alone at work there, what others left behind removed; gives the lock's descriptor, to be inherited.

        Raise ``LockHeld`` where another one is at work for more than ``patience`` seconds.
        """
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock(descriptor, patience, cancel or Event())
            for left in self.folder.glob(f"{_NEW}*"):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)
            yield descriptor
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int, patience: float, cancel: Event) -> None:
        until = monotonic() + patience
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if monotonic() > until:
                raise LockHeld(
                    f"another process is fetching into {self.folder}",
                    hint="wait for it, or name another --git-cache",
                )
            if cancel.wait(_POLL):
                raise Cancelled

    @contextmanager
    def work(self) -> Iterator[Path]:
        """A new folder in it, gone afterwards."""
        folder = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def read(self, name: str) -> Kept | None:
        """What is remembered as ``accepted`` or ``good``. Raise ``SourceError`` where it cannot be read."""
        try:
            found = json.loads((self.folder / f"{name}.json").read_bytes())
            return Kept(**found | {"at": datetime.fromisoformat(found["at"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError):
            raise SourceError(
                f"{self.folder / name}.json cannot be read, so nobody knows what was {name} last",
                hint="restore it; or remove it, which takes whatever commit comes next",
            ) from None

    def remember(self, name: str, kept: Kept) -> None:
        """Remember it, wholly or not at all, also through a loss of power. The lock must be held."""
        text = json.dumps(asdict(kept) | {"at": kept.at.isoformat()}).encode()
        descriptor, path = tempfile.mkstemp(prefix=_NEW, dir=self.folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(path).replace(self.folder / f"{name}.json")
        _sync(self.folder)

    def write(self, name: str, files: Mapping[str, bytes]) -> None:
        """Have the files of a commit in the folder ``name``, whole. The lock must be held.

        Raise ``TreeRefused`` for names that clash, ``SourceError`` where they cannot be written.
        """
        target = self.folder / name
        if target.is_dir():
            return
        try:
            with self.work() as folder:
                _fill(folder / "tree", files)
                (folder / "tree").rename(target)
            _sync(self.folder)
        except OSError:
            raise SourceError(
                f"the files of the newest commit cannot be written below {self.folder}",
                hint="look at the room on that disk, and at the length of the files' names",
            ) from None

    def hold(self, name: str) -> Path | None:
        """The folder ``name``, which is not removed while this process lives; ``None`` where it is gone."""
        path = self.folder / name
        with suppress(OSError):
            if name in self._held and _same(self._held[name], path):
                return path
        if name in self._held:  # somebody removed it all the same
            os.close(self._held.pop(name))
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            # It may have been removed, and even written anew, between the opening and the lock.
            if _try_lock(descriptor, fcntl.LOCK_SH) and _same(descriptor, path):
                self._held[name] = descriptor
                return path
            os.close(descriptor)
        return None

    def tidy(self, keep: Collection[str]) -> None:
        """Remove the folders of commits, those of ``keep`` and those in use aside. The lock must be held."""
        for name in [name for name in self._held if name not in keep]:
            os.close(self._held.pop(name))
        for path in self.folder.iterdir():
            if path.name not in keep and path.is_dir() and not path.name.startswith(_NEW):
                self._remove(path)

    def _remove(self, path: Path) -> None:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if _try_lock(descriptor, fcntl.LOCK_EX):
                    gone = path.rename(path.with_name(f"{_NEW}gone-{path.name}"))
                    shutil.rmtree(gone, ignore_errors=True)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Let go of every folder."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def _unusable(self, why: str) -> SourceError:
        return SourceError(
            f"{self.folder} cannot keep what is fetched: {why}",
            hint="name a folder of this user's own by --git-cache (mode 0700)",
        )


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(mode=0o700)
    for path, data in files.items():
        _write(folder, path, data)
    for below, _, _ in os.walk(folder):
        _sync(Path(below))


def _write(folder: Path, path: str, data: bytes) -> None:
    target = folder / path
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(
            target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except (FileExistsError, NotADirectoryError):
        raise TreeRefused(
            f"two files of this commit have one name on this disk: {path}", hint="rename one of them"
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same(descriptor: int, path: Path) -> bool:
    opened, named = os.fstat(descriptor), path.stat()
    return (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hostile(paths: Iterable[str]) -> str | None:
    """The first path that no checkout may have: one that leads out, or into what git keeps for itself."""
    return next((path for path in paths if any(map(_is_hostile, path.split("/")))), None)


def _is_hostile(part: str) -> bool:
    return part in ("", ".", "..") or part.casefold() == ".git"
