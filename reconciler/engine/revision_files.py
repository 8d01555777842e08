"""The configuration files of one revision, and where its secret files stand."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reconciler.desired.files import (
    MISSING,
    NOT_REGULAR,
    OUTSIDE,
    Found,
    Refusal,
    SecretPlace,
    Source,
    is_configuration,
)
from reconciler.model.errors import UsageError
from reconciler.review.git import Git
from reconciler.review.trees import MAX_BYTES, Kind, Tree

_UNREADABLE: Final = f"the file is larger than {MAX_BYTES // 1024**2} MiB, or not in this clone"

#: The whole of a repository, as a folder.
_TOP: Final = ""


def repository_paths(git: Git, given: Sequence[str]) -> tuple[str, ...]:
    """Paths that were named from here, as paths of the repository. Raise ``UsageError`` for one outside."""
    return tuple(_repository_path(git, path) for path in given)


def _repository_path(git: Git, path: str) -> str:
    inside = os.path.relpath(Path(git.top, git.prefix, path), git.top)
    if inside == os.pardir or inside.startswith(os.pardir + os.sep):
        raise UsageError(f"{path} lies outside this repository", hint="name files of the repository")
    return _TOP if inside == os.curdir else inside


class RevisionFiles:
    """The files of one side, as :class:`reconciler.desired.files.Files` asks for them.

    Links are not followed and submodules not entered: what they lead to is not part of the change.
    With ``absent`` a path that is not there holds nothing, as a base that has no configuration yet.
    """

    top = ""

    def __init__(self, tree: Tree, *, absent: bool) -> None:
        self._tree = tree
        self._absent = absent

    def find(self, paths: Sequence[str | Path]) -> Found:
        """Every configuration file that ``paths`` name."""
        found, seen = Found(), set[str]()
        for path in map(str, paths):
            kind = self._tree.entries.get(path)
            if kind is Kind.FILE:
                self._read(found, path, posixpath.dirname(path), seen, named=True)
            elif kind is not None:
                _refuse_kind(found, path)
            else:
                self._folder(found, path, seen)
        return found

    def secret(self, name: str, *, beside: str, root: str) -> SecretPlace:
        """Where a secret file stands; a link is none."""
        file = posixpath.normpath(posixpath.join(posixpath.dirname(beside), name))
        return SecretPlace(file=file, real=file, refusal=self._refusal(file, root))

    def _refusal(self, file: str, root: str) -> Refusal | None:
        if file.startswith("../") or (root != _TOP and not file.startswith(f"{root}/")):
            return OUTSIDE
        kind = self._tree.entries.get(file)
        if kind is None:
            return MISSING
        return None if kind is Kind.FILE else NOT_REGULAR

    def _folder(self, found: Found, folder: str, seen: set[str]) -> None:
        start = f"{folder}/" if folder != _TOP else ""
        below = [path for path in self._tree.entries if path.startswith(start)]
        seen_here = (path for path in sorted(below) if not _hidden(path.removeprefix(start)))
        wanted = [path for path in seen_here if is_configuration(path) or self._may_be_folder(path)]
        for path in wanted:
            if self._tree.entries[path] is not Kind.FILE:
                _refuse_kind(found, path)
            elif not path.isprintable():
                found.refuse_name(path)
            else:
                self._read(found, path, folder, seen, named=False)
        if not below and not self._absent:
            found.refuse_missing(folder)
        elif below and not wanted and not self._absent:
            found.refuse_empty(folder)

    def _may_be_folder(self, path: str) -> bool:
        """Whether a checkout may hold a folder here that this tree does not show: it would be read there."""
        target = self._tree.target(path)
        if target is None:
            return self._tree.entries[path] is not Kind.FILE
        led = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        return self._tree.entries.get(led) is not Kind.FILE

    def _read(self, found: Found, path: str, root: str, seen: set[str], *, named: bool) -> None:
        if path in seen:
            return
        seen.add(path)
        data = self._tree.read(path)
        if data is None:
            found.refuse(path, "unreadable", _UNREADABLE, "split it into several files, or fetch it")
        else:
            found.sources.append(Source(file=path, root=root, data=data, named=named))


def _hidden(path: str) -> bool:
    """Whether some part of a path in a folder is hidden, and so no configuration."""
    return any(part.startswith(".") for part in path.split("/"))


def _refuse_kind(found: Found, path: str) -> None:
    found.refuse(
        path,
        "special-file",
        "this is a link or a submodule, which is not followed",
        "put the file itself here",
    )
