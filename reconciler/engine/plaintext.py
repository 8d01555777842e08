"""Secrets in clear that a change brings, in any file of it, and those that it brought and took away again."""

from __future__ import annotations

import secrets as entropy
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from reconciler.model.errors import ExitCode, Mark
from reconciler.model.report import Concern, Weight
from reconciler.review.git import Git
from reconciler.review.history import History
from reconciler.review.trees import MAX_BYTES, Kind, Tree, changed
from reconciler.secrets.lookalike import Lookalike, lookalikes

_REPLACE = "delete the key at the exchange and create a new one: whoever can read the repository has it"


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
    told: set[bytes] = field(default_factory=set, repr=False)
    held: dict[str, frozenset[bytes]] = field(default_factory=dict, repr=False)

    def present(self) -> Iterator[Concern]:
        """What stands in the head."""
        for path in changed(self.base, self.head):
            blob = self.head.read(path)
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
            blob = self.git.blob(version.oid, limit=MAX_BYTES)
            if blob is None:
                yield _unread(version.path, commit=version.commit)
            for found in self._new(blob, version.path):
                if found.token not in self.told:
                    self.told.add(found.token)
                    yield _concern(version.path, found, commit=version.commit)

    def _new(self, blob: bytes | None, path: str) -> Iterator[Lookalike]:
        """What a version of ``path`` holds and the base does not, there or in a file that is gone since."""
        for found in lookalikes(blob or b"", key=self.key):
            if found.token not in self._in_base(path) and found.token not in self._gone:
                yield found

    @cached_property
    def _gone(self) -> frozenset[bytes]:
        lost = [path for path in self.base.entries if path not in self.head.entries]
        return frozenset(token for path in lost for token in self._in_base(path))

    def _in_base(self, path: str) -> frozenset[bytes]:
        if path not in self.held:
            found = lookalikes(self.base.read(path) or b"", key=self.key)
            self.held[path] = frozenset(one.token for one in found)
        return self.held[path]


def _unread(path: str, *, commit: str | None = None) -> Concern:
    return Concern(
        code="not-searched",
        message=f"this was not searched for secrets: it is larger than {MAX_BYTES // 1024**2} MiB, "
        "or not in this clone",
        fix="look at it yourself; fetch a partial clone whole (git fetch --refetch)",
        mark=_mark(path, 1, 1),
        weight=Weight.ADVICE,
        commit=commit,
    )


def _mark(path: str, line: int, column: int) -> Mark:
    return Mark(file=path.encode("utf-8", "replace").decode(), line=line, column=column)


def _concern(path: str, found: Lookalike, *, commit: str | None = None) -> Concern:
    mark = _mark(path, found.line, found.column)
    if commit is None:
        code, message = "plaintext-secret", f"{found.what} stands here in clear"
        fix = f"{_REPLACE}; if it is none, write `not-a-secret` in a comment on its line"
    else:
        code, message = "plaintext-in-history", f"{found.what} stood here in clear and was removed later"
        fix = f"{_REPLACE}, also if the branch is squashed or rewritten"
    return Concern(code=code, message=message, fix=fix, mark=mark, exit_code=ExitCode.SECRETS, commit=commit)
