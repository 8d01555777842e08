"""Which versions of secret files surely have one data key, told without any key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from reconciler.model.sealed import Covered, Sealed


class DataKeys:
    """Versions of any files, put together where a chain of them shares a ciphertext, a wrap or a MAC.

    sops keeps what it does not touch: two ends of a range may share nothing while each shares something
    with a version in between. Versions without a chain may still have one key; nobody can tell.
    """

    def __init__(self, versions: Iterable[Sealed]) -> None:
        self._parents: dict[str, str] = {}
        held = tuple(versions)
        for one in held:
            self._join(sorted(one.same_key_signs()))
        self._contents: dict[str, set[Covered]] = defaultdict(set)
        for one in held:
            if one.mac:
                self._contents[one.mac].add(one.covered())
        self._kin: dict[str, list[Sealed]] = defaultdict(list)
        for one in held:
            for root in self._roots(one):
                self._kin[root].append(one)

    def kin(self, sealed: Sealed) -> tuple[Sealed, ...]:
        """The versions that surely have the data key of ``sealed``, itself among them if it was given."""
        return tuple(one for root in sorted(self._roots(sealed)) for one in self._kin[root])

    def under_mac(self, sealed: Sealed) -> Collection[Covered]:
        """What the versions with the MAC of ``sealed`` hold: one thing, where sops wrote them all."""
        return self._contents.get(sealed.mac, frozenset())

    def _roots(self, sealed: Sealed) -> set[str]:
        """What stands for its data key: one root for a version that was given, else of all that it joins."""
        return {self._root(sign) for sign in sealed.same_key_signs() if sign in self._parents}

    def _join(self, signs: list[str]) -> None:
        for sign in signs:
            self._parents[self._root(sign)] = self._root(signs[0])

    def _root(self, sign: str) -> str:
        """The sign that stands for all that are joined with this one; ways are halved as they are gone."""
        parents = self._parents
        parents.setdefault(sign, sign)
        while parents[sign] != sign:
            parents[sign] = parents[parents[sign]]
            sign = parents[sign]
        return sign
