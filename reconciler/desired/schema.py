"""Whether a document has the shape of ``schemas/connections.schema.json``, and what is wrong if not.

jsonschema-rs decides (11 microseconds a connection). Only for a document that fails does jsonschema
explain, and then only over the entries that fail; the words are our own, in ``explain``.
"""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from reconciler import resources
from reconciler.desired.document import Document, Path, Plain
from reconciler.model.errors import Problem

NAME: Final = "connections.schema.json"
MAX_ERRORS: Final = 500
SECTIONS: Final = ("egress", "connections", "runtimes", "strategies")
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file."""
    document: dict[str, Any] = json.loads(resources.schema(NAME))
    return document


@cache
def _decider() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema())


def accepts(value: Plain) -> bool:
    """Whether a value has the shape, by the deciding validator alone."""
    valid: bool = _decider().is_valid(value)
    return valid


def check(document: Document) -> tuple[tuple[Path, Problem], ...]:
    """Each problem of shape with its path, none where the loader has already refused the value."""
    if accepts(document.value):
        return ()
    from reconciler.desired import explain  # noqa: PLC0415 - a tenth of a second that good files do not pay

    errors = islice(_decider().iter_errors(document.value), MAX_ERRORS)
    failing: set[Path] = {tuple(error.instance_path) for error in errors}
    found = explain.problems(document, _only(document.value, failing), schema())
    if not found:
        # The deciding validator outranks the explaining one: never let a document through.
        found = explain.bare(document, failing)
    return tuple(item for item in found if not _under(item[0], document.broken))


def _only(value: Plain, failing: set[Path]) -> Plain:
    """``value`` without the entries of its sections in which nothing fails, which are most."""
    if not isinstance(value, dict):
        return value
    entries = {path[:2] for path in failing}
    return {
        name: {key: entry for key, entry in section.items() if (name, key) in entries or not _ID.match(key)}
        if name in SECTIONS and isinstance(section, dict)
        else section
        for name, section in value.items()
    }


def _under(path: Path, broken: frozenset[Path]) -> bool:
    return any(path[:length] in broken for length in range(len(path) + 1))
