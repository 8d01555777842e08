"""A bare, shallow repository of our own: one ref of a remote is fetched into it, and it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from reconciler.git.plumbing import Plumbing
from reconciler.git.remote import Remote
from reconciler.model.errors import NotFastForward, RemoteUnreachable, SourceError, TreeRefused

_FOLLOWED: Final = "refs/followed"
_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256_LENGTH: Final = 64

#: How many commits are fetched until it is decided whether one grows from another.
DEPTHS: Final = (16, 128, 1024, 8192)

#: Bytes of all files that are read of one commit.
MAX_TOTAL: Final = 128 << 20
_MAX_LISTED: Final = 64 << 20
_MAX_COMMIT: Final = 1 << 20


class Repository:
    """One ref of a remote, fetched as far as it was asked for. It gives objects as a review's reader does."""

    def __init__(self, plumbing: Plumbing, remote: Remote, folder: Path) -> None:
        self.plumbing = plumbing
        self.folder = folder
        self._remote = remote
        self._blobs: dict[str, bytes] = {}

    def begin(self, like: str) -> None:
        """Make it, empty. ``like`` is any object id, whose length tells how ids are made."""
        kind = "sha256" if len(like) == _SHA256_LENGTH else "sha1"
        self._done(
            "init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(self.folder.absolute())
        )

    def fetch(self, ref: str, *, depth: int) -> str:
        """The newest commit of ``ref``, which is here from now on with ``depth`` commits of its history."""
        self._remote.fetch(self.plumbing, self.folder, ref, _FOLLOWED, depth=depth)
        done = self.plumbing.git(
            "rev-parse", "--verify", "--quiet", f"{_FOLLOWED}^{{commit}}", folder=self.folder
        )
        found = done.stdout.decode().strip()
        if done.code or not _ID.fullmatch(found):
            raise SourceError(f"{ref} names no commit there", hint="name a branch, or a tag of a commit")
        return found

    def line(self, ref: str, base: str) -> tuple[str, list[str]]:
        """The newest commit, and it with those before it on the first-parent line, ``base`` and older aside.

        The history is fetched deeper until that is decided. Raise ``NotFastForward`` where the newest commit
        does not grow from ``base``, or where it cannot be decided within the last of :data:`DEPTHS`.
        """
        for depth in DEPTHS:
            tip = self.fetch(ref, depth=depth)
            ends = self._ends()
            if self._grows(base, tip):
                found = self._lines("rev-list", "--first-parent", tip, f"^{base}")
                if ends.isdisjoint(found):
                    return tip, found
            elif not ends:
                raise _rewound(f"commit {tip} does not grow from {base}, which was taken last", tip)
        raise _rewound(f"{base}, which was taken last, is not near enough to {tip} to be found", tip)

    def commit(self, oid: str) -> bytes:
        """The commit as it was written, with its signature."""
        return self._done("cat-file", "commit", oid, output=_MAX_COMMIT)

    def fields(self, *arguments: str) -> list[str]:
        """What a command prints, split at NUL."""
        done = self._done(*arguments, output=_MAX_LISTED)
        return done.decode("utf-8", "surrogateescape").split("\0")[:-1]

    def blob(self, oid: str, *, limit: int) -> bytes | None:
        """The bytes of a blob that was loaded; ``None`` for one that was too large, or has over ``limit``."""
        data = self._blobs.get(oid)
        return None if data is None or len(data) > limit else data

    def load(self, oids: Iterable[str], *, limit: int) -> None:
        """Have these blobs at hand, those of more than ``limit`` bytes aside.

        Raise ``TreeRefused`` where they are more than :data:`MAX_TOTAL` together.
        """
        wanted = dict.fromkeys(oids)
        sizes = self._sizes(wanted)
        small = [oid for oid in wanted if sizes.get(oid, limit + 1) <= limit]
        if sum(sizes[oid] for oid in small) > MAX_TOTAL:
            raise TreeRefused(
                f"the files of this commit have more than {MAX_TOTAL >> 20} MiB",
                hint="keep the configuration in a folder of its own, and name that with -f",
            )
        self._blobs = dict(zip(small, self._bodies(small), strict=True))

    def _sizes(self, oids: Iterable[str]) -> Mapping[str, int]:
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        said = self._done("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked).decode()
        found = (line.partition(" ") for line in said.splitlines())
        return {oid: int(size) for oid, _, size in found if size.isdigit()}

    def _bodies(self, oids: Sequence[str]) -> Iterable[bytes]:
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        given = self._done("cat-file", "--batch=%(objectsize)", stdin=asked, output=MAX_TOTAL + _MAX_LISTED)
        start = 0
        for _ in oids:
            end = given.index(b"\n", start)
            size = int(given[start:end])
            yield given[end + 1 : end + 1 + size]
            start = end + size + 2

    def _grows(self, base: str, tip: str) -> bool:
        here = self.plumbing.git("cat-file", "-e", f"{base}^{{commit}}", folder=self.folder)
        if here.code:
            return False
        return not self.plumbing.git("merge-base", "--is-ancestor", base, tip, folder=self.folder).code

    def _ends(self) -> frozenset[str]:
        """The commits at which what was fetched ends before history does."""
        try:
            return frozenset((self.folder / "shallow").read_text("ascii").split())
        except FileNotFoundError:
            return frozenset()

    def _lines(self, *arguments: str) -> list[str]:
        return self._done(*arguments).decode().splitlines()

    def _done(self, *arguments: str, stdin: bytes = b"", output: int = 16 << 20) -> bytes:
        folder = None if arguments[0] == "init" else self.folder
        done = self.plumbing.git(*arguments, folder=folder, stdin=stdin, output=output)
        if done.code:
            raise RemoteUnreachable(
                "what was fetched cannot be read", hint="it is fetched anew the next time; look at the disk"
            )
        return done.stdout


def _rewound(message: str, tip: str) -> NotFastForward:
    return NotFastForward(
        f"history was rewritten: {message}",
        hint=f"find out who did; to take it all the same, name it: --git-reset-to {tip}",
    )
