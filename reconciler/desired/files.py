"""Which files make up the configuration, and their bytes; never blocks, never leaves the tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.model.errors import Mark, Problem

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_ENTRIES: Final = 50_000

_SUFFIXES: Final = (".yaml", ".yml")
_SECRET_SUFFIXES: Final = (".sops.yaml", ".sops.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One configuration file.

    ``file`` is its path as the user gave it, joined for folders; ``root`` the folder that its
    secret files may not leave; ``named`` tells a file that the user named from one found in a folder.
    """

    file: str
    root: str
    data: bytes
    named: bool


@dataclass(slots=True)
class Found:
    """What the paths gave: the readable files, and a problem for each that is not.

    ``instead`` holds, by real path, what is taken in place of what lies on the disk.
    """

    sources: list[Source] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    instead: Mapping[str, bytes] = field(default_factory=dict)

    def refuse(self, file: str, code: str, message: str, fix: str) -> None:
        """Note a problem with a file or a folder as a whole."""
        shown = file.encode("utf-8", "replace").decode()
        self.problems.append(Problem(mark=Mark(file=shown, line=1), code=code, message=message, fix=fix))

    def refuse_empty(self, folder: str) -> None:
        """Note that a folder holds no configuration, which never means that nothing should exist."""
        self.refuse(
            folder,
            "no-files",
            "the folder holds no configuration",
            "put a *.yaml file into it, or name another",
        )


def find(paths: Sequence[str | Path], instead: Mapping[str, bytes]) -> Found:
    """Every configuration file that ``paths`` name, each once, in the given order, folders sorted.

    ``instead`` gives the bytes of a file by its real path, in place of those on the disk.

    In a folder, hidden files, ``*.sops.yaml`` and what is not ``*.yaml`` or ``*.yml`` are skipped.
    """
    found = Found(instead=instead)
    seen: set[str] = set()
    for path in (os.fspath(path) for path in paths):
        try:
            is_folder = os.path.realpath(path) not in instead and stat.S_ISDIR(Path(path).stat().st_mode)
        except (OSError, ValueError) as error:
            _unreadable(found, path, error)
            continue
        if is_folder:
            _read_folder(found, path, seen)
        else:
            _read_once(found, path, str(Path(path).parent), seen, named=True)
    return found


def _read_folder(found: Found, folder: str, seen: set[str]) -> None:
    files = list(_walk(found, folder))
    for file in files:
        _read_once(found, file, folder, seen, named=False)
    if not files and not found.problems:
        found.refuse_empty(folder)


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
    wanted = path.endswith(_SUFFIXES) and not path.endswith(_SECRET_SUFFIXES)
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
        found.refuse(path, "file-name", "the file's name holds characters that cannot be shown", "rename it")
        return "skip"
    return "file"


def _inside(real: str, tree: str) -> bool:
    return real == tree or real.startswith(tree.rstrip(os.sep) + os.sep)


def _read_once(found: Found, file: str, root: str, seen: set[str], *, named: bool) -> None:
    real = os.path.realpath(file)
    if real in seen:
        return
    seen.add(real)
    try:
        data = found.instead[real] if real in found.instead else _read(file)
    except (OSError, ValueError) as error:
        _unreadable(found, file, error)
        return
    if data is None:
        found.refuse(
            file, "special-file", "this is no regular file (a pipe, socket or device)", "name a regular file"
        )
    elif len(data) > MAX_BYTES:
        found.refuse(
            file,
            "too-large",
            f"the file is larger than {MAX_BYTES // 1024**2} MiB",
            "split it into several files",
        )
    else:
        found.sources.append(Source(file=file, root=root, data=data, named=named))


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
        found.refuse(path, "not-found", "there is no such file or folder", "name one that exists")
    elif isinstance(error, PermissionError):
        found.refuse(path, "unreadable", "the file may not be read by this user", "change its owner or mode")
    else:
        found.refuse(path, "unreadable", "the file cannot be read", "name a regular file or a folder")
