"""Whether a document has the shape of ``schemas/connections.schema.json``, and what is wrong if not.

jsonschema-rs decides (11 microseconds a connection). Only for a document that fails does jsonschema
explain, and then only over the entries that fail; the words are our own, in ``explain``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import jsonschema_rs

from reconciler import resources
from reconciler.desired.document import Document, Path, Plain
from reconciler.model.errors import Problem

NAME: Final = "connections.schema.json"
MAX_ENTRIES: Final = 200
#: The sections that are mappings by id, and what the schema calls an entry of each.
SECTIONS: Final = {
    "egress": "egress",
    "connections": "connection",
    "runtimes": "runtime",
    "strategies": "strategy",
}

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file."""
    document: dict[str, Any] = json.loads(resources.schema(NAME))
    return document


@cache
def _decider(part: str = "") -> jsonschema_rs.Draft202012Validator:
    """The deciding validator of a whole document, or of one of the schema's definitions."""
    whole = schema()
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/$defs/{part}", "$defs": whole["$defs"]} if part else whole
    )


def accepts(value: Plain) -> bool:
    """Whether a value has the shape, by the deciding validator alone."""
    valid: bool = _decider().is_valid(value)
    return valid


def expected(part: str, value: Plain) -> str | None:
    """What a value of the definition ``part`` must be, such as ``id``; ``None`` when this one is it."""
    return None if _decider(part).is_valid(value) else str(schema()["$defs"][part]["title"])


def check(document: Document) -> tuple[tuple[Path, Problem], ...]:
    """Each problem of shape with its path, none where the loader has already refused the value."""
    if accepts(document.value):
        return ()
    from reconciler.desired import explain  # noqa: PLC0415 - a tenth of a second that good files do not pay

    failing = set(_failing(document.value))
    found, all_told = explain.problems(document, _only(document.value, failing), schema())
    if all_told:
        # The deciding validator outranks the explaining one: what only it refuses is refused too.
        told = {path[:length] for path, _ in found for length in range(len(path) + 1)}
        found += explain.bare(document, (failing or {()}) - told)
    found = tuple(item for item in found if not _under(item[0], document.broken))
    whole = all_told and len(failing) < MAX_ENTRIES
    return found if whole else (*found, ((), explain.unfinished(document)))


def _failing(value: Plain) -> Iterator[Path]:
    """The path of each entry that fails, of the first ``MAX_ENTRIES``."""
    count = 0
    for section, part in SECTIONS.items() if isinstance(value, dict) else ():
        entries = value.get(section)
        for key, entry in entries.items() if isinstance(entries, dict) else ():
            if count < MAX_ENTRIES and not (_ID.match(key) and _decider(part).is_valid(entry)):
                count += 1
                yield section, key


def _only(value: Plain, failing: set[Path]) -> Plain:
    """``value`` without the entries of its sections in which nothing fails, which are most."""
    if not isinstance(value, dict):
        return value
    return {
        name: {key: entry for key, entry in section.items() if (name, key) in failing}
        if name in SECTIONS and isinstance(section, dict)
        else section
        for name, section in value.items()
    }


def _under(path: Path, broken: frozenset[Path]) -> bool:
    return any(path[:length] in broken for length in range(len(path) + 1))
