"""The secret files of two revisions, each with its counterpart, and what speaks against the newer ones."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress

from reconciler.engine.revision import Side, is_secret_path, open_sealed
from reconciler.engine.runtimes import runtime_owners
from reconciler.engine.shapes import lint_for, secret_shapes
from reconciler.engine.validate import needed_fields
from reconciler.model.desired import Connection, Desired
from reconciler.model.errors import ExitCode, Mark, SecretsError
from reconciler.model.report import Concern, Weight, concerns_of
from reconciler.model.review import SecretChange
from reconciler.model.sealed import Sealed
from reconciler.review.data_keys import DataKeys
from reconciler.review.history import History
from reconciler.review.secrets import Pair, moves
from reconciler.review.suspicions import copied, suspicions
from reconciler.review.trees import Kind
from reconciler.secrets.creation_rules import FILE_NAME, Shape
from reconciler.secrets.credentials import inspect_all
from reconciler.secrets.owned import inspect_owners
from reconciler.secrets.owner import Owner
from reconciler.secrets.recipients import GROUPS, spellings

Blob = Callable[[str], bytes | None]
"""Gives the bytes of an object by its id."""


def pairs(base: Side, head: Side, past: History, blob: Blob) -> tuple[Pair, ...]:
    """Every secret file that differs, with what it was.

    Of those with equal bytes in one place, only such as somebody can read on who came and went in between.
    """
    old, new = base.sealed, head.sealed
    between = tuple(_between(old, new, past, blob))
    keys = DataKeys((*old.values(), *new.values(), *between))
    moved = moves(old, new, keys)
    gone = old.keys() - new.keys() - head.broken.keys() - {*moved.values()}
    named: dict[str, list[Sealed]] = defaultdict(list)
    for one in between:
        named[one.file].append(one)
    passing = frozenset(named.keys() - old.keys() - new.keys())
    here = (
        Pair(
            file=path,
            was=moved.get(path),
            base=old.get(moved.get(path, path)),
            head=new.get(path),
            kin=keys.kin(new[path]) if path in new else (),
            under_mac=keys.under_mac(new[path]) if path in new else (),
            named=(*named.get(path, ()), *(named.get(moved[path], ()) if path in moved else ())),
            passing=passing,
            connections=head.users.get(path, ()),
            readers=_readers(base, head.users.get(path, ())),
            broken=path in head.broken,
        )
        for path in sorted({*new, *head.broken})
    )
    return (
        *(pair for pair in here if pair.still_reads or not same_bytes(base, head, pair.file)),
        *(Pair(file=path, base=old[path], connections=base.users.get(path, ())) for path in sorted(gone)),
    )


def _readers(base: Side, connections: Collection[str]) -> frozenset[str]:
    """Who can open the secrets of these connections in the base."""
    files = base.files_of(connections) & base.sealed.keys()
    return frozenset(one.identity for file in files for one in base.sealed[file].holders)


def same_bytes(base: Side, head: Side, path: str) -> bool:
    """Whether the same file stands there; a link whose target reads like the file is another thing."""
    same_kind = base.tree.entries.get(path) is head.tree.entries.get(path)
    return same_kind and base.tree.identity(path) == head.tree.identity(path)


def _between(old: Collection[str], new: Collection[str], past: History, blob: Blob) -> Iterator[Sealed]:
    """The versions of any secret file in between that can be read; the others tell nothing."""
    for version in past.versions:
        if is_secret_path(version.path) or version.path in old or version.path in new:
            with suppress(SecretsError):
                yield open_sealed(blob(version.oid), version.path)


def secret_concerns(base: Side, head: Side, found: Sequence[tuple[Pair, SecretChange]]) -> Iterator[Concern]:
    """Everything that speaks against the secrets of ``head``, of files that the change touches."""
    named = any(head.loaded.desired.policy.recipients.values())
    known = _vouched(base, head)
    for pair, change in found:
        yield from suspicions(
            pair,
            change,
            known=known | _ruled(head, pair.file),
            judged=named and pair.file in head.users,
        )
    yield from copied(base.sealed, head.sealed)
    yield from _judged(base, head, {pair.file for pair, _ in found})
    yield from _rules(base, head)
    yield from _linked_rules(base, head)


def _vouched(base: Side, head: Side) -> frozenset[str]:
    """Recipients whom the base names anywhere, or the policy of the head."""
    held = (holder.identity for sealed in base.sealed.values() for holder in sealed.holders)
    ruled = (holder for rules in base.rules.values() for rule in rules for holder in rule.holders)
    policy = (
        f"{group} {one.rstrip('/')}"
        for group, members in head.loaded.desired.policy.recipients.items()
        for name in members
        for one in spellings(group, dict.fromkeys(GROUPS.get(group, ())[:1], name))
    )
    return frozenset((*held, *ruled, *policy))


def _ruled(head: Side, file: str) -> frozenset[str]:
    """Recipients whom the rules above one file name in the head; those elsewhere vouch for nobody in it."""
    path = _nearest(file, head.rules)
    return frozenset(holder for rule in head.rules[path] for holder in rule.holders) if path else frozenset()


def _judged(base: Side, head: Side, files: set[str]) -> Iterator[Concern]:
    """What ``validate`` would say of the secrets that the change touches, and of files that nobody names."""
    before, after = base.loaded.desired, head.loaded.desired
    touched = [
        connection
        for connection in after.connections.values()
        if connection.credentials.file in files
        or before.policy != after.policy
        or not _same_binding(before.connections.get(connection.id), connection)
    ]
    owners = [one for one in runtime_owners(after) if one.ref.file in files or _moved(before, after, one)]
    errors = inspect_all(touched, fields_of=needed_fields, policy=after.policy, read=head.ciphertext)
    of_runtimes = inspect_owners(owners, policy=after.policy, read=head.ciphertext)
    for of_one in (*errors.values(), *of_runtimes.values()):
        for error in of_one:
            yield from concerns_of(error)
    named = {connection.credentials.file for connection in touched} | {owner.ref.file for owner in owners}
    for path, error in head.broken.items():
        if path in files and path not in named:
            yield from concerns_of(error)


def _same_binding(old: Connection | None, new: Connection) -> bool:
    """Whether nothing changed by which its secret is judged."""
    return old is not None and (old.credentials.file, old.exchange, old.account is None) == (
        new.credentials.file,
        new.exchange,
        new.account is None,
    )


def _moved(before: Desired, after: Desired, owner: Owner) -> bool:
    """Whether something changed by which the secret of a runtime is judged."""
    old = next((one for one in runtime_owners(before) if one.id == owner.id), None)
    same = old is not None and (old.ref.file, old.binding, old.fields) == (
        owner.ref.file,
        owner.binding,
        owner.fields,
    )
    return not same or before.policy != after.policy


def _rules(base: Side, head: Side) -> Iterator[Concern]:
    """Rules by which sops would leave a secret field in clear: they fail where the change touches them."""
    desired, rule_files = head.loaded.desired, tuple(head.rule_files())
    governed: dict[str, list[tuple[str, Shape]]] = {path: [] for path in rule_files}
    for file, shape in secret_shapes(desired):
        if rules := _nearest(file, rule_files):
            governed[rules].append((file, shape))
    for path, secret_files in governed.items():
        same = same_bytes(base, head, path)
        if same and not secret_files:
            continue
        for problem in lint_for(head.text(path), secret_files, file=path):
            yield Concern(
                code=problem.code,
                message=problem.message,
                fix=problem.fix,
                mark=problem.mark,
                weight=Weight.ADVICE if same else Weight.FAILS,
                exit_code=ExitCode.SECRETS,
            )


def _linked_rules(base: Side, head: Side) -> Iterator[Concern]:
    """A ``.sops.yaml`` that is no file: sops would follow the link to rules that nobody reviews as such."""
    for path, kind in head.tree.entries.items():
        if kind is not Kind.FILE and posixpath.basename(path) == FILE_NAME:
            yield Concern(
                code="rules-unreadable",
                message="this is no file but a link or a submodule; sops would go by what it leads to",
                fix="put the rules themselves here",
                mark=Mark(file=path, line=1),
                weight=Weight.ADVICE if same_bytes(base, head, path) else Weight.FAILS,
                exit_code=ExitCode.SECRETS,
            )


def _nearest(file: str, rules: Collection[str]) -> str | None:
    """The ``.sops.yaml`` in the file's folder, or the nearest above it."""
    folder = posixpath.dirname(file)
    while True:
        path = posixpath.join(folder, FILE_NAME)
        if path in rules:
            return path
        if not folder:
            return None
        folder = posixpath.dirname(folder)
