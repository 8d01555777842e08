"""What a write-ahead log says that its database does not, read without SQLite and without a trace.

https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Bytes of the journal's own header, and of that before each page.
HEADER: Final = 32
_FRAME: Final = 24
_SMALLEST: Final = 512


def journal_of(path: Path) -> Path:
    """Where the journal of the database at ``path`` lies."""
    return path.with_name(path.name + "-wal")


def adds_nothing(path: Path) -> bool:
    """Whether every page in the journal of ``path`` stands in the file as well.

    So it is where the last writer was killed while it left: it folds the journal into the file,
    removes the index, and then the journal. Raise ``OSError`` when one of both cannot be read.
    """
    journal = journal_of(path).read_bytes()
    size = int.from_bytes(journal[8:12], "big")
    return size >= _SMALLEST and all(
        _page(path, number, size) == page for number, page in _committed(journal, size).items()
    )


def _committed(journal: bytes, size: int) -> dict[int, bytes]:
    """The newest content of each page, by its number, up to the last commit of this journal."""
    salts, pages, open_ = journal[16:24], dict[int, bytes](), dict[int, bytes]()
    for start in range(HEADER, len(journal) - size - _FRAME + 1, size + _FRAME):
        frame, page = journal[start : start + _FRAME], journal[start + _FRAME : start + _FRAME + size]
        if frame[8:16] != salts:
            break  # what follows is left from before the journal began anew
        open_[int.from_bytes(frame[:4], "big")] = page
        if any(frame[4:8]):  # the size of the database after a commit, else 0
            pages, open_ = pages | open_, {}
    return pages


def _page(path: Path, number: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek((number - 1) * size)
        return file.read(size)
