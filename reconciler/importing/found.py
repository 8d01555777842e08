"""What an import found: entries to be, their secrets, and everything that stays behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from reconciler.model.errors import Mark
from reconciler.model.secret import Secret

_NO_ID: Final = re.compile(r"[^a-z0-9]+")
_ID_LENGTH: Final = 63
#: An id that is put before another must leave room for it.
BASE_LENGTH: Final = 30
_MOST_DIGITS: Final = 18
_BETWEEN_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

#: What the projects' own templates hold in place of a key, and references that only their loader resolves.
_PLACEHOLDER: Final = re.compile(
    r"\$\{.*|\$[A-Z_][A-Z0-9_]*|(?i:your[_-].*|<.*>|\{\{.*|x{3,}|\*+|\.{3,}|change[_-]?me)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of ours: ``fields`` by their names in the YAML, without ``credentials``.

    ``mark`` is where the other project says it. ``identity`` names the fields by which an entry of this id
    that is there already is known to be the same one. ``given``: the user named an entry that is there.
    """

    section: str
    id: str
    fields: Mapping[str, Any]
    identity: tuple[str, ...]
    mark: Mark
    given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The secrets of one entry, and what its secret file must say in clear."""

    section: str
    id: str
    binding: Mapping[str, str]
    secrets: Mapping[str, Secret] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Left:
    """One thing that was not taken over, and why. Holds no value of the files that could be a secret."""

    mark: Mark
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything of one import. ``files`` were read; ``plain`` are places where a secret stands in clear."""

    files: tuple[str, ...]
    items: tuple[Item, ...]
    keys: tuple[Keys, ...]
    left: tuple[Left, ...]
    plain: tuple[Left, ...] = ()
    hints: tuple[str, ...] = ()

    def secrets(self) -> tuple[Secret, ...]:
        """All of them, for redaction."""
        return tuple(secret for keys in self.keys for secret in keys.secrets.values())


def slug(text: str, *, limit: int = _ID_LENGTH) -> str:
    """``text`` as an id of ours: ``MyStrategyV3`` is ``my-strategy-v3``; empty where nothing is left."""
    words = _BETWEEN_WORDS.sub("-", text).lower()
    return _NO_ID.sub("-", words).strip("-")[:limit].strip("-")


def is_placeholder(text: str) -> bool:
    """Whether it is empty, or stands where a key is to be put."""
    return not text.strip() or bool(_PLACEHOLDER.fullmatch(text.strip()))


def amount(value: Decimal) -> str | None:
    """``value`` as the files write amounts, ``None`` where they cannot."""
    whole, _, fraction = (text := format(value.normalize(), "f")).partition(".")
    return text if len(whole) <= _MOST_DIGITS and len(fraction) <= _MOST_DIGITS else None
