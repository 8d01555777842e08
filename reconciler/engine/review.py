"""``diff``: what lies between two revisions, from git and ciphertext. It needs no key and runs nothing."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import partial

from reconciler import __version__
from reconciler.engine.guards import guard_concerns
from reconciler.engine.plaintext import plaintext
from reconciler.engine.policy import policy_concerns
from reconciler.engine.recoded import colliding, recoded
from reconciler.engine.revision import Side, side
from reconciler.engine.revision_files import repository_paths
from reconciler.engine.secret_review import pairs, same_bytes, secret_concerns
from reconciler.engine.settings import Settings
from reconciler.exchanges import registry
from reconciler.model import doubts
from reconciler.model.errors import ExitCode, most_urgent
from reconciler.model.report import Concern, Weight, concern_of, in_file_order
from reconciler.model.review import Change, Consequence, Review, Revision, SecretChange, SecretState
from reconciler.review.digest import digest
from reconciler.review.git import Git
from reconciler.review.history import MAX_COMMITS, History, history
from reconciler.review.meaning import changes, in_order
from reconciler.review.on_merge import consequences, touched
from reconciler.review.revisions import commit, resolve
from reconciler.review.rules import rule_changes
from reconciler.review.secrets import secret_change
from reconciler.review.trees import MAX_BYTES, CommitTree, Tree, WorkTree


def review(settings: Settings, base: str | None, head: str | None, *, detailed: bool = False) -> Review:
    """What changes from ``base`` to ``head`` in the files of ``settings``.

    See :func:`reconciler.review.revisions.resolve` for how the two are named. With ``detailed`` the exit
    code tells that something changed. Raise ``UsageError`` for a revision that is not there.
    """
    started = settings.now()
    with Git(os.curdir, settings.environ) as git:
        files = repository_paths(git, settings.files)
        old, new = resolve(git, base, head)
        past = history(git, _commit(git, old), _commit(git, new))
        before, after = side(_tree(git, old), files, absent=True), side(_tree(git, new), files)
        meant = in_order((*_changes(before, after), *_rule_changes(before, after)))
        blob = partial(git.blob, limit=MAX_BYTES)
        named = partial(_named, {*before.names, *after.names})
        found = [(pair, secret_change(pair, named=named)) for pair in pairs(before, after, past, blob)]
        concerns = _ordered(
            (
                *_of_files(before, after),
                *guard_concerns(after.loaded.desired, started),
                *secret_concerns(before, after, found),
                *recoded(before.tree, after.tree),
                *colliding(before.tree, after.tree),
                *plaintext(git, before.tree, after.tree, past),
                *_of_history(past, (change for _, change in found)),
            )
        )
    secrets = tuple(change for _, change in found)
    result = Review(
        version=__version__,
        started_at=started,
        base=old,
        head=new,
        files=tuple(file or os.curdir for file in files),
        top=git.top,
        changes=meant,
        secrets=secrets,
        on_merge=_on_merge(before, after, meant, secrets),
        concerns=concerns,
        digest=digest(meant, secrets),
    )
    return replace(result, exit_code=_exit_code(result, detailed=detailed))


def _named(ids: Collection[str], text: str) -> bool:
    """Whether a text names a connection, a runtime, its url or an exchange."""
    return text in ids or registry.known(text)


def _commit(git: Git, revision: Revision) -> str:
    """The commit of a revision; of the working tree the one that it grew from."""
    return revision.commit or commit(git, "HEAD")


def _tree(git: Git, revision: Revision) -> Tree:
    if revision.commit:
        return CommitTree(git, revision.commit)
    return WorkTree(git, like=commit(git, "HEAD"))


def _changes(before: Side, after: Side) -> tuple[Change, ...]:
    return changes(
        before.loaded.desired,
        after.loaded.desired,
        unread=after.loaded.unread,
        seals=(before.seals(), after.seals()),
    )


def _rule_changes(before: Side, after: Side) -> Iterator[Change]:
    """Rules that nobody could read before or after are told where the change touches them."""
    sent = (before.destinations, after.destinations)
    unread = [path for path in after.unread_rules if not same_bytes(before, after, path)]
    kept = {path: rules for path, rules in after.rules.items() if path not in after.unread_rules}
    old = {path: rules for path, rules in before.rules.items() if path in kept or path not in after.rules}
    return rule_changes(old, kept, sent=sent, unread=unread)


def _on_merge(
    before: Side, after: Side, meant: Iterable[Change], secrets: Iterable[SecretChange]
) -> tuple[Consequence, ...]:
    """Nothing is applied from files that are wrong, so of those nothing is foretold."""
    if after.loaded.problems:
        return ()
    held = tuple(meant)
    rekeyed = {id_ for secret in secrets if _rekeyed(secret) for id_ in secret.connections}
    old, new = before.loaded.desired, after.loaded.desired
    return consequences(old, new, held, touched(held, rekeyed, new))


def _rekeyed(secret: SecretChange) -> bool:
    """Whether the file may hold another key; other recipients or another place alone give it none."""
    return secret.state is not SecretState.REMOVED and any(
        field.state is not SecretState.UNCHANGED for field in secret.fields
    )


def _of_files(before: Side, after: Side) -> Iterator[Concern]:
    """What is wrong with the head's configuration or breaks its policy; of the base only that it is."""
    yield from map(concern_of, after.loaded.problems)
    yield from policy_concerns(after.loaded.desired)
    if before.loaded.problems:
        first = min(problem.mark for problem in before.loaded.problems)
        yield doubts.BASE_UNSOUND.concern(f"the base has errors of its own, the first in {first}", None)


def _of_history(past: History, secrets: Iterable[SecretChange]) -> Iterator[Concern]:
    """That commits are missing; a failure where they could prove that a removed recipient still reads."""
    if not past.whole:
        unproven = any(set(secret.removed) - set(secret.still_reads) for secret in secrets)
        message = f"not all commits were looked at: the clone is shallow, or they are over {MAX_COMMITS:,}"
        if unproven:
            message += "; so nobody can say whether a removed recipient can still read"
        yield doubts.HISTORY_CUT.concern(message, None, weight=Weight.FAILS if unproven else None)


def _ordered(concerns: Iterable[Concern]) -> tuple[Concern, ...]:
    """Each once, what fails first, each kind in file order."""
    held = in_file_order(dict.fromkeys(concerns))
    return tuple(sorted(held, key=lambda one: one.weight is not Weight.FAILS))


def _exit_code(result: Review, *, detailed: bool) -> ExitCode:
    failing = (one.exit_code for one in result.concerns if one.weight is Weight.FAILS)
    return most_urgent((*failing, *((ExitCode.CHANGES,) if detailed and result.differs else ())))
