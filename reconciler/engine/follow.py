"""A git repository as the source of the files: one ref, only forwards, only what is signed if that is asked.

Each time something new is there, it is fetched into a repository of its own, as shallow as the decision
allows, judged, written to a folder named by its commit, and the repository is thrown away: nothing grows
over the months, and nothing half-done is ever built upon.
"""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from types import TracebackType
from typing import Final, Self

from reconciler.engine.kept import Cache, Kept, hostile
from reconciler.engine.revision_files import RevisionFiles
from reconciler.engine.settings import utc_now
from reconciler.engine.source import Revision
from reconciler.git.plumbing import TIME_LIMIT, Cancelled, Plumbing
from reconciler.git.remote import Remote
from reconciler.git.repository import Repository
from reconciler.git.signatures import Signers, signers
from reconciler.model.errors import (
    ConfigError,
    LockHeld,
    NotFastForward,
    NotSigned,
    ReconcilerError,
    RemoteRefused,
    TreeRefused,
    UsageError,
)
from reconciler.model.secret import Secret
from reconciler.review.trees import MAX_BYTES, CommitTree, Kind, Tree

#: How many commits are judged one by one, and how many files a commit may have below what is read.
MAX_COMMITS: Final = 1_000
MAX_FILES: Final = 50_000

_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NO_REF: Final = re.compile(r"^[-/.]|[\s~^:?*\[\\]|\.\.|//|/\.|@\{|^@$")
_MAX_TOKEN: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What an operator says of a repository to follow.

    ``ref`` is a branch, a tag or a full ref; ``files`` are relative to the root of the repository;
    ``signed_by`` and ``token_file`` are paths. ``reset_to`` is the full id of a commit that is taken though
    it does not grow from the one before. ``cache`` is where all is kept; with ``keep`` unset nothing there is
    written, and what was accepted is only read.
    """

    remote: Remote
    ref: str = "main"
    files: tuple[str, ...]
    cache: Path
    signed_by: str | None = None
    token_file: str | None = None
    reset_to: str | None = None
    keep: bool = True
    time_limit: float = TIME_LIMIT


@dataclass(frozen=True, slots=True)
class _Refused:
    """What was refused, so that it need not be fetched again to be refused again."""

    what: tuple[str, str | None]
    error: ReconcilerError


class Followed:
    """Gives the files of the newest commit that may be taken. Use it as a context, or close it."""

    def __init__(
        self, following: Following, environ: Mapping[str, str], *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._following = following
        self._environ = environ
        self._now = now
        self._paths = tuple(map(_inside, following.files))
        _require_ref(following.ref)
        if following.reset_to and not _ID.fullmatch(following.reset_to):
            raise UsageError(
                "--git-reset-to takes the full id of a commit", hint="git rev-parse BRANCH tells it"
            )
        name = _name(following.remote, following.ref)
        self._memory = self._cache = Cache(following.cache / name)
        self._temporary = None if following.keep else TemporaryDirectory(prefix="reconcile-git-")
        if self._temporary:
            self._cache = Cache(Path(self._temporary.name) / name)
        self._given: Kept | None = None
        self._in_use: Kept | None = None
        self._refused: _Refused | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files; without ``keep`` they are gone."""
        self._cache.close()
        if self._temporary:
            self._temporary.cleanup()

    async def refresh(self) -> Revision:
        """The newest commit's files, once they are here, whole and judged.

        Where nothing is new, the remote is asked for the ref alone. Raise ``RemoteUnreachable`` or
        ``RemoteRefused`` where it gives nothing, ``NotFastForward``, ``NotSigned``, ``TreeRefused`` or
        ``ConfigError`` for a commit that is not taken.
        """
        cancel = Event()
        try:
            self._given = await asyncio.to_thread(self._refresh, cancel)
            return self._revision(self._given)
        except Cancelled:
            raise asyncio.CancelledError from None
        finally:
            cancel.set()  # where this was cancelled, the thread ends what it started

    def good(self, revision: Revision) -> None:
        """Remember this revision as the one to fall back on, unless another process is at work just now.

        Its files stay here in any case, until another one is good.
        """
        given = self._given
        if given is None or revision != self._revision(given):
            return
        self._in_use = given
        if self._cache.read("good") == given:
            return
        with suppress(LockHeld), self._cache.locked(patience=0):
            self._cache.remember("good", given)

    def last_good(self) -> Revision | None:
        """The files of the commit whose configuration was last found sound, as they were written then.

        ``None`` also where other keys may sign now than when it was accepted.
        """
        kept = self._cache.read("good")
        if kept is None or kept.signers != _digest(self._signers()) or not self._cache.hold(kept.tree):
            return None
        return self._revision(kept)

    def _refresh(self, cancel: Event) -> Kept:
        plumbing = Plumbing(self._environ, cancel=cancel, limit=self._following.time_limit)
        keys, remote = self._signers(), self._remote()
        ref, newest = _newest(plumbing, remote, self._following.ref)
        accepted = self._accepted()
        if accepted and self._is_here(accepted, newest, keys):
            return accepted
        if self._refused and self._refused.what == (newest, _digest(keys)):
            raise self._refused.error
        try:
            return self._take(_Fetch(plumbing, remote, ref, newest), keys, cancel)
        except (NotFastForward, NotSigned, TreeRefused, ConfigError) as error:
            self._refused = _Refused((newest, _digest(keys)), error)
            raise

    def _is_here(self, accepted: Kept, newest: str, keys: Signers | None) -> bool:
        """Whether the newest commit was accepted already, by these keys, and its files are still there."""
        same = accepted.signers == _digest(keys) and accepted.tree == self._named(newest)
        return same and self._cache.hold(accepted.tree) is not None

    def _take(self, fetch: _Fetch, keys: Signers | None, cancel: Event) -> Kept:
        """Fetch, judge, write and remember; alone, so that nobody else accepts something in between."""
        self._cache.prepare()
        with self._cache.locked(patience=self._following.time_limit, cancel=cancel) as lock:
            fetch.plumbing.fds.append(lock)
            before = self._accepted()
            with self._cache.work() as folder:
                repository = Repository(fetch.plumbing, fetch.remote, folder / "fetched.git")
                repository.begin(fetch.newest)
                commit = self._judged(repository, fetch, before, keys)
                files = _files(repository, commit, self._paths)
            tree = self._named(commit)
            self._cache.write(tree, files)
            since = before.at if before and before.commit == commit else self._now()
            kept = Kept(commit=commit, tree=tree, signers=_digest(keys), at=since)
            self._cache.hold(tree)
            self._cache.remember("accepted", kept)
            used = (kept, self._given, self._in_use, self._cache.read("good"))
            self._cache.tidy({one.tree for one in used if one})
        return kept

    def _judged(
        self, repository: Repository, fetch: _Fetch, before: Kept | None, keys: Signers | None
    ) -> str:
        """The newest commit, if it grows from the one before (or was named), and is signed where asked."""
        tip, line = "", list[str]()
        alone = (before.commit, self._following.reset_to) if before else (fetch.newest,)
        if fetch.newest in alone:
            tip = repository.fetch(fetch.ref, depth=1)
        if before and tip not in alone:  # another one may have come in between
            tip, line = repository.line(fetch.ref, before.commit)
        if keys:
            _require_signed(repository, (tip, *line), keys)
        return tip

    def _accepted(self) -> Kept | None:
        """What was accepted last: by this run, where it keeps nothing, else by any.

        A cache that vanished under this run is no first start: it knows what it took.
        """
        return self._cache.read("accepted") or self._memory.read("accepted") or self._given

    def _signers(self) -> Signers | None:
        return signers(self._following.signed_by) if self._following.signed_by else None

    def _remote(self) -> Remote:
        """The remote, with the token as its file has it now."""
        remote, path = self._following.remote, self._following.token_file
        return remote.with_token(_token(path)) if path else remote

    def _named(self, commit: str) -> str:
        """The name of the folder for a commit's files: of those that are read from here."""
        below = hashlib.sha256("\0".join(self._paths).encode()).hexdigest()[:8]
        return f"{commit}-{below}"

    def _revision(self, kept: Kept) -> Revision:
        files = tuple(path or posixpath.curdir for path in self._paths)
        top = str((self._cache.folder / kept.tree).absolute())
        return Revision(files=files, top=top, commit=kept.commit, at=kept.at)


@dataclass(frozen=True, slots=True)
class _Fetch:
    """What is to be fetched, with what, from where; ``newest`` is what the remote told."""

    plumbing: Plumbing
    remote: Remote
    ref: str
    newest: str


def _require_ref(name: str) -> None:
    """Raise ``UsageError`` for what git takes as no name of a ref (``git check-ref-format``)."""
    if _NO_REF.search(name) or not name or not name.isprintable() or name.endswith((".", "/", ".lock")):
        raise UsageError(
            f"{name!r} is no name of a branch or tag", hint="--ref main, or --ref refs/tags/live"
        )


def _newest(plumbing: Plumbing, remote: Remote, name: str) -> tuple[str, str]:
    """The full ref that ``name`` means there, and its commit.

    Raise ``RemoteRefused`` where it is not there, or a branch and a tag of that name differ: whoever may push
    tags would choose what is run.
    """
    refs = (name,) if name.startswith("refs/") else (f"refs/heads/{name}", f"refs/tags/{name}")
    told = remote.ls_remote(plumbing, [wanted for ref in refs for wanted in (ref, f"{ref}^{{}}")])
    found = {ref: told.get(f"{ref}^{{}}", told[ref]) for ref in refs if ref in told}
    if not found:
        raise RemoteRefused(f"{remote.url}: there is no branch and no tag {name}", hint="look at --ref")
    if len(set(found.values())) > 1:
        raise RemoteRefused(
            f"{remote.url}: {name} is a branch and a tag, of different commits",
            hint=f"write which one: --ref {' or --ref '.join(refs)}",
        )
    return next(iter(found.items()))


def _require_signed(repository: Repository, commits: Sequence[str], keys: Signers) -> None:
    """Raise ``NotSigned`` unless each of them is signed, the newest first."""
    wanted = dict.fromkeys(commits)
    if len(wanted) > MAX_COMMITS:
        raise NotSigned(
            f"{len(wanted):,} commits came at once, which are too many to judge the signature of each",
            hint=f"look at them, and take the newest by naming it: --git-reset-to {commits[0]}",
        )
    for commit in wanted:
        keys.require(repository, commit)


def _files(repository: Repository, commit: str, paths: Sequence[str]) -> Mapping[str, bytes]:
    """The files of a commit that could be read with these paths.

    Raise ``TreeRefused`` for a commit that no checkout should be made of, and ``ConfigError`` where a path
    gives no configuration, or gives a link or submodule: what they lead to is not part of the commit.
    """
    tree = _tree(repository, commit)
    below = tuple(_beside(tree, path) for path in paths)
    wanted = [path for path, kind in tree.entries.items() if kind is Kind.FILE and path.startswith(below)]
    if len(wanted) > MAX_FILES:
        raise TreeRefused(
            f"commit {commit} has more than {MAX_FILES:,} files beside the configuration",
            hint="keep the configuration in a folder of its own, and name that with -f",
        )
    repository.load(map(tree.identity, wanted), limit=MAX_BYTES)
    if problems := RevisionFiles(tree, absent=False).find(paths).problems:
        raise ConfigError(problems)
    read = ((path, tree.read(path)) for path in wanted if path.isprintable())
    return {path: data for path, data in read if data is not None}


def _tree(repository: Repository, commit: str) -> Tree:
    try:
        tree = CommitTree(repository, commit)
    except UsageError as error:
        raise TreeRefused(f"commit {commit}: {error.message}", hint=error.hint) from None
    if (path := hostile(tree.entries)) is not None:
        raise TreeRefused(
            f"commit {commit} holds a path that no checkout may have: {path!r}",
            hint="find out who pushed it; what was taken before goes on",
        )
    return tree


def _beside(tree: Tree, path: str) -> str:
    """The folder that secrets may lie in, with a slash at its end; empty for the whole repository."""
    folder = posixpath.dirname(path) if path in tree.entries else path
    return f"{folder}/" if folder else ""


def _inside(path: str) -> str:
    """A path of the repository, empty for its root. Raise ``UsageError`` for one that leads out."""
    inside = posixpath.normpath(path)
    if inside.startswith(("/", "..")) or not path.isprintable():
        raise UsageError(
            f"{path} is no path of the repository", hint="with --git, -f is relative to its root"
        )
    return "" if inside == "." else inside


def _token(path: str) -> Secret:
    try:
        with Path(path).open("rb") as file:
            return Secret(file.read(_MAX_TOKEN).decode("utf-8").strip())
    except (OSError, ValueError):
        raise UsageError(
            f"the token in {path} cannot be read", hint="--git-token-file names a text file"
        ) from None


def _digest(keys: Signers | None) -> str | None:
    return keys.digest if keys else None


def _name(remote: Remote, ref: str) -> str:
    """The name of the folder of this URL and ref: something to recognise, and a digest."""
    digest = hashlib.sha256(f"{remote.url} {ref}".encode()).hexdigest()
    return f"{remote.name}-{digest[:16]}"
