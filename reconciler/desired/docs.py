"""``docs/configuration.md``, generated: ``python -m reconciler.desired.docs > docs/configuration.md``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from reconciler.resources import schema as read_schema

Rule: TypeAlias = Mapping[str, Any]
"""A part of the JSON Schema."""

_HEAD = """\
# Configuration

Everything that can stand in `connections.yaml`: one file, several (`-f` again) or a folder, merged by
section. Put the line `# yaml-language-server: $schema=…/schemas/connections.schema.json` first, and editors
complete and check what you write. Unknown fields are errors, and so is text that YAML readers take
differently (`NO`, `017`, `12:30`): put it in quotes.

This page is generated from the schema (`python -m reconciler.desired.docs`); change it there.
"""


def render() -> str:
    """The whole page as Markdown, with a newline at its end."""
    document: Rule = json.loads(read_schema("connections.schema.json"))
    return "\n".join(_Page(document).lines()) + "\n"


class _Page:
    """The page of one schema."""

    def __init__(self, document: Rule) -> None:
        self._document = document
        self._shown: list[Rule] = []

    def lines(self) -> Iterator[str]:
        """A section for each part of the file, each with a table of its fields."""
        yield _HEAD
        yield from self._table(self._document)
        for name, rule in self._document["properties"].items():
            item = self._item(rule)
            if "properties" in item:
                yield from self._section(name, item)
                yield from self._kinds(name, item)

    def _section(self, path: str, rule: Rule) -> Iterator[str]:
        yield f"\n## {path}\n"
        yield f"{rule['description']}\n"
        yield from self._table(rule)
        for name, field in rule["properties"].items():
            inner = self._item(field)
            if "properties" in inner and not any(inner is shown for shown in self._shown):
                self._shown.append(inner)
                yield from self._section(f"{path}.{name}", inner)

    def _kinds(self, section: str, rule: Rule) -> Iterator[str]:
        """A table for each type of the items of a section, where the type decides on the fields."""
        for case in rule.get("allOf", ()):
            kind = self._resolved(case["then"])
            yield f"\n## {section}, type {case['if']['properties']['type']['const']}\n"
            yield f"{kind['description']}\n"
            yield from self._table(kind)

    def _table(self, rule: Rule) -> Iterator[str]:
        required = rule.get("required", ())
        yield "| field | | what it is | example |"
        yield "|---|---|---|---|"
        for name, field in rule["properties"].items():
            resolved = self._resolved(field)
            need = "needed" if name in required else ""
            told = field.get("description", resolved.get("description", ""))
            yield f"| `{name}` | {need} | {_cell(told)} | {_example({**resolved, **field})} |"

    def _item(self, rule: Rule) -> Rule:
        """The rule of one item, where ``rule`` is of a mapping by id or a list."""
        resolved = self._resolved(rule)
        if "else" in resolved:  # text, or a mapping in its place: the mapping is what needs explaining
            return self._resolved(resolved["else"])
        inner = resolved.get("additionalProperties") or resolved.get("items")
        if "properties" not in resolved and isinstance(inner, Mapping):
            return self._resolved(inner)
        return resolved

    def _resolved(self, rule: Rule) -> Rule:
        while "$ref" in rule:
            rule = self._document["$defs"][rule["$ref"].rsplit("/", 1)[1]]
        return rule


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _example(rule: Rule) -> str:
    """One example on one line; a whole section has its own table instead."""
    if "enum" in rule:
        return " ".join(f"`{value}`" for value in rule["enum"])
    if "const" in rule:
        return f"`{json.dumps(rule['const'])}`"
    examples = rule.get("examples", ())
    short = [_cell(json.dumps(example, ensure_ascii=False)) for example in examples]
    return f"`{short[0]}`" if short and len(short[0]) <= 60 else ""  # noqa: PLR2004 - what fits a cell


if __name__ == "__main__":
    sys.stdout.write(render())
