"""The text of somebody else's file: never blocks, never grows, and never leaves a folder that was named."""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from pathlib import Path
from typing import Final

from reconciler.importing.node import unreadable
from reconciler.model.errors import Mark

LIMIT: Final = 4 << 20
"""Bytes that a file may have. A large configuration of a bot has 50 KiB."""


def read_text(path: Path, *, root: Path | None = None) -> str:
    """The text of a regular file in UTF-8, inside ``root`` where one is given.

    Raise :class:`Unreadable` for everything else: missing, a folder, a pipe, binary, too large, or a link
    that leads out of ``root``.
    """
    mark = Mark(file=str(path), line=1)
    try:
        data = _read(path, root, mark)
    except (OSError, ValueError) as error:
        cause = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "bad path"
        raise unreadable(
            mark, "unreadable", f"the file cannot be read: {cause}", "check the path and the file's mode"
        ) from None
    if len(data) > LIMIT:
        fix = "name the bot's configuration, not its data"
        raise unreadable(mark, "too-large", f"the file has more than {LIMIT:,} bytes", fix)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise unreadable(mark, "not-text", "the file is no text in UTF-8", "name a configuration file")
    return text


def _read(path: Path, root: Path | None, mark: Mark) -> bytes:
    real = os.path.realpath(path)
    if root is not None and not Path(real).is_relative_to(os.path.realpath(root)):
        fix = "put the file itself there"
        raise unreadable(mark, "outside-tree", "this link leaves the folder that was named", fix)
    # O_NONBLOCK: opening a pipe without a writer would wait for ever.
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise unreadable(mark, "special-file", "this is no regular file", "name a regular file")
        return file.read(LIMIT + 1)


class Lines:
    """Places in a text by their offset."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def mark(self, offset: int) -> Mark:
        """The line and column of ``offset``."""
        line = bisect_right(self._starts, offset)
        return Mark(file=self._file, line=line, column=offset - self._starts[line - 1] + 1)
