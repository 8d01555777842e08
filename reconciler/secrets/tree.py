"""The YAML of a SOPS file as a plain tree with positions, read strictly and without any key.

SOPS writes a small part of YAML. Everything else (aliases, tags, merge keys, duplicate keys,
directives, a second document) is refused: there a Go parser and ours could read two things, and
what we check must be what sops decrypts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

import yaml

from reconciler.model.errors import Mark, NotASecretFile

MAX_DEPTH: Final = 32
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REENCRYPT: Final = "restore the file from git, or encrypt it anew with `sops encrypt`"


class _YamlMark(Protocol):
    """What both PyYAML's own parser and libyaml's call a mark; both count from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as written. ``text`` may be a secret in clear, so it shows in no ``repr``."""

    line: int
    column: int
    text: str = field(repr=False)
    plain: bool

    @property
    def empty(self) -> bool:
        """Whether it holds nothing: null or empty text, which sops leaves unencrypted."""
        return not self.text or (self.plain and self.text in {"null", "Null", "NULL", "~"})


@dataclass(slots=True)
class Table:
    """A mapping, with its place."""

    line: int
    column: int
    entries: dict[str, Node] = field(default_factory=dict)


@dataclass(slots=True)
class Row:
    """A list, with its place."""

    line: int
    column: int
    items: list[Node] = field(default_factory=list)


Node: TypeAlias = Scalar | Table | Row


def read_tree(blob: bytes, *, file: str) -> Table:
    """The one document of ``blob``, a mapping. Raise ``NotASecretFile`` for everything else."""
    bad_line: int | None = None
    text = ""
    try:
        text = blob.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad_line = blob.count(b"\n", 0, error.start) + 1
    if bad_line:
        # Outside the handler: the exception holds the bytes, and a chained one would keep them.
        raise NotASecretFile(
            "the file is not UTF-8 text", hint=_REENCRYPT, mark=Mark(file=file, line=bad_line)
        )
    return _Builder(file).build(text)


class _Builder:
    """Builds the tree from parser events; a stack of our own, so that depth costs no recursion."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[Table | Row] = []
        self._keys: list[str | None] = []
        self._root: Node | None = None
        self._documents = 0

    def build(self, text: str) -> Table:
        broken: Mark | None = None
        # The parser in pure Python hands impossible escapes to chr(); the C parser refuses them.
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            broken = self._place(getattr(error, "problem_mark", None))
        if broken:
            # Outside the handler: PyYAML's error quotes the line, which may hold a secret.
            raise NotASecretFile("the file is not well-formed YAML", hint=_REENCRYPT, mark=broken)
        if not isinstance(self._root, Table):
            raise NotASecretFile(
                "the file holds no mapping of fields", hint=_REENCRYPT, mark=Mark(file=self._file, line=1)
            )
        return self._root

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._enter(event)
            case yaml.CollectionEndEvent():
                self._open.pop()
                self._keys.pop()
            case yaml.DocumentStartEvent():
                self._start_document(event)
            case yaml.AliasEvent():
                self._refuse(event, "an alias (`*name`)")
            case _:
                pass

    def _start_document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            self._refuse(event, "a second document; sops' JSON output would drop it silently")
        if event.version or event.tags:
            self._refuse(event, "a YAML directive")

    def _enter(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._check_bare(event)
        line, column = _position(event.start_mark)
        node = Table(line, column) if isinstance(event, yaml.MappingStartEvent) else Row(line, column)
        self._place_node(event, node)
        if len(self._open) >= MAX_DEPTH:
            self._refuse(event, f"more than {MAX_DEPTH} levels")
        self._open.append(node)
        self._keys.append(None)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_bare(event)
        line, column = _position(event.start_mark)
        if self._open and isinstance(self._open[-1], Table) and self._keys[-1] is None:
            self._key(event, self._open[-1])
            return
        self._place_node(event, Scalar(line, column, event.value, bool(event.implicit[0])))

    def _key(self, event: yaml.ScalarEvent, table: Table) -> None:
        if event.value == "<<":
            self._refuse(event, "a merge key (`<<`)")
        if event.value in table.entries:
            self._refuse(event, "a field that stands there twice")
        self._keys[-1] = event.value

    def _place_node(self, event: yaml.Event, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Row):
            parent.items.append(node)
            return
        key, self._keys[-1] = self._keys[-1], None
        if key is None:
            self._refuse(event, "a mapping or list used as the name of a field")
        else:
            parent.entries[key] = node

    def _check_bare(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._refuse(event, "an anchor (`&name`)")
        if event.tag is not None:
            self._refuse(event, "an explicit tag (`!name`)")

    def _refuse(self, event: yaml.Event, what: str) -> None:
        raise NotASecretFile(
            f"the file holds {what}, which sops never writes",
            hint=_REENCRYPT,
            mark=self._place(event.start_mark),
        )

    def _place(self, mark: _YamlMark | None) -> Mark:
        line, column = _position(mark)
        return Mark(file=self._file, line=line, column=column)


def _position(mark: _YamlMark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
