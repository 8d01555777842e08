"""What differs between two versions of a ``.sops.yaml``: whom new secrets are for, which values they hide."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from reconciler.model.errors import Mark
from reconciler.model.review import Change, ChangeKind
from reconciler.model.sealed import CreationRule
from reconciler.review.leaves import join
from reconciler.review.meaning import differing

Rules: TypeAlias = Mapping[str, Sequence[CreationRule]]
"""The rules of each ``.sops.yaml`` by its path, in their order."""

Destinations: TypeAlias = Mapping[str, Sequence[str]]
"""Where ``sops publish`` may send secrets, by the path of the file that says so."""

SECTION = "rules"

_TOLD: Final = (
    "holders",
    "key_groups",
    "selection",
    "left_in_clear",
    "mac_only_encrypted",
    "shamir_threshold",
)


def rule_changes(
    base: Rules,
    head: Rules,
    *,
    sent: tuple[Destinations, Destinations] = ({}, {}),
    unread: Collection[str] = (),
) -> Iterator[Change]:
    """One change for each file of rules that differs in meaning, by path.

    ``sent`` gives, for base and head, where secrets may be published to by each file; ``unread`` names
    those of the head that hold no list of rules: nobody is shut out by them, nor let in.
    """
    for path in unread:
        mark = Mark(file=path, line=1)
        yield Change(section=SECTION, id=path, kind=ChangeKind.UNREADABLE, mark=mark)
    for path in sorted((base.keys() | head.keys()) - {*unread}):
        old = _leaves(base.get(path, ()), sent[0].get(path, ()))
        new = _leaves(head.get(path, ()), sent[1].get(path, ()))
        told = differing(SECTION, old, new)
        if told:
            kind = ChangeKind.CHANGED if path in base and path in head else _kind(path, head)
            mark = Mark(file=path, line=1)
            yield Change(section=SECTION, id=path, kind=kind, leaves=told, mark=mark)


def _kind(path: str, head: Rules) -> ChangeKind:
    return ChangeKind.ADDED if path in head else ChangeKind.REMOVED


def _leaves(rules: Sequence[CreationRule], destinations: Sequence[str]) -> dict[str, Any]:
    """Each rule by the files that it is for. Which one is asked first matters only among several."""
    told: dict[str, Any] = {}
    titles: list[str] = []
    for rule in rules:
        title = rule.path or "all files"
        if title in titles:
            title = f"{title} (again, rule {len(titles) + 1})"
        titles.append(title)
        for name in _TOLD:
            value = getattr(rule, name)
            if value not in ("", (), False):
                told[join(join("", title), name)] = value
    if destinations:
        told["destinations"] = tuple(sorted(destinations))
    if len(titles) > 1:
        told["order"] = titles
    return told
