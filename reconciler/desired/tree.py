"""A tree of plain values, and a tree of their places, grown from the events of a YAML parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import yaml

from reconciler.desired.document import Document, Path, Places, Plain, both, pack
from reconciler.desired.scalars import Ambiguous, read_plain
from reconciler.desired.text import FORBIDDEN
from reconciler.desired.wording import where
from reconciler.model.errors import Problem

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 450_000
MAX_PROBLEMS: Final = 200

_PLAIN: Final = ("", None)
#: The one key of the format that YAML 1.1 takes for true; as a key it can mean nothing else here.
_KNOWN_KEYS: Final = ("on",)


class Stop(Exception):
    """Nothing more of this file can be read."""


class _Frame:
    """A container that is being filled; in a mapping, ``awaits_key`` until the key of the next value came."""

    __slots__ = ("awaits_key", "drop", "key", "key_at", "node", "places")

    def __init__(self, node: Plain, places: Places) -> None:
        self.node = node
        self.places = places
        self.awaits_key = type(node) is dict
        self.key = ""
        self.key_at = 0
        self.drop = False


class TreeBuilder:
    """Takes events one by one and grows the tree of values and the tree of places."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self.complete = True
        self._file = file
        self._broken: set[Path] = set()
        self._stack: list[_Frame] = []
        self._documents = 0
        self._values = 0
        self._root: Plain = None
        self._places: Places | None = None
        #: Keys that are the same text to every reader, each held once however often it is written.
        self._keys = {key: key for key in _KNOWN_KEYS}
        self._take: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open_mapping,
            yaml.SequenceStartEvent: self._open_sequence,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._open_document,
        }

    def take(self, event: yaml.Event) -> None:
        """Grow by one event. Raise ``Stop`` when nothing more can be read."""
        handler = self._take.get(type(event))
        if handler is not None:
            handler(event)

    def document(self, root: str) -> Document:
        """What was read."""
        if not self._documents and self.complete:
            self.refuse(0, "empty-file", "the file is empty", "begin with `version: 1`, or remove the file")
        return Document(
            file=self._file,
            root=root,
            value=self._root,
            places=self._places,
            problems=tuple(self.problems),
            broken=frozenset(self._broken),
            complete=self.complete and self._documents == 1,
        )

    def refuse(self, at: int, code: str, message: str, fix: str) -> None:
        """Note a problem at a packed place; stop when there are too many."""
        mark = Document(file=self._file, root="", places=Places(at)).value_mark(())
        self.problems.append(Problem(mark=mark, code=code, message=message, fix=fix))
        if len(self.problems) >= MAX_PROBLEMS:
            self.problems.append(
                Problem(
                    mark=mark,
                    code="too-many-problems",
                    message=f"stopped after {MAX_PROBLEMS} problems in this file",
                    fix="mend those above first",
                )
            )
            raise Stop

    def _open_document(self, event: yaml.DocumentStartEvent) -> None:
        at = _at(event)
        if event.version or event.tags:
            self.refuse(at, "directive", "a `%` directive changes how YAML is read", "remove the line")
        self._documents += 1
        if self._documents > 1:
            self.refuse(
                at,
                "several-documents",
                "a second document begins here; sops and other readers see only the first",
                "put it into a file of its own, and remove the `---`",
            )
            raise Stop

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        at = _at(event)
        if event.anchor is not None or event.tag is not None:
            self._decorated(event, at)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.awaits_key:
            self._key(frame, event, at)
            return
        self._put(self._value(event, at), at)

    def _value(self, event: yaml.ScalarEvent, at: int) -> str | int | bool | None:
        text: str = event.value
        if event.style not in _PLAIN:
            if event.style == '"' and FORBIDDEN.search(text):
                self._control(at)
            return text
        try:
            return read_plain(text)
        except Ambiguous as doubt:
            self._broken.add(self._path())
            self.refuse(
                at,
                "ambiguous-value",
                f"without quotes, this is {doubt.taken_for} to some readers of YAML and not to others",
                doubt.fix,
            )
            return text

    def _key(self, frame: _Frame, event: yaml.ScalarEvent, at: int) -> None:
        known = self._keys.get(event.value)
        key: str = event.value if known is None else known
        frame.key, frame.key_at, frame.drop, frame.awaits_key = key, at, False, False
        if key in frame.node:
            first = frame.places.inside[key]
            packed = first if type(first) is int else getattr(first, "at", 0)
            self.refuse(
                at,
                "duplicate-key",
                f"{where(self._path())} stands here twice, first on line {(packed >> 72) + 1}",
                "keep one of the two",
            )
            frame.drop = True
        elif known is None:
            self._check_key(key, event, at)

    def _check_key(self, key: str, event: yaml.ScalarEvent, at: int) -> None:
        """Refuse a key that is not the same text to every reader; remember it when it is."""
        plain = event.style in _PLAIN
        if plain and key == "<<":
            self.refuse(at, "merge-key", "merge keys (`<<`) are not read", "write the fields out")
        elif plain and not _is_text(key):
            self.refuse(
                at, "ambiguous-key", "this key without quotes is no text to some readers", "put it in quotes"
            )
        elif FORBIDDEN.search(key):
            self._control(at)
        elif plain:
            self._keys[key] = key

    def _control(self, at: int) -> None:
        self._broken.add(self._path())
        self.refuse(
            at,
            "invisible-character",
            "this text holds an invisible character, written as an escape",
            "remove the escape",
        )

    def _open_mapping(self, event: yaml.MappingStartEvent) -> None:
        self._open({}, event)

    def _open_sequence(self, event: yaml.SequenceStartEvent) -> None:
        self._open([], event)

    def _open(self, node: Plain, event: yaml.CollectionStartEvent) -> None:
        at = _at(event)
        if event.anchor is not None or event.tag is not None:
            self._decorated(event, at)
        if self._complex_key(at):
            raise Stop
        if len(self._stack) >= MAX_DEPTH:
            self.refuse(at, "too-deep", f"nested more than {MAX_DEPTH} levels deep", "make it flatter")
            raise Stop
        places = self._put(node, at, container=True)
        self._stack.append(_Frame(node, places or Places(at)))

    def _complex_key(self, at: int) -> bool:
        """Whether a key that is no scalar begins here; what it would name cannot be known."""
        frame = self._stack[-1] if self._stack else None
        if frame is None or not frame.awaits_key:
            return False
        self.refuse(at, "complex-key", "a list or a mapping stands where a key must", "write a name as key")
        return True

    def _close(self, _event: yaml.Event) -> None:
        self._stack.pop()

    def _alias(self, event: yaml.AliasEvent) -> None:
        at = _at(event)
        if self._complex_key(at):
            raise Stop
        self._broken.add(self._path())
        self.refuse(at, "alias", "aliases (`*name`) are not read", "write the value out here")
        self._put(None, at)

    def _decorated(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, at: int) -> None:
        if event.anchor is not None:
            self.refuse(at, "anchor", "anchors (`&name`) are not read", "remove the anchor")
        if event.tag is not None:
            self._broken.add(self._path())
            self.refuse(
                at, "tag", "tags (`!name`) are not read", "remove the tag; quote the value if it is text"
            )

    def _put(self, value: Plain, at: int, *, container: bool = False) -> Places | None:
        """Put a value where the innermost container expects it; give the places of a container."""
        self._values += 1
        if self._values > MAX_VALUES:
            self.refuse(
                at, "too-large", f"the file holds more than {MAX_VALUES} values", "split it into several"
            )
            raise Stop
        if not self._stack:
            self._root = value
            self._places = Places(both(at, at))
            return self._places
        frame = self._stack[-1]
        if type(frame.node) is dict:
            key: str | int = frame.key
            place = both(frame.key_at, at)
            frame.awaits_key = True
            if frame.drop:
                return None
            frame.node[key] = value
        else:
            key, place = len(frame.node), both(at, at)
            frame.node.append(value)
        spot = Places(place) if container else place
        frame.places.inside[key] = spot
        return spot if isinstance(spot, Places) else None

    def _path(self) -> Path:
        """The path of the value that comes next."""
        innermost = len(self._stack) - 1
        return tuple(
            # A list already holds the container that is open in it, but not the value to come.
            frame.key if type(frame.node) is dict else len(frame.node) - (depth < innermost)
            for depth, frame in enumerate(self._stack)
        )


def _is_text(key: str) -> bool:
    try:
        return isinstance(read_plain(key), str)
    except Ambiguous:
        return False


def _at(event: yaml.Event) -> int:
    mark = event.start_mark
    return pack(mark.line, mark.column) if mark else 0
