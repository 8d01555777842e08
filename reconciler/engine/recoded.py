"""Attributes by which a checkout holds other text than git does: what was reviewed is not what is read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from reconciler.model import doubts
from reconciler.model.errors import Mark
from reconciler.model.report import Concern
from reconciler.review.trees import Tree, changed

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
                    shown = path.encode("utf-8", "replace").decode()
                    yield doubts.RECODED.concern(message, Mark(file=shown, line=number))
