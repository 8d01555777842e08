"""YAML of other projects, with the place of every value: each scalar is the text that was written.

Hummingbot's files hold fractions and times without quotes, which the reader of our own files refuses. As
text they can be judged one by one: an amount is exactly what stands there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.importing.node import DEPTH, MOST, Node, unreadable
from reconciler.importing.reading import read_text
from reconciler.model.errors import Mark

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL: Final = frozenset({"", "null", "~", "Null", "NULL"})


def read_yaml(path: Path, *, root: Path) -> Node:
    """The mapping in a file inside ``root``; an empty file is an empty mapping.

    Raise :class:`Unreadable` for everything else, for aliases, and for what is nested too deep.
    """
    text = read_text(path, root=root)
    try:
        node = _Builder(str(path)).build(_Loader(text))
    except yaml.YAMLError as error:
        at = getattr(error, "problem_mark", None)
        mark = Mark(file=str(path), line=at.line + 1 if at else 1)
        raise unreadable(mark, "bad-yaml", "this is no YAML from here on", "mend the file") from None
    if node.value is None:
        return Node({}, node.mark)
    if not isinstance(node.value, dict):
        raise unreadable(node.mark, "not-a-mapping", "the file holds no mapping", "name a configuration")
    return node


class _Builder:
    """Builds from the parser's events, without recursion in C: no input can exhaust the stack."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._values = 0

    def build(self, loader: Any) -> Node:  # noqa: ANN401 - two classes without types
        found, root = self._next(loader, 0), Node(None, Mark(file=self._file, line=1))
        while found is not None:
            root = found
            found = self._next(loader, 0)
        return root

    def _next(self, loader: Any, depth: int) -> Node | None:  # noqa: ANN401 - as above
        """The next value; ``None`` at the end of what holds it."""
        event = loader.get_event()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent | yaml.DocumentEndEvent):
            event = loader.get_event()
        if event is None or isinstance(
            event, yaml.StreamEndEvent | yaml.MappingEndEvent | yaml.SequenceEndEvent
        ):
            return None
        mark = Mark(file=self._file, line=event.start_mark.line + 1, column=event.start_mark.column + 1)
        if depth > DEPTH:
            raise unreadable(mark, "too-deep", f"values are nested more than {DEPTH} deep", "mend the file")
        self._values += 1
        if self._values > MOST:
            fix = "name a configuration, not data"
            raise unreadable(mark, "too-large", f"the file has more than {MOST:,} values", fix)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and event.value in _NULL
            return Node(None if plain else event.value, mark)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(list(iter(lambda: self._next(loader, depth + 1), None)), mark)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._mapping(loader, depth + 1), mark)
        raise unreadable(mark, "alias", "an alias stands for another value", "write the value itself")

    def _mapping(self, loader: Any, depth: int) -> dict[str, Node]:  # noqa: ANN401 - as above
        found: dict[str, Node] = {}
        while (key := self._next(loader, depth)) is not None:
            value = self._next(loader, depth)
            if isinstance(key.value, str) and value is not None:
                found[key.value] = value
        return found
