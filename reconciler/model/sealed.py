"""What an encrypted file and its rules say without any key, as two revisions compare it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from reconciler.model.errors import Mark

Covered: TypeAlias = tuple[tuple[str, str], ...]
"""Values by name, in the order of the file. Some may be secrets in clear: into no message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody who can open a file, as the file claims; sops does not authenticate the claim.

    ``identity`` is a group and a name, ``age age1…``. ``wrap`` is the file's data key as encrypted for
    this holder: equal in two files only where they have the same data key. ``share`` is the number of
    the key group: with a Shamir threshold each group holds one part of the data key.
    """

    identity: str
    wrap: str = field(default="", repr=False)
    share: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One SOPS file of one document.

    ``values`` holds the ciphertext of each encrypted value by its dotted path, ``clear`` the text of
    every other: it may be a secret in clear, so it shows in no ``repr`` and must go into no message.
    ``order`` are all paths in file order, which the MAC covers. ``settings`` are what the ``sops`` block
    says of itself, without MAC and date; ``left_in_clear`` the secret fields that sops, going by them, would
    not surely encrypt at the next edit. ``mac`` is the encrypted MAC, empty where there is none.
    ``mark`` is the place of the ``sops`` block, ``marks`` those of the values.
    """

    file: str
    mark: Mark
    values: Mapping[str, str] = field(repr=False)
    clear: Mapping[str, str] = field(repr=False)
    order: tuple[str, ...]
    holders: tuple[Holder, ...]
    settings: Mapping[str, str]
    left_in_clear: tuple[str, ...]
    mac: str = field(repr=False)
    mac_only_encrypted: bool
    marks: Mapping[str, Mark] = field(repr=False)

    def key_groups(self) -> tuple[str, ...]:
        """Who holds each part of the data key, where there are several parts."""
        parts: dict[int, list[str]] = {}
        for holder in self.holders:
            parts.setdefault(holder.share, []).append(holder.identity)
        return tuple(", ".join(sorted(names)) for names in parts.values()) if len(parts) > 1 else ()

    def covered(self) -> Covered:
        """The values under the MAC, in order, by name: with ``mac_only_encrypted`` the encrypted alone."""
        clear = {} if self.mac_only_encrypted else self.clear
        every = {**clear, **self.values}
        return tuple((path, every[path]) for path in self.order if path in every)

    def same_key_signs(self) -> frozenset[str]:
        """What two versions have in common only under one data key: a ciphertext, a wrapped key, a MAC."""
        wraps = (holder.wrap for holder in self.holders)
        return frozenset(sign for sign in (*self.values.values(), *wraps, self.mac) if sign)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationRule:
    """One rule of a ``.sops.yaml``: for which files (``path``, empty for all), whom, and which values.

    ``holders`` are group and name, ``key_groups`` who of them holds each part where the data key has
    several; ``selection`` is what decides which values are encrypted, as
    ``encrypted_regex: …``, and ``left_in_clear`` the secret fields that it does not surely cover.
    """

    path: str
    holders: tuple[str, ...]
    selection: str
    left_in_clear: tuple[str, ...]
    mac_only_encrypted: bool
    shamir_threshold: str
    mark: Mark
    key_groups: tuple[str, ...] = ()
