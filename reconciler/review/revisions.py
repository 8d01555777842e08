"""Which two revisions are compared: names to commits, the main branch, the merge base."""

from __future__ import annotations

import re
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

#: Where git looks for a short name, and what may stand behind one.
_SPACES: Final = ("refs/tags/", "refs/heads/", "refs/remotes/")
_SUFFIX: Final = re.compile(r"[~^:]|@\{")


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
    main = main_branch(git)
    return _forked(git, main, head, shown=_short(main))


def commit(git: Git, name: str) -> str:
    """The full id of the commit that ``name`` stands for.

    Raise ``UsageError`` for what is none, and for the name of two different ones: a tag called like the
    main branch comes before it, and whoever may push tags would choose what a change is compared with.
    """
    found = _found(git, name)
    if not found:
        hint = "name a branch, a tag or a commit that this clone has"
        if is_shallow(git):
            hint = "this clone is shallow: fetch it whole (git fetch --unshallow, or fetch-depth: 0)"
        raise UsageError(f"{name!r} is no commit of this repository", hint=hint)
    if len(refs := _refs(git, _SUFFIX.split(name, maxsplit=1)[0])) > 1:
        raise UsageError(
            f"{name!r} is the name of more than one thing here, of different commits",
            hint=f"write which one: {' or '.join(refs)}",
        )
    return found


def main_branch(git: Git) -> str:
    """The main branch's ref in full. Raise ``UsageError`` where none can be told."""
    remote = git.try_line("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
    for name in (remote, *_MAIN):
        if name and _found(git, name):
            return name
    raise UsageError("no main branch was found", hint="name what to compare with: reconcile diff BASE")


def is_shallow(git: Git) -> bool:
    """Whether this clone ends before history does."""
    return git.try_line("rev-parse", "--is-shallow-repository") == "true"


def _head(git: Git, name: str | None) -> Revision:
    return Revision(name=name, commit=commit(git, name)) if name else WORKING_TREE


def _found(git: Git, name: str) -> str | None:
    return git.try_line("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def _refs(git: Git, name: str) -> tuple[str, ...]:
    """The refs that a short name may stand for, if they are of different commits.

    ``HEAD`` and full names come before all others (https://git-scm.com/docs/gitrevisions).
    """
    if name in {"", "HEAD"} or name.startswith("refs/"):
        return ()
    named = {f"{space}{name}": _found(git, f"{space}{name}") for space in _SPACES}
    held = {ref: commit_id for ref, commit_id in named.items() if commit_id}
    return tuple(held) if len({*held.values()}) > 1 else ()


def _short(ref: str) -> str:
    return ref.removeprefix("refs/remotes/").removeprefix("refs/heads/")


def _forked(git: Git, other: str, head: str | None, *, shown: str | None = None) -> tuple[Revision, Revision]:
    """The merge base of ``other``, which is ``shown`` as that, and the head, against the head."""
    here = _head(git, head)
    base = git.try_line(
        "merge-base", "--end-of-options", commit(git, other), here.commit or commit(git, "HEAD")
    )
    if not base:
        shallow = "fetch it whole (git fetch --unshallow, or fetch-depth: 0)" if is_shallow(git) else ""
        raise UsageError(
            f"{shown or other!r} and {here.name!r} have no common commit here",
            hint=shallow or "name the base itself: reconcile diff BASE",
        )
    return Revision(name=f"merge base with {shown or other}", commit=base), here
