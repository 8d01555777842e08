"""Secrets in clear that a change brings, in any file of it, and those that it brought and took away again."""

from __future__ import annotations

import secrets as entropy
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from reconciler.model import doubts
from reconciler.model.errors import Mark
from reconciler.model.report import Concern
from reconciler.review.git import Git
from reconciler.review.history import History
from reconciler.review.trees import MAX_BYTES, Kind, Tree, changed
from reconciler.secrets.lookalike import Lookalike, lookalikes

#: Bytes that are searched for one review, some five million a second.
MAX_SEARCHED: Final = 512 << 20


def plaintext(git: Git, base: Tree, head: Tree, past: History) -> Iterator[Concern]:
    """One concern for each value that looks like a secret and that ``base`` does not hold.

    What a later commit of the range removed is still in the history, and named with its commit.
    """
    scan = _Scan(git=git, base=base, head=head)
    yield from scan.present()
    yield from scan.past(past)


@dataclass
class _Scan:
    """One search. Values are compared by a digest whose key lives for this search alone."""

    git: Git
    base: Tree
    head: Tree
    key: bytes = field(default_factory=lambda: entropy.token_bytes(32), repr=False)
    searched: int = 0
    told: set[bytes] = field(default_factory=set, repr=False)
    held: dict[str, frozenset[bytes]] = field(default_factory=dict, repr=False)

    def present(self) -> Iterator[Concern]:
        """What stands in the head."""
        for path in changed(self.base, self.head):
            blob = self.head.read(path) if self._left else None
            if blob is None:
                yield _unread(path)
            for found in self._new(blob, path):
                self.told.add(found.token)
                yield _concern(path, found)

    def past(self, past: History) -> Iterator[Concern]:
        """What a commit of the range brought and the head no longer holds."""
        tips = {self.head.identity(path) for path, kind in self.head.entries.items() if kind is Kind.FILE}
        for version in past.versions:
            if version.oid in tips:
                continue
            blob = self.git.blob(version.oid, limit=MAX_BYTES) if self._left else None
            if blob is None:
                yield _unread(version.path, commit=version.commit)
            for found in self._new(blob, version.path):
                if found.token not in self.told:
                    self.told.add(found.token)
                    yield _concern(version.path, found, commit=version.commit)

    def _new(self, blob: bytes | None, path: str) -> Iterator[Lookalike]:
        """What a version of ``path`` holds and the base does not, there or in a file that is gone since."""
        for found in self._lookalikes(blob):
            if found.token not in self._in_base(path) and found.token not in self._gone:
                yield found

    @cached_property
    def _gone(self) -> frozenset[bytes]:
        lost = [path for path in self.base.entries if path not in self.head.entries]
        return frozenset(token for path in lost for token in self._in_base(path))

    def _in_base(self, path: str) -> frozenset[bytes]:
        if path not in self.held:
            found = self._lookalikes(self.base.read(path))
            self.held[path] = frozenset(one.token for one in found)
        return self.held[path]

    def _lookalikes(self, blob: bytes | None) -> tuple[Lookalike, ...]:
        self.searched += len(blob or b"")
        return lookalikes(blob or b"", key=self.key)

    @property
    def _left(self) -> bool:
        """Whether there is time for another file: what a change holds may be repeated in it without end."""
        return self.searched < MAX_SEARCHED


def _unread(path: str, *, commit: str | None = None) -> Concern:
    limit = f"{MAX_BYTES // 1024**2} MiB"
    message = (
        f"this was not searched for secrets: it is larger than {limit}, not in this clone,"
        f" or behind {MAX_SEARCHED // 1024**2} MiB of others"
    )
    return doubts.NOT_SEARCHED.concern(message, _mark(path, 1, 1), commit=commit)


def _concern(path: str, found: Lookalike, *, commit: str | None = None) -> Concern:
    mark = _mark(path, found.line, found.column)
    if commit is None:
        return doubts.PLAINTEXT.concern(f"{found.what} stands here in clear", mark)
    message = f"{found.what} stood here in clear and was removed later"
    return doubts.IN_HISTORY.concern(message, mark, commit=commit)


def _mark(path: str, line: int, column: int) -> Mark:
    return Mark(file=path.encode("utf-8", "replace").decode(), line=line, column=column)
