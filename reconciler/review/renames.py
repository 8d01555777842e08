"""Which item that went is one that came: the same thing under another id."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from reconciler.model.errors import Mark
from reconciler.review.items import Item
from reconciler.review.leaves import IN_PLACE

Key: TypeAlias = tuple[str, str]
"""Section and id."""

Seals: TypeAlias = Mapping[str, frozenset[str]]
"""The ciphertexts of each connection's secret, by the connection's id."""

#: Of the leaves of two items, this share is equal where one is taken for the other.
_ALIKE: Final = 0.75
_BY_LIKENESS: Final = frozenset({"egress", "runtimes", "strategies"})
_MOST_PAIRS: Final = 40_000


def renames(
    before: Mapping[Key, Item],
    after: Mapping[Key, Item],
    *,
    unread: Mapping[Key, Mark],
    seals: tuple[Seals, Seals],
) -> dict[Key, Key]:
    """The new key of each renamed item, with its old one. Where two would fit, nothing is guessed."""
    went = {key: item for key, item in before.items() if key not in after and key not in unread}
    came = {key: item for key, item in after.items() if key not in before}
    pairs = {*_by_signs(went, came, seals), *_by_likeness(went, came)}
    olds, news = Counter(old for _, old in pairs), Counter(new for new, _ in pairs)
    return {new: old for new, old in sorted(pairs) if olds[old] == news[new] == 1}


def _by_signs(
    went: Mapping[Key, Item], came: Mapping[Key, Item], seals: tuple[Seals, Seals]
) -> Iterator[tuple[Key, Key]]:
    """Connections that are one key: one secret, one file or one pinned account. Like settings prove none."""
    known: dict[object, list[Key]] = defaultdict(list)
    for key, item in went.items():
        for sign in _signs(item, seals[0]):
            known[sign].append(key)
    for key, item in came.items():
        for sign in _signs(item, seals[1]):
            yield from ((key, old) for old in known[sign])


def _signs(item: Item, seals: Seals) -> Iterator[object]:
    if item.section != "connections":
        return
    yield from seals.get(item.id, ())
    if item.leaves["credentials"] != IN_PLACE:
        yield "file", item.leaves["credentials"]
    if "account.uid" in item.leaves:
        yield "account", item.leaves["exchange"], item.leaves["account.uid"]


def _by_likeness(went: Mapping[Key, Item], came: Mapping[Key, Item]) -> Iterator[tuple[Key, Key]]:
    """Items of the other sections of which most leaves are equal; with very many, nothing is compared."""
    olds = [(key, item) for key, item in went.items() if item.section in _BY_LIKENESS]
    news = [(key, item) for key, item in came.items() if item.section in _BY_LIKENESS]
    if len(olds) * len(news) <= _MOST_PAIRS:
        yield from ((new, old) for old, one in olds for new, other in news if _alike(one, other))


def _alike(old: Item, new: Item) -> bool:
    if old.section != new.section:
        return False
    equal = len([path for path, value in old.leaves.items() if new.leaves.get(path) == value])
    return equal >= _ALIKE * len(old.leaves.keys() | new.leaves.keys())
