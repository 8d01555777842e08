"""What differs in meaning between two configurations: by id and leaf, never by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from reconciler.model.desired import Desired
from reconciler.model.errors import Mark
from reconciler.model.review import Change, ChangeKind, Leaf, Risk
from reconciler.review import risk
from reconciler.review.items import SECTIONS, Item, items
from reconciler.review.leaves import same
from reconciler.review.renames import Seals, renames

Unread = Mapping[tuple[str, str], Mark]
"""Entries that are written but wrong in themselves, by section and id, with their places."""

#: Where a value is the id of an item, and of which section.
_REFERENCES: Final = {
    ("strategies", "connection"): "connections",
    ("strategies", "runtime"): "runtimes",
    ("connections", "egress"): "egress",
}

_PLACE: Final = {section: place for place, section in enumerate(SECTIONS)}


def changes(
    base: Desired, head: Desired, *, unread: Unread | None = None, seals: tuple[Seals, Seals] = ({}, {})
) -> tuple[Change, ...]:
    """Every item that differs, in the order of sections and ids, each changed leaf in it exactly once.

    ``unread`` names what the head has but nobody can read: it is neither removed nor unchanged.
    ``seals`` give, for base and head, the ciphertexts of each connection's secret: a connection that
    keeps one was renamed, not replaced.
    """
    before, after, lost = items(base), items(head), unread or {}
    renamed = renames(before, after, unread=lost, seals=seals)
    found = [*_kept(before, after), *_gone(before, after, lost, renamed), *_new(before, after, renamed)]
    found += [_renamed(before[old], after[new]) for new, old in renamed.items()]
    found += [
        Change(section=section, id=key, kind=ChangeKind.UNREADABLE, mark=mark)
        for (section, key), mark in lost.items()
    ]
    return in_order(_with_its_name(_with_its_key(change, seals), renamed) for change in found)


def _with_its_name(change: Change, renamed: Mapping[tuple[str, str], tuple[str, str]]) -> Change:
    """A reference that only follows what it refers to under its new name leads nowhere else."""

    def follows(leaf: Leaf) -> bool:
        section = _REFERENCES.get((change.section, leaf.path))
        return section is not None and renamed.get((section, str(leaf.new))) == (section, str(leaf.old))

    leaves = (replace(leaf, risk=Risk.NONE, why="") if follows(leaf) else leaf for leaf in change.leaves)
    return replace(change, leaves=tuple(leaves))


def _with_its_key(change: Change, seals: tuple[Seals, Seals]) -> Change:
    """A secret that lies elsewhere with every ciphertext that it had holds no other key."""
    had, has = seals[0].get(change.was or change.id), seals[1].get(change.id)
    if change.section != "connections" or not has or had != has:
        return change
    leaves = (
        replace(leaf, risk=Risk.NONE, why="") if leaf.path == "credentials" else leaf
        for leaf in change.leaves
    )
    return replace(change, leaves=tuple(leaves))


def in_order(found: Iterable[Change]) -> tuple[Change, ...]:
    """Changes in the order of sections and ids."""
    return tuple(sorted(found, key=lambda change: (_PLACE[change.section], change.id, change.kind)))


def _kept(before: Mapping[tuple[str, str], Item], after: Mapping[tuple[str, str], Item]) -> Iterator[Change]:
    for key in before.keys() & after.keys():
        told = differing(after[key].section, before[key].leaves, after[key].leaves)
        if told:
            yield _change(after[key], ChangeKind.CHANGED, told)


def _renamed(old: Item, new: Item) -> Change:
    told = differing(new.section, old.leaves, new.leaves)
    return _change(new, ChangeKind.RENAMED, told, was=old.id)


def _gone(
    before: Mapping[tuple[str, str], Item],
    after: Mapping[tuple[str, str], Item],
    unread: Unread,
    renamed: Mapping[tuple[str, str], tuple[str, str]],
) -> Iterator[Change]:
    kept = {*after, *unread, *renamed.values()}
    for key, item in before.items():
        if key not in kept:
            told = (Leaf(path=path, old=value, new=None) for path, value in sorted(item.leaves.items()))
            yield _change(item, ChangeKind.REMOVED, told, judged=_removal(item))


def _new(
    before: Mapping[tuple[str, str], Item],
    after: Mapping[tuple[str, str], Item],
    renamed: Mapping[tuple[str, str], tuple[str, str]],
) -> Iterator[Change]:
    for key, item in after.items():
        if key not in before and key not in renamed:
            told = (_came(item.section, path, value) for path, value in sorted(item.leaves.items()))
            yield _change(item, ChangeKind.ADDED, told, judged=_addition(item))


def _change(
    item: Item,
    kind: ChangeKind,
    told: Iterable[Leaf],
    *,
    was: str | None = None,
    judged: risk.Judgement = risk.NEUTRAL,
) -> Change:
    which, why = judged
    return Change(
        section=item.section,
        id=item.id,
        kind=kind,
        name=item.name,
        was=was,
        risk=which,
        why=why,
        leaves=tuple(told),
        mark=item.mark,
    )


def differing(section: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Leaf, ...]:
    """The leaves whose value differs, by path, each with its risk."""
    told = (
        _leaf(section, path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if not same(old.get(path), new.get(path))
    )
    return _settled(tuple(told))


def _settled(told: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """Where policy begins or ceases to name recipients, the one leaf that says so gives the direction."""
    if all(leaf.path != "recipients" for leaf in told):
        return told
    return tuple(
        replace(leaf, risk=Risk.NONE, why="") if leaf.path.startswith("recipients.") else leaf
        for leaf in told
    )


def _leaf(section: str, path: str, old: object, new: object) -> Leaf:
    which, why = risk.judge(section, path, old, new)
    return Leaf(path=path, old=old, new=new, risk=which, why=why)


def _came(section: str, path: str, new: object) -> Leaf:
    which, why = risk.judge_new(section, path, new)
    return Leaf(path=path, old=None, new=new, risk=which, why=why)


def _addition(item: Item) -> risk.Judgement:
    """What a new item means as a whole; most of its leaves have nothing to be compared with."""
    if item.enabled:
        return risk.up("a new strategy that may start")
    if item.section == "waivers":
        return risk.up("a new exception: the check no longer blocks")
    if item.section == "approvals":
        return risk.up("a new exception: more may happen at once")
    if item.section == "suspend":
        return risk.down("nothing is started or changed")
    return risk.NEUTRAL


def _removal(item: Item) -> risk.Judgement:
    if item.enabled:
        return risk.down("the strategy stops")
    if item.section == "waivers":
        return risk.down("the exception is gone: the check blocks again")
    if item.section == "approvals":
        return risk.down("the exception is gone: less may happen at once")
    if item.section == "suspend":
        return risk.up("strategies may start and change again")
    return risk.NEUTRAL
