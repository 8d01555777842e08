"""What became of each secret file, told from ciphertext: sops leaves every unchanged value as it was.

``sops set``, ``unset`` and ``edit`` keep the ciphertext of what they do not touch, ``updatekeys`` that of
everything, ``rotate`` and encrypting anew of nothing (seen with sops 3.11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.model.review import FieldChange, SecretChange, SecretState
from reconciler.model.sealed import Covered, Sealed
from reconciler.review import risk
from reconciler.review.data_keys import DataKeys
from reconciler.review.leaves import shown
from reconciler.review.meaning import differing

#: The fields in clear that bind a secret file to its connection, or to its runtime.
BINDING: Final = ("connection", "exchange", "runtime", "url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One secret file in base and head; ``None`` where it is not there or cannot be read.

    ``was`` is its path in the base where it moved. ``named`` are its versions in the commits of the range,
    ``kin`` all versions that surely have the data key of the head, also those of other files; ``under_mac``
    what the versions with its MAC hold; ``passing`` the paths that neither base nor head has: kin of such a
    name were this file for a while. ``connections`` are the ids that refer to it, ``readers`` who could open
    what they referred to in the base. ``broken`` says that something stands there that is no secret file.
    """

    file: str
    was: str | None = None
    base: Sealed | None = None
    head: Sealed | None = None
    named: Sequence[Sealed] = ()
    kin: Sequence[Sealed] = ()
    under_mac: Collection[Covered] = field(default=(), repr=False)
    passing: frozenset[str] = frozenset()
    connections: tuple[str, ...] = ()
    readers: frozenset[str] = frozenset()
    broken: bool = False

    @property
    def same_data_key(self) -> bool:
        """Whether base and head surely have one data key."""
        return any(one is self.base for one in self.kin)

    @property
    def own(self) -> tuple[Sealed, ...]:
        """The versions of this very file that surely have the head's data key."""
        names = {self.file, self.was, *self.passing}
        return tuple(one for one in self.kin if one.file in names)

    @property
    def removed(self) -> frozenset[str]:
        """Whom the base or a version in between was for, and the head is not."""
        if self.head is None:
            return frozenset()
        versions = (*self.named, *self.own, *((self.base,) if self.base else ()))
        return frozenset(name for one in versions for name in _holders(one)) - _holders(self.head)

    @property
    def still_reads(self) -> frozenset[str]:
        """Those of the removed who can open the head: a version with its data key was for them."""
        return frozenset(name for one in self.own for name in _holders(one)) - _holders(self.head)


def secret_change(pair: Pair, *, named: Callable[[str], bool] = lambda _: False) -> SecretChange:
    """What can be said of one secret file. ``named`` says whether a text names something in the files.

    Whatever else stands in a binding field may be a secret that lost its field, so it is not shown.
    """
    base, head = pair.base, pair.head
    old, new = _holders(base), _holders(head)
    gone, still = sorted(pair.removed), sorted(pair.still_reads)
    fields = tuple(_fields(base, head))
    before = old or pair.readers
    added = tuple(sorted(new - before)) if head and before else ()
    which, why = _risk(added=added, gone=gone, still=still)
    seen = head or base
    return SecretChange(
        file=pair.file,
        was=pair.was,
        connections=pair.connections,
        state=_state(pair, fields),
        fields=fields,
        recipients=tuple(sorted(new or old)),
        added=added,
        removed=tuple(gone),
        still_reads=tuple(still),
        leaves=differing("secrets", in_clear(base, named), in_clear(head, named)) if base and head else (),
        risk=which,
        why=why,
        mark=seen.mark if seen else None,
    )


def in_clear(sealed: Sealed, named: Callable[[str], bool]) -> Mapping[str, Any]:
    """What a secret file says in clear that a reviewer may see: its binding and how it is encrypted."""
    binding = {name: sealed.clear[name] for name in BINDING if name in sealed.clear}
    told: dict[str, Any] = {
        name: text if named(text) else f"{len(text)} characters that name nothing here"
        for name, text in binding.items()
    }
    told |= sealed.settings
    told["mac_only_encrypted"] = "true" if sealed.mac_only_encrypted else "false"
    told["left_in_clear"] = sealed.left_in_clear
    if groups := sealed.key_groups():
        told["key_groups"] = groups
    return told


def moves(base: Mapping[str, Sealed], head: Mapping[str, Sealed], keys: DataKeys) -> dict[str, str]:
    """The former path of each secret file that moved: gone from there, and of one data key with it."""
    gone = {id(sealed): path for path, sealed in base.items() if path not in head}
    found: dict[str, str] = {}
    for path, sealed in head.items():
        if path in base:
            continue
        formers = (gone[id(one)] for one in keys.kin(sealed) if id(one) in gone)
        if former := next((one for one in formers if one not in found.values()), None):
            found[path] = former
    return found


def _holders(sealed: Sealed | None) -> set[str]:
    return {holder.identity for holder in sealed.holders} if sealed else set()


def _fields(base: Sealed | None, head: Sealed | None) -> Iterator[FieldChange]:
    before: Mapping[str, str] = base.values if base else {}
    after: Mapping[str, str] = head.values if head else {}
    for path in sorted(before.keys() | after.keys()):
        yield FieldChange(path=shown(path), state=_field(before.get(path), after.get(path)))


def _field(old: str | None, new: str | None) -> SecretState:
    if old is None:
        return SecretState.NEW
    if new is None:
        return SecretState.REMOVED
    return SecretState.UNCHANGED if old == new else SecretState.CHANGED


def _state(pair: Pair, fields: Iterable[FieldChange]) -> SecretState:
    """The state of the whole file. Where the data key may have changed, no value can be told from another."""
    if pair.broken:
        return SecretState.UNREADABLE
    if pair.base is None:
        return SecretState.NEW
    if pair.head is None:
        return SecretState.REMOVED
    states = {field.state for field in fields}
    if states == {SecretState.UNCHANGED} and _as_it_was(pair.base, pair.head):
        return SecretState.UNCHANGED
    told = SecretState.UNCHANGED in states or pair.same_data_key
    return SecretState.CHANGED if told else SecretState.REENCRYPTED


def _as_it_was(base: Sealed, head: Sealed) -> bool:
    """Whether nothing differs but perhaps comments and layout."""
    return (
        Counter(base.holders) == Counter(head.holders)
        and base.clear == head.clear
        and base.settings == head.settings
        and base.mac == head.mac
    )


def _risk(*, added: Sequence[str], gone: Sequence[str], still: Sequence[str]) -> risk.Judgement:
    if still:
        return risk.up("a removed recipient can still open the file")
    if added:
        return risk.up("more people can open the file")
    return risk.down("fewer people can open the file") if gone else risk.NEUTRAL
