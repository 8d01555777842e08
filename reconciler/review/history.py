"""The commits between base and head, and every file version that they brought: also what is gone again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.review.git import Git
from reconciler.review.revisions import is_shallow

#: A pull request of more commits than this is looked at from its newest ones.
MAX_COMMITS: Final = 2_000

_FILE_MODE: Final = "100"

#: Submodules are told as what they are, so that ``.gitmodules`` is not asked which of them to leave out.
_DIFF: Final = (
    *("diff-tree", "--stdin", "-r", "-m", "-z", "--root", "--no-renames", "--no-ext-diff"),
    "--ignore-submodules=none",
)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a file that a commit brought: its blob, and the commit that first did."""

    commit: str
    path: str
    oid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the commits of a range brought, oldest first.

    ``whole`` is false where there are more than :data:`MAX_COMMITS` or the clone is shallow, so that
    older versions may be missing.
    """

    versions: tuple[Version, ...] = ()
    whole: bool = True


def history(git: Git, base: str, head: str) -> History:
    """Every version of every file that the commits after ``base`` up to ``head`` brought."""
    limit = f"--max-count={MAX_COMMITS + 1}"
    listed = git.lines("rev-list", "--topo-order", limit, "--end-of-options", head, f"^{base}")
    if not listed:
        return History()
    commits = listed[:MAX_COMMITS]
    stdin = "".join(f"{commit}\n" for commit in reversed(commits)).encode()
    fields = git.fields(*_DIFF, stdin=stdin)
    seen = {(version.path, version.oid): version for version in reversed(list(_versions(fields)))}
    whole = len(listed) <= MAX_COMMITS and not is_shallow(git)
    return History(versions=tuple(reversed(seen.values())), whole=whole)


def _versions(fields: list[str]) -> Iterator[Version]:
    """``<commit>``, then ``:<mode> <mode> <id> <id> <status>`` and a path for each file that it touched."""
    commit, parts = "", iter(fields)
    for field in parts:
        if not field.startswith(":"):
            commit = field
            continue
        _, mode, _, oid, _ = field.split(" ")
        path = next(parts)
        if mode.startswith(_FILE_MODE):
            yield Version(commit=commit, path=path, oid=oid)
