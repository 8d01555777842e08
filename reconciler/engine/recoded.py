"""Ways in which a checkout holds other files than git does: what was reviewed is not what is read."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from reconciler.model import doubts
from reconciler.model.errors import Mark
from reconciler.model.report import Concern
from reconciler.review.trees import Tree, changed

_YAML: Final = (".yaml", ".yml")
_FILE_NAME: Final = ".gitattributes"
_RECODED: Final = re.compile(rb"working-tree-encoding=(?!(?i:utf-?8)(?:\s|\Z))")


def recoded(base: Tree, head: Tree) -> Iterator[Concern]:
    """One concern for each line that a change brings by which files are written in another encoding.

    git hands the name to iconv, whose ``ASCII//TRANSLIT`` makes a quote of a letter that only looks like
    one: a name in what is reviewed, a raised limit in what is checked out
    (https://git-scm.com/docs/gitattributes).
    """
    for path in changed(base, head):
        if posixpath.basename(path) == _FILE_NAME:
            before = frozenset((base.read(path) or b"").splitlines())
            for number, line in enumerate((head.read(path) or b"").splitlines(), start=1):
                if line not in before and _RECODED.search(line):
                    message = "a checkout holds these files in another encoding than git does"
                    yield doubts.RECODED.concern(message, _mark(path, number))


def colliding(base: Tree, head: Tree) -> Iterator[Concern]:
    """One concern for each new YAML file whose path some file systems take for that of another one."""
    known: dict[str, list[str]] = defaultdict(list)
    for path in head.entries:
        if path.lower().endswith(_YAML):
            known[unicodedata.normalize("NFC", path).casefold()].append(path)
    for twins in known.values():
        for path in twins if len(twins) > 1 else ():
            if path not in base.entries:
                yield doubts.COLLIDE.concern(
                    f"{len(twins)} paths are this one to macOS and Windows", _mark(path)
                )


def _mark(path: str, line: int = 1) -> Mark:
    return Mark(file=path.encode("utf-8", "replace").decode(), line=line)
