"""More entries in a configuration file, as text: every other byte stays as its author wrote it.

Nothing is written anew from a tree, so comments, order, quotes and line ends cannot get lost. What
comes out is read back: it must say what the file said before, and the new entries, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from reconciler.desired.document import Document, Plain
from reconciler.desired.loader import load_document
from reconciler.desired.scalars import Ambiguous, read_plain
from reconciler.model.errors import ConfigError, Mark, Problem

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_BOM: Final = b"\xef\xbb\xbf"
_BREAK: Final = re.compile(r"\r\n|\r|\n")
#: Possessive, so that the two halves of one Windows line end are not taken for two ends.
_BLANK_LINE: Final = re.compile(r"(?>\r\n|\r|\n)[ \t]*(?>\r\n|\r|\n)")
_COMMENT: Final = re.compile(r"([ \t]*)(#?)")
#: Texts of these characters mean the same without quotes, wherever they stand and whoever reads them.
_UNQUOTED: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ()._/-]*[A-Za-z0-9().])?")
_STEP: Final = 2


def add_entry(data: bytes, *, file: str, section: str, key: str, fields: Mapping[str, Plain]) -> bytes:
    """``data`` with one entry more; as :func:`add_entries`."""
    return add_entries(data, file=file, section=section, entries={key: fields})


def add_entries(data: bytes, *, file: str, section: str, entries: Mapping[str, Mapping[str, Plain]]) -> bytes:
    """``data`` with ``entries``, by key, at the end of ``section``, which is begun where there is none.

    ``file`` names it in errors. The fields of an entry hold texts, numbers, bools, and lists and mappings of
    them. Raise :class:`ConfigError` for a file that is refused anyway, for one that sops' MAC seals, for a
    key that is taken, and where text cannot be inserted without changing something else.
    """
    before = load_document(data, file=file, root="")
    _refuse_unreadable(before, section, entries)
    mark = data[: len(_BOM)] if data.startswith(_BOM) else b""
    text = data.removeprefix(_BOM).decode("utf-8")
    changed = mark + _Editor(text).insert(section, _Entries(entries)).encode("utf-8")
    after = load_document(changed, file=file, root="")
    new = {key: dict(fields) for key, fields in entries.items()}
    wanted = {**before.value, section: {**before.section(section), **new}}
    if after.problems or after.value != wanted:
        raise _cannot(
            before, "insertion-failed", "an entry cannot be inserted here without changing the rest"
        )
    return changed


def _refuse_unreadable(document: Document, section: str, keys: Iterable[str]) -> None:
    if document.problems:
        raise ConfigError(document.problems)
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get(section, {}), dict | None):
        raise _cannot(
            document, "not-a-mapping", f"no entry can be added: `{section}` is not a mapping of ids"
        )
    sops = value.get("sops")
    if sops is not None and not (isinstance(sops, dict) and sops.get("mac_only_encrypted") is True):
        raise _cannot(document, "sealed", "sops sealed this file with a MAC, which any other editor breaks")
    if any(key in document.section(section) for key in keys):
        raise _cannot(document, "duplicate-id", f"`{section}` already has this id")


def _cannot(document: Document, code: str, message: str) -> ConfigError:
    fix = "add the entry by hand (with `sops edit` where sops sealed the file), or choose another file"
    return ConfigError([Problem(mark=Mark(file=document.file, line=1), code=code, message=message, fix=fix)])


@dataclass(frozen=True, slots=True)
class _Entries:
    held: Mapping[str, Mapping[str, Plain]]

    def block(self, indent: int, step: int, *, spaced: bool = False) -> Iterator[str]:
        """Their lines, the keys at the column ``indent``, with blank lines between where ``spaced``."""
        for number, (key, fields) in enumerate(self.held.items()):
            if spaced and number:
                yield ""
            yield f"{' ' * indent}{_scalar(key)}:"
            for name, value in fields.items():
                yield f"{' ' * (indent + step)}{name}: {_inline(value)}"

    def flow(self) -> str:
        """All of them within the braces of a mapping on one line."""
        return ", ".join(f"{_scalar(key)}: {_fields(fields)}" for key, fields in self.held.items())


def _fields(fields: Mapping[str, Plain]) -> str:
    return f"{{{', '.join(f'{name}: {_inline(value)}' for name, value in fields.items())}}}"


def _inline(value: Plain) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_scalar(name)}: {_inline(inner)}' for name, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    return _scalar(value) if isinstance(value, str) else json.dumps(value)


def _scalar(text: str) -> str:
    """``text`` without quotes where that is the same text to every reader, else in double quotes."""
    if _UNQUOTED.fullmatch(text):
        try:
            if isinstance(read_plain(text), str):
                return text
        except Ambiguous:
            pass
    return json.dumps(text, ensure_ascii=False)


def entry_lines(key: str, fields: Mapping[str, Plain]) -> list[str]:
    """An entry as a section of a new file would hold it, for people to read before it is written."""
    return list(_Entries({key: fields}).block(_STEP, _STEP))


class _Editor:
    """Finds the place in the text of a document that is a mapping."""

    def __init__(self, text: str) -> None:
        root = yaml.compose(text, Loader=_Loader)
        if not isinstance(root, yaml.MappingNode):
            raise TypeError("the caller makes sure that the document is a mapping")
        self._text = text
        self._root = root
        found = _BREAK.search(text)
        self._newline = found.group() if found else "\n"

    def insert(self, section: str, entries: _Entries) -> str:
        """The text with ``entries`` in ``section``."""
        root = self._root
        pair = next(((key, value) for key, value in root.value if key.value == section), None)
        if pair is None:
            return self._begin(section, entries)
        key, value = pair
        if not isinstance(value, yaml.MappingNode):
            return self._fill(key, value, entries)
        if not value.flow_style:
            return self._append(key, value, entries)
        if not value.value and not root.flow_style and self._same_line(key, value):
            return self._fill(key, value, entries)
        return self._into_braces(value, entries.flow())

    def _begin(self, section: str, entries: _Entries) -> str:
        """A new section after everything else."""
        root = self._root
        if root.flow_style or not root.value:
            return self._into_braces(root, f"{section}: {{{entries.flow()}}}")
        column, step = root.value[0][0].start_mark.column, self._step()
        lines = ["", f"{' ' * column}{section}:", *entries.block(column + step, step)]
        return self._after(self._end_of(root, deeper_than=-1), lines)

    def _fill(self, key: yaml.Node, value: yaml.Node, entries: _Entries) -> str:
        """A section that is empty (``connections: {}``, or nothing at all) becomes a block."""
        colon = self._text.index(":", key.end_mark.index) + 1
        end = max(colon, value.end_mark.index)
        line_end = self._line_end(end)
        column, step = key.start_mark.column, self._step()
        lines = [self._text[end:line_end], *entries.block(column + step, step)]
        return self._text[:colon] + self._newline.join(lines) + self._text[line_end:]

    def _append(self, key: yaml.Node, value: yaml.MappingNode, entries: _Entries) -> str:
        """After the last entry of a block, apart from it by a blank line where its siblings are."""
        last_key, last = value.value[-1]
        column = last_key.start_mark.column
        nested = isinstance(last, yaml.MappingNode) and not last.flow_style and last.value
        inner = last.value[0][0].start_mark.column if nested else 2 * column - key.start_mark.column
        spaced = self._spaced(value)
        lines = [*entries.block(column, max(inner - column, 1), spaced=spaced)]
        end = self._end_of(value, deeper_than=key.start_mark.column)
        return self._after(end, ["", *lines] if spaced else lines)

    def _spaced(self, value: yaml.MappingNode) -> bool:
        if len(value.value) < 2:  # noqa: PLR2004 - between one entry and none there is no line
            return False
        (key, before), (last, _) = value.value[-2:]
        start = max(self._content_end(key), self._content_end(before))
        return bool(_BLANK_LINE.search(self._text[start : last.start_mark.index]))

    def _into_braces(self, node: yaml.MappingNode, item: str) -> str:
        at, separator = node.start_mark.index + 1, ""
        if node.value:
            at, separator = max(map(self._content_end, node.value[-1])), ", "
        return f"{self._text[:at]}{separator}{item}{self._text[at:]}"

    def _after(self, at: int, lines: list[str]) -> str:
        return self._text[:at] + "".join(self._newline + line for line in lines) + self._text[at:]

    def _step(self) -> int:
        """By how much this file indents: as its first block does, else by two."""
        for key, value in self._root.value:
            if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
                return max(int(value.value[0][0].start_mark.column - key.start_mark.column), 1)
        return _STEP

    def _same_line(self, key: yaml.Node, value: yaml.Node) -> bool:
        return bool(key.start_mark.line == value.start_mark.line == value.end_mark.line)

    def _content_end(self, node: yaml.Node) -> int:
        """Where the last thing that ``node`` says ends. The parser places the end of a block, and of a
        text block, at whatever follows it.
        """
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            parts = last if isinstance(last, tuple) else (last,)
            return max(self._content_end(part) for part in parts)
        return len(self._text[: node.end_mark.index].rstrip())

    def _end_of(self, node: yaml.Node, *, deeper_than: int) -> int:
        """The end of the last line of ``node``, and of the comments below it that are indented deeper."""
        end = self._line_end(self._content_end(node))
        at = end
        while found := _BREAK.match(self._text, at):
            line_end = self._line_end(found.end())
            comment = _COMMENT.match(self._text, found.end())
            if comment and comment[2] and len(comment[1]) > deeper_than:
                end = line_end
            elif self._text[found.end() : line_end].strip():
                break
            at = line_end
        return end

    def _line_end(self, at: int) -> int:
        found = _BREAK.search(self._text, at)
        return found.start() if found else len(self._text)
