"""One configuration file as plain values, and the place of every value in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from reconciler.model.errors import Mark, Problem

Path: TypeAlias = tuple[str | int, ...]
"""The way from the root of a document to a value: keys of mappings, indexes of lists."""

Plain: TypeAlias = Any
"""A value as YAML gives it: dict, list, text, whole number, bool or None."""

_BITS: Final = 24
_MASK: Final = (1 << _BITS) - 1


def pack(line: int, column: int) -> int:
    """A place as one int; both count from 0, as the YAML parser counts them."""
    return line << _BITS | column


class Places:
    """Where a container and its entries stand.

    ``inside`` maps each key or index to a packed place, or to the ``Places`` of a container. A
    packed place holds two: of the key in the upper half, of the value in the lower. Half a million
    values cost 40 bytes each this way; a :class:`Mark` is made only for those that are asked for.
    """

    __slots__ = ("at", "inside")

    def __init__(self, at: int) -> None:
        self.at = at
        self.inside: dict[str | int, int | Places] = {}


def both(key: int, value: int) -> int:
    """The packed places of a key and of its value as one int."""
    return key << 2 * _BITS | value


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What one file says.

    ``value`` holds plain dicts, lists, text, ints, bools and ``None``. ``problems`` is what the
    loader refused; ``broken`` are the paths whose value is a stand-in because of it, which no
    later layer judges again. ``complete`` is False when reading had to stop early, and then
    ``value`` is only what came before.
    """

    file: str
    root: str
    value: Plain = None
    places: Places | None = None
    problems: tuple[Problem, ...] = ()
    broken: frozenset[Path] = field(default_factory=frozenset)
    complete: bool = True

    def key_mark(self, path: Path) -> Mark:
        """The place of the key of ``path``; of the nearest container when there is no such key."""
        return self._mark(self._find(path) >> 2 * _BITS)

    def value_mark(self, path: Path) -> Mark:
        """The place of the value of ``path``; of the nearest container when there is no such value."""
        return self._mark(self._find(path) & (1 << 2 * _BITS) - 1)

    def field_marks(self, path: Path) -> dict[str, Mark]:
        """The place of each key of the mapping at ``path``."""
        places = self._walk(path)
        if isinstance(places, int):
            return {}
        return {
            str(key): self._mark((place if isinstance(place, int) else place.at) >> 2 * _BITS)
            for key, place in places.inside.items()
        }

    def section(self, name: str) -> Mapping[str, Any]:
        """A mapping at the top, empty when it is missing or something else."""
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return value if isinstance(value, dict) else {}

    def _find(self, path: Path) -> int:
        found = self._walk(path)
        return found if isinstance(found, int) else found.at

    def _walk(self, path: Path) -> int | Places:
        """What is known of ``path``, or of as much of it as was written."""
        found: int | Places = self.places or Places(0)
        for part in path:
            if isinstance(found, int) or part not in found.inside:
                break
            found = found.inside[part]
        return found

    def _mark(self, packed: int) -> Mark:
        return Mark(file=self.file, line=(packed >> _BITS) + 1, column=(packed & _MASK) + 1)
