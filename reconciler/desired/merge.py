"""Several documents as one: each section's entries by id, with the document that each came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.desired.document import Document, Path, Plain
from reconciler.desired.schema import SECTIONS
from reconciler.desired.wording import where
from reconciler.model.errors import Mark, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A value in a document: what it says, and where."""

    document: Document
    path: Path
    value: Plain

    def get(self, *path: str) -> Item | None:
        """The item at ``path`` below this mapping, ``None`` where nothing stands."""
        value = self.value
        for part in path:
            if part not in value:
                return None
            value = value[part]
        return Item(document=self.document, path=(*self.path, *path), value=value)

    def at(self, name: str) -> Item:
        """The item of a field that must be there. Raise ``KeyError`` when it is not."""
        return Item(document=self.document, path=(*self.path, name), value=self.value[name])

    def each(self, *path: str) -> tuple[Item, ...]:
        """The items of the mapping or the list at ``path``, none where nothing stands."""
        found = self.get(*path)
        if found is None:
            return ()
        pairs = found.value.items() if isinstance(found.value, dict) else enumerate(found.value)
        return tuple(
            Item(document=self.document, path=(*found.path, name), value=value) for name, value in pairs
        )

    @property
    def name(self) -> str:
        """Its key, or its index as text."""
        return str(self.path[-1])

    @property
    def key(self) -> Mark:
        """The place of its key."""
        return self.document.key_mark(self.path)

    @property
    def mark(self) -> Mark:
        """The place of its value."""
        return self.document.value_mark(self.path)

    def problem(self, code: str, message: str, fix: str) -> Problem:
        """A problem with this value."""
        return Problem(mark=self.mark, code=code, message=message, fix=fix)


@dataclass(slots=True)
class Merged:
    """The sections of all documents.

    ``sections`` gives, for each section, its sound entries by id, sorted; ``known`` where each id was
    written first, also of entries that are wrong in themselves. ``complete`` is False when a
    document or a section could not be read to its end, so that an id may be missing from ``known``.
    """

    sections: dict[str, dict[str, Item]] = field(default_factory=dict)
    known: dict[str, dict[str, Item]] = field(default_factory=dict)
    waivers: list[Item] = field(default_factory=list)
    approvals: list[Item] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True


def merge(documents: Sequence[Document], wrong: Mapping[str, Iterable[Path]]) -> Merged:
    """All documents as one. ``wrong`` gives, by file, the paths in which shape is already refused."""
    merged = Merged(complete=all(_is_complete(document) for document in documents))
    for document in documents:
        bad = _Wrong(wrong.get(document.file, ()))
        for section in (*SECTIONS, "policy", "suspend"):
            _add_section(merged, document, section, bad)
        merged.waivers.extend(_listed(document, "waivers", bad))
        merged.approvals.extend(_listed(document, "approvals", bad))
    merged.sections = {name: dict(sorted(found.items())) for name, found in merged.sections.items()}
    return merged


def _is_complete(document: Document) -> bool:
    """Whether every id that the document defines can be known."""
    value = document.value if isinstance(document.value, dict) else {}
    return document.complete and all(isinstance(value.get(section, {}), dict) for section in SECTIONS)


class _Wrong:
    """The paths that are not judged again, looked up from their beginning."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._heads = {path[:2] for path in paths}

    def __contains__(self, path: Path) -> bool:
        return any(path[:length] in self._heads for length in range(3))


def _add_section(merged: Merged, document: Document, section: str, bad: _Wrong) -> None:
    known = merged.known.setdefault(section, {})
    sound = merged.sections.setdefault(section, {})
    for key, value in document.section(section).items():
        item = Item(document=document, path=(section, key), value=value)
        first = known.setdefault(key, item)
        if first is not item:
            merged.problems.append(_twice(item, first))
        elif item.path not in bad:
            sound[key] = item


def _twice(item: Item, first: Item) -> Problem:
    return Problem(
        mark=item.key,
        code="duplicate-id",
        message=f"{where(item.path)} is defined twice, first in {first.key}",
        fix="keep one of the two, or rename one",
    )


def _listed(document: Document, section: str, bad: _Wrong) -> Iterator[Item]:
    """The sound entries of a section that is a list: exceptions have no id."""
    entries = document.value.get(section) if isinstance(document.value, dict) else None
    if isinstance(entries, list):
        whole = Item(document=document, path=(section,), value=entries)
        yield from (item for item in whole.each() if item.path not in bad)
