"""Which two revisions are compared: names to commits, the main branch, the merge base."""

from __future__ import annotations

from typing import Final

from reconciler.model.errors import UsageError
from reconciler.model.review import Revision
from reconciler.review.git import Git

WORKING_TREE: Final = Revision(name="the working tree", commit=None)

#: Where the main branch is looked for, after what the remote itself calls its HEAD.
_MAIN: Final = (
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
    "refs/heads/main",
    "refs/heads/master",
)
_RANGE: Final = "..."


def resolve(git: Git, base: str | None, head: str | None) -> tuple[Revision, Revision]:
    """Base and head of a review.

    ``A...B`` as base is the merge base of A and B against B, as git's own diff has it; ``A...`` the
    one of A and ``head``. Without a base it is the merge base with the main branch, without a head
    the working tree. Raise ``UsageError`` for a name that is no commit, and where no merge base is known.
    """
    if base and _RANGE in base:
        base, _, end = base.partition(_RANGE)
        if end and head:
            raise UsageError("A...B names both sides, so no HEAD goes with it")
        head = end or head
        return _forked(git, base or "HEAD", head)
    if base:
        return Revision(name=base, commit=commit(git, base)), _head(git, head)
    return _forked(git, main_branch(git), head)


def commit(git: Git, name: str) -> str:
    """The full id of the commit that ``name`` stands for. Raise ``UsageError`` for what is none."""
    found = git.try_line("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not found:
        hint = "name a branch, a tag or a commit that this clone has"
        if is_shallow(git):
            hint = "this clone is shallow: fetch it whole (git fetch --unshallow, or fetch-depth: 0)"
        raise UsageError(f"{name!r} is no commit of this repository", hint=hint)
    return found


def main_branch(git: Git) -> str:
    """The name of the main branch. Raise ``UsageError`` where none can be told."""
    remote = git.try_line("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
    for name in (remote, *_MAIN):
        if name and git.try_line(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        ):
            return name.removeprefix("refs/remotes/").removeprefix("refs/heads/")
    raise UsageError("no main branch was found", hint="name what to compare with: reconcile diff BASE")


def is_shallow(git: Git) -> bool:
    """Whether this clone ends before history does."""
    return git.try_line("rev-parse", "--is-shallow-repository") == "true"


def _head(git: Git, name: str | None) -> Revision:
    return Revision(name=name, commit=commit(git, name)) if name else WORKING_TREE


def _forked(git: Git, other: str, head: str | None) -> tuple[Revision, Revision]:
    """The merge base of ``other`` and the head, against the head."""
    here = _head(git, head)
    base = git.try_line(
        "merge-base", "--end-of-options", commit(git, other), here.commit or commit(git, "HEAD")
    )
    if not base:
        shallow = "fetch it whole (git fetch --unshallow, or fetch-depth: 0)" if is_shallow(git) else ""
        raise UsageError(
            f"{other!r} and {here.name!r} have no common commit here",
            hint=shallow or "name the base itself: reconcile diff BASE",
        )
    return Revision(name=f"merge base with {other}", commit=base), here
