"""How notes name files to a forge: from the top of the repository, with forward slashes."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256

from reconciler.model.errors import Mark
from reconciler.model.result import Result
from reconciler.output.note import Note
from reconciler.output.options import Options

#: What a run reads when nobody names a file.
_DEFAULT = "connections.yaml"


def relative(file: str, options: Options) -> str:
    """``file`` from the root of the repository; as it is where no root is known or it lies elsewhere."""
    if not options.root:
        return posixpath.normpath(file)
    path = posixpath.normpath(posixpath.join(options.folder, file))
    root = options.root.rstrip("/") + "/"
    return path.removeprefix(root) if path.startswith(root) else posixpath.normpath(file)


def placed(note: Note, result: Result, options: Options) -> Mark:
    """Where a note goes in a format that wants a place: at need on line 1 of the first file."""
    mark = note.mark or Mark(file=next(filter(_is_file, result.files), _DEFAULT), line=1)
    return Mark(file=relative(mark.file, options), line=mark.line, column=mark.column)


def _is_file(name: str) -> bool:
    """Whether a name is that of a file. A run that failed early knows but the folder that it was given."""
    return bool(posixpath.splitext(name)[1])


def fingerprints(notes: Iterable[tuple[Note, Mark]]) -> Iterator[str]:
    """One unique hexadecimal name for each note, the same in every run and wherever its line went."""
    seen: Counter[tuple[str, ...]] = Counter()
    for note, mark in notes:
        identity = (*note.identity(), mark.file)
        seen[identity] += 1
        yield name_of(*identity, str(seen[identity]))


def name_of(*parts: str) -> str:
    """A name for ``parts`` of 32 hexadecimal digits."""
    return sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
