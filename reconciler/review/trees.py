"""The files of one revision, or of the working tree as a commit would take it: names, identities, bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final, Protocol

from reconciler.model.errors import UsageError
from reconciler.review.git import Git

#: Bytes of the largest file that is looked into; configuration has at most this.
MAX_BYTES: Final = 8 * 1024 * 1024

_MAX_TARGET: Final = 4096
_SKIPPED: Final = "S"
_SHA1_LENGTH: Final = 40


class Kind(StrEnum):
    """What an entry of a tree is. Only files are read: links are not followed, submodules not entered."""

    FILE = "file"
    LINK = "link"
    MODULE = "submodule"


_MODES: Final = {"100": Kind.FILE, "120": Kind.LINK, "160": Kind.MODULE}


class Tree(Protocol):
    """One side of a review. Paths are relative to the repository's root, with ``/`` between folders.

    A path that is no UTF-8 holds lone surrogates for its odd bytes.
    """

    @property
    def entries(self) -> Mapping[str, Kind]:
        """Every path with what it is, in git's order."""

    def identity(self, path: str) -> str:
        """The object id of a file's bytes or a link's target: equal for equal bytes alone.

        Raise ``KeyError`` where nothing stands.
        """

    def read(self, path: str) -> bytes | None:
        """A file's bytes; ``None`` for what is no file, too large (:data:`MAX_BYTES`) or not here."""

    def target(self, path: str) -> str | None:
        """What a link says, without following it; ``None`` for what is no link or not here."""


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: Kind
    oid: str


class Reader(Protocol):
    """Gives what git's plumbing prints, and blobs: :class:`Git`, or a repository that is followed."""

    def fields(self, *arguments: str) -> list[str]:
        """What a command prints, split at NUL."""

    def blob(self, oid: str, *, limit: int) -> bytes | None:
        """The bytes of a blob; ``None`` where it has more than ``limit`` of them or is not here."""


class CommitTree:
    """The tree of a commit, or what of it lies at or below the paths ``below``.

    Raise ``UsageError`` where it is not one that git itself would write.
    """

    def __init__(self, git: Reader, commit: str, *, below: Sequence[str] = ()) -> None:
        self._git = git
        listed = git.fields("ls-tree", "-r", "-z", "--full-tree", commit, "--", *below)
        self._found = dict(map(_parsed, listed))
        if len(self._found) != len(listed) or not self._found.keys().isdisjoint(_folders(self._found)):
            raise UsageError(
                "a tree of this repository holds one name twice, so nobody can say what a checkout gives",
                hint="look at it with `git fsck`, and do not merge it",
            )

    @cached_property
    def entries(self) -> Mapping[str, Kind]:
        """Every path with what it is."""
        return {path: entry.kind for path, entry in self._found.items()}

    def identity(self, path: str) -> str:
        """The blob's id."""
        return self._found[path].oid

    def read(self, path: str) -> bytes | None:
        """The blob's bytes."""
        entry = self._found.get(path)
        if entry is None or entry.kind is not Kind.FILE:
            return None
        return self._git.blob(entry.oid, limit=MAX_BYTES)

    def target(self, path: str) -> str | None:
        """The blob of a link."""
        entry = self._found.get(path)
        if entry is None or entry.kind is not Kind.LINK:
            return None
        said = self._git.blob(entry.oid, limit=_MAX_TARGET)
        return None if said is None else os.fsdecode(said)


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder that something lies in, also those above it."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _parsed(field: str) -> tuple[str, _Entry]:
    """An entry as git writes it: mode, type and id, then a tab and the path."""
    told, _, path = field.partition("\t")
    mode, _, oid = told.split(" ")
    return path, _Entry(_MODES.get(mode[:3], Kind.MODULE), oid)


def _left_out(listed: Iterable[str]) -> Iterator[tuple[str, _Entry]]:
    """The entries of the index that a sparse checkout does not write: a commit would keep them."""
    for field in listed:
        told, _, path = field.partition("\t")
        tag, mode, oid, _ = told.split(" ")
        if tag == _SKIPPED:
            yield path, _Entry(_MODES.get(mode[:3], Kind.MODULE), oid)


class WorkTree:
    """The files that lie in the working tree, tracked or not, without those that git ignores.

    Of a sparse checkout also those that it left out, as they stand in the index.

    Read without git's own comparison, which would run the filters that attributes name.
    """

    def __init__(self, git: Git, *, like: str) -> None:
        """The tree of ``git``. ``like`` is any object id, whose length tells how ids are made."""
        self._top = os.path.realpath(git.top)
        self._like = like
        self._git = git
        self._left_out = dict(_left_out(git.fields("ls-files", "-z", "-t", "--stage")))
        listed = git.fields("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        self._entries = {path: kind for path in sorted(set(listed)) if (kind := self._kind(path))}
        self._identities: dict[str, str] = {}

    @property
    def entries(self) -> Mapping[str, Kind]:
        """Every path with what it is."""
        return self._entries

    def identity(self, path: str) -> str:
        """The id that a commit would give the file or link; none of a submodule or of what cannot be read."""
        if path in self._left_out:
            return self._left_out[path].oid
        if path not in self._identities:
            kind = self._entries[path]
            self._note(path, self._said(path) if kind is Kind.LINK else self._bytes(path))
        return self._identities[path]

    def read(self, path: str) -> bytes | None:
        """The bytes as they lie there now."""
        if self._entries.get(path) is not Kind.FILE:
            return None
        if path in self._left_out:
            return self._git.blob(self._left_out[path].oid, limit=MAX_BYTES)
        data = self._bytes(path)
        self._note(path, data)
        return data

    def target(self, path: str) -> str | None:
        """What the link says now."""
        said = self._said(path) if self._entries.get(path) is Kind.LINK else None
        return None if said is None else os.fsdecode(said)

    def _note(self, path: str, data: bytes | None) -> None:
        if data is None:
            self._identities[path] = f"unread {path}"
        else:
            self._identities[path] = blob_id(data, like=self._like)

    def _kind(self, path: str) -> Kind | None:
        try:
            mode = os.lstat(self._real(path)).st_mode
        except (OSError, ValueError):
            return self._left_out[path].kind if path in self._left_out else None
        self._left_out.pop(path, None)
        if stat.S_ISLNK(mode):
            return Kind.LINK
        if stat.S_ISDIR(mode):
            return Kind.MODULE
        return Kind.FILE if stat.S_ISREG(mode) else None

    def _real(self, path: str) -> str:
        """Where the file lies, its folders without links: else it would be read from outside the tree."""
        real = f"{self._top}/{path}"
        folder = os.path.dirname(real)  # noqa: PTH120 - a Path would cost more than the look itself
        if os.path.realpath(folder) != folder:
            raise OSError(errno.ELOOP, "a folder of the path is a link")
        return real

    def _said(self, path: str) -> bytes | None:
        if path in self._left_out:
            return self._git.blob(self._left_out[path].oid, limit=_MAX_TARGET)
        try:
            return os.fsencode(os.readlink(self._real(path)))  # noqa: PTH115 - a Path would normalise it
        except (OSError, ValueError):
            return None

    def _bytes(self, path: str) -> bytes | None:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._real(path), flags)
            with os.fdopen(descriptor, "rb") as file:
                regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
                data = file.read(MAX_BYTES + 1) if regular else None
        except (OSError, ValueError):
            return None
        return data if data is None or len(data) <= MAX_BYTES else None


def blob_id(data: bytes, *, like: str) -> str:
    """The object id of a file of these bytes; ``like`` is any id, whose length tells how ids are made."""
    made = hashlib.sha1 if len(like) == _SHA1_LENGTH else hashlib.sha256
    return made(f"blob {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()


def changed(base: Tree, head: Tree) -> Iterable[str]:
    """The paths of files in ``head`` that ``base`` does not hold with the same bytes there."""
    for path, kind in head.entries.items():
        if kind is Kind.FILE and (
            base.entries.get(path) is not Kind.FILE or base.identity(path) != head.identity(path)
        ):
            yield path
