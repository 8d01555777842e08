"""What a range of revisions means: the changes, the secrets, and what speaks against merging it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.model.errors import ExitCode, Mark
from reconciler.model.plan import ActionKind
from reconciler.model.report import Concern


class Risk(StrEnum):
    """Which way a change moves what can be lost: a raised limit is up, a lowered one down."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


class ChangeKind(StrEnum):
    """What became of one item. ``UNREADABLE`` ones are written in the head but wrong in themselves."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One value that differs, by its dotted ``path`` within its item (``margin_limit.amount``).

    ``old`` and ``new`` are JSON-like and ``None`` where nothing stood; a set (pairs, addresses,
    recipients) is a sorted tuple. ``why`` says in words what makes it a risk, empty without one.
    """

    path: str
    old: Any
    new: Any
    risk: Risk = Risk.NONE
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One item of one section that differs.

    ``section`` is the section's name in the files (``connections``, ``strategies``, ``runtimes``,
    ``egress``, ``policy``, ``waivers``, ``approvals``, ``suspend``), or ``rules`` for a ``.sops.yaml``.
    ``id`` is the item's key (``ip-whitelist-extra on mexc-spot-main`` for a waiver, ``enable at once`` for
    an approval, ``everything`` for the suspension of all, ``policy`` for the policy, the path for rules);
    ``was`` its former key where it was renamed. ``risk`` and ``why`` are those of the item as a whole (an
    enabled strategy that is new); each leaf has its own. ``mark`` is its place in the head, in the base
    where it was removed.
    """

    section: str
    id: str
    kind: ChangeKind
    name: str = ""
    was: str | None = None
    risk: Risk = Risk.NONE
    why: str = ""
    leaves: tuple[Leaf, ...] = ()
    mark: Mark | None = None

    def risks(self) -> Iterator[tuple[Risk, str]]:
        """The risk of the item, then of each leaf, with its reason; those without are left out."""
        return _risks(self.risk, self.why, self.leaves)


def _risks(risk: Risk, why: str, leaves: Iterable[Leaf]) -> Iterator[tuple[Risk, str]]:
    every = ((risk, why), *((leaf.risk, leaf.why) for leaf in leaves))
    return ((which, reason) for which, reason in every if which is not Risk.NONE)


class SecretState(StrEnum):
    """What became of a secret file or of one of its fields, as far as ciphertext tells.

    ``REENCRYPTED`` is of files alone: every ciphertext differs, so nothing can be said of any value.
    """

    NEW = "new"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    REENCRYPTED = "re-encrypted"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One encrypted value by its dotted path, ``secret`` or ``connections.x.credentials.secret``."""

    path: str
    state: SecretState


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretChange:
    """One SOPS file that differs between base and head, or that somebody removed in between can still open.

    ``was`` is its former path where it moved; ``connections`` are the ids that refer to it in the
    head (in the base where it was removed). Recipients are ``age age1…``: a group and a name, as the
    file claims. ``added`` could not open it before, or of a new file the one that its connections named.
    ``removed`` are also those who came and went within the range; ``still_reads`` the ones
    of them who can open the new ciphertext, because the data key was not rotated. ``leaves`` are what
    stands in clear: the binding fields and the encryption settings, with their risk.
    """

    file: str
    state: SecretState
    was: str | None = None
    connections: tuple[str, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    recipients: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    still_reads: tuple[str, ...] = ()
    leaves: tuple[Leaf, ...] = ()
    risk: Risk = Risk.NONE
    why: str = ""
    mark: Mark | None = None

    def risks(self) -> Iterator[tuple[Risk, str]]:
        """The risk of the file, then of each leaf, with its reason; those without are left out."""
        return _risks(self.risk, self.why, self.leaves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What the first apply after the merge would do with one strategy, as far as files tell.

    ``kind`` is ``ENABLE``, ``CHANGE`` or ``DISABLE``; enabling waits for every check of ``connection``.
    With ``NONE`` the strategy stays as it is: its connection is judged anew, or a suspension holds it.
    """

    kind: ActionKind
    strategy: str
    name: str
    connection: str
    runtime: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One side of a review: how it was asked for, and its commit; ``None`` for the working tree."""

    name: str
    commit: str | None

    def __str__(self) -> str:
        return f"{self.name} ({self.commit[:12]})" if self.commit else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What lies between ``base`` and ``head``, read from git and ciphertext alone.

    Files and marks are relative to ``top``, the absolute path of the repository's root on this machine.
    ``changes`` are sorted by section and id, ``secrets`` by file; ``concerns`` hold everything that
    fails or is advised, the failing ones first. ``digest`` is a SHA-256 in hex over all that a
    reviewer agrees to: re-encryption and the order of items do not change it.
    """

    version: str
    started_at: datetime
    base: Revision
    head: Revision
    files: tuple[str, ...]
    top: str = ""
    changes: tuple[Change, ...] = ()
    secrets: tuple[SecretChange, ...] = ()
    on_merge: tuple[Consequence, ...] = ()
    concerns: tuple[Concern, ...] = ()
    digest: str = ""
    exit_code: ExitCode = ExitCode.DONE

    @property
    def differs(self) -> bool:
        """Whether anything changed that a reviewer should look at."""
        return bool(self.changes or any(s.state is not SecretState.UNCHANGED for s in self.secrets))

    def risk_count(self, risk: Risk) -> int:
        """How many single changes move risk this way."""
        changes = (found for change in self.changes for found, _ in change.risks())
        secrets = (found for secret in self.secrets for found, _ in secret.risks())
        return sum(found is risk for found in (*changes, *secrets))
