"""Which files on the disk make up the configuration, and their bytes; never blocks, never leaves the tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.desired.files import (
    MAX_BYTES,
    MAX_ENTRIES,
    MISSING,
    NOT_REGULAR,
    OUTSIDE,
    Found,
    Refusal,
    SecretPlace,
    Source,
    is_configuration,
)


class Disk:
    """The files of this machine, as :class:`reconciler.desired.files.Files` asks for them.

    ``instead`` gives the bytes of a file by its real path, in place of those on the disk: a change is
    judged before it is written, also of a file that is not there yet. ``top`` is the folder that names are
    relative to, as people know them: that of a repository whose files were written to some place of ours.
    """

    def __init__(self, instead: Mapping[str, bytes] | None = None, *, top: str = "") -> None:
        self.top = top
        self._instead = instead or {}
        self._folders: dict[str, str] = {}

    def find(self, paths: Sequence[str | Path]) -> Found:
        """Every configuration file that ``paths`` name."""
        found = self._find([self._at(os.fspath(path)) for path in paths])
        if not self.top:
            return found
        return Found(
            sources=[
                replace(one, file=self._name(one.file), root=self._name(one.root)) for one in found.sources
            ],
            problems=[
                replace(one, mark=replace(one.mark, file=self._name(one.mark.file))) for one in found.problems
            ],
        )

    def _at(self, name: str) -> str:
        """Where the file of that name lies."""
        if not self.top or name == os.curdir:
            return self.top or name
        return os.path.join(self.top, name)  # noqa: PTH118 - a Path would normalise it

    def _name(self, path: str) -> str:
        """The name of what lies there."""
        return path.removeprefix(self.top).lstrip(os.sep) or os.curdir

    def _find(self, paths: Sequence[str]) -> Found:
        found, seen = Found(), set[str]()
        for path in paths:
            try:
                mode = 0 if os.path.realpath(path) in self._instead else Path(path).stat().st_mode
            except (OSError, ValueError) as error:
                _unreadable(found, path, error)
                continue
            if stat.S_ISDIR(mode):
                self._read_folder(found, path, seen)
            else:
                self._read_once(found, path, str(Path(path).parent), seen, named=True)
        return found

    def secret(self, name: str, *, beside: str, root: str) -> SecretPlace:
        """Where a secret file stands; links are followed as long as they stay below ``root``."""
        folder, slash, _ = beside.rpartition(os.sep)
        file = os.path.normpath(folder + slash + name)
        real = self._real(self._at(file))
        return SecretPlace(file=file, real=real, refusal=self._refusal(real, self._at(root)))

    def _refusal(self, real: str, root: str) -> Refusal | None:
        if not real.startswith(self._folder(root).rstrip(os.sep) + os.sep):
            return OUTSIDE
        if real in self._instead:
            return None
        mode = _mode(real)
        if not mode:
            return MISSING
        return None if stat.S_ISREG(mode) else NOT_REGULAR

    def _real(self, file: str) -> str:
        """``os.path.realpath``, at the cost of one look for each of many files in one folder."""
        folder, slash, name = file.rpartition(os.sep)
        real = self._folder(folder + slash or os.curdir).rstrip(os.sep) + os.sep + name
        return os.path.realpath(real) if stat.S_ISLNK(_mode(real)) else real

    def _folder(self, folder: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return self._folders[folder]

    def _read_folder(self, found: Found, folder: str, seen: set[str]) -> None:
        files = list(_walk(found, folder))
        for file in files:
            self._read_once(found, file, folder, seen, named=False)
        if not files and not found.problems:
            found.refuse_empty(folder)

    def _read_once(self, found: Found, file: str, root: str, seen: set[str], *, named: bool) -> None:
        real = os.path.realpath(file)
        if real in seen:
            return
        seen.add(real)
        try:
            data = self._instead[real] if real in self._instead else _read(file)
        except (OSError, ValueError) as error:
            _unreadable(found, file, error)
            return
        if data is None:
            found.refuse(
                file,
                "special-file",
                "this is no regular file (a pipe, socket or device)",
                "name a regular file",
            )
        elif len(data) > MAX_BYTES:
            found.refuse_large(file)
        else:
            found.sources.append(Source(file=file, root=root, data=data, named=named))


def _walk(found: Found, top: str) -> Iterator[str]:
    """The files below ``top`` that may hold configuration, in order, without recursion."""
    tree = os.path.realpath(top)
    waiting, visited, count = [top], {tree}, 0
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            _unreadable(found, folder, error)
            continue
        count += len(entries)
        if count > MAX_ENTRIES:
            found.refuse(top, "too-many-files", f"more than {MAX_ENTRIES} entries", "name a smaller folder")
            return
        below = []
        for entry in entries:
            path = entry.path
            kind = "skip" if entry.name.startswith(".") else _kind(found, entry, tree)
            if kind == "folder" and (real := os.path.realpath(path)) not in visited:
                visited.add(real)
                below.append(path)
            elif kind == "file":
                yield path
        waiting.extend(reversed(below))


def _kind(found: Found, entry: os.DirEntry[str], tree: str) -> str:
    """``folder``, ``file`` (to be read) or ``skip``. A link must stay inside the tree."""
    path = entry.path
    wanted = is_configuration(path)
    if entry.is_symlink() and not _inside(os.path.realpath(path), tree):
        if wanted or entry.is_dir():
            found.refuse(
                path, "outside-tree", "this link leaves the folder that was named", "put the file itself here"
            )
        return "skip"
    if entry.is_dir():
        return "folder"
    if not wanted:
        return "skip"
    if not entry.name.isprintable():
        found.refuse_name(path)
        return "skip"
    return "file"


def _inside(real: str, tree: str) -> bool:
    return real == tree or real.startswith(tree.rstrip(os.sep) + os.sep)


def _read(file: str) -> bytes | None:
    """At most one byte more than allowed; ``None`` for what is no regular file, without opening it."""
    if not stat.S_ISREG(Path(file).stat().st_mode):
        return None
    # Not blocking, and looked at again once open: what the name stands for can change in between.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as handle:
        return handle.read(MAX_BYTES + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def _unreadable(found: Found, path: str, error: OSError | ValueError) -> None:
    """Note why a path cannot be read, without the library's own text."""
    if isinstance(error, FileNotFoundError):
        found.refuse_missing(path)
    elif isinstance(error, PermissionError):
        found.refuse(path, "unreadable", "the file may not be read by this user", "change its owner or mode")
    else:
        found.refuse(path, "unreadable", "the file cannot be read", "name a regular file or a folder")


def _mode(file: str) -> int:
    """The mode of a file, of the link itself for a link; 0 for what cannot be looked at."""
    try:
        return os.lstat(file).st_mode
    except (OSError, ValueError):
        return 0
