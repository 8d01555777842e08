"""How JSON leaves: in its own types, indented, exact in its text, and silent to terminals.

``format_version`` is a promise: its minor part grows when a field is added, its major part when one
changes or goes. Keys stand in a fixed order. Text is exact: a decoder gets back what was read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from reconciler.model.errors import ExitCode, Mark
from reconciler.output.words import iso

Object: TypeAlias = dict[str, Any]
"""A JSON object on its way out."""

FORMAT_VERSION: Final = "1.0"


def dumps(document: object) -> str:
    r"""``document`` indented, ending in a newline, with nothing in it that a terminal or a CI runner obeys.

    What is not printable stands as a ``\u`` escape, which a decoder turns back. ``##`` does too,
    because GitHub Actions and Azure Pipelines look for orders behind it anywhere in a line.
    """
    text = json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False)
    if not text.replace("\n", "").isprintable():
        text = "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)
        text = text.replace("\x7f", "\\u007f")
    return text.replace("##", r"#\u0023") + "\n"


def plain(value: object) -> object:
    """``value`` in JSON's own types. What JSON lacks (a Decimal, a date, NaN) becomes its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def head(version: str) -> Object:
    """What every document begins with: its format and what wrote it."""
    return {"format_version": FORMAT_VERSION, "tool": {"name": "reconciler", "version": version}}


def tail(code: ExitCode) -> Object:
    """What every document ends with: the exit code, as a number and in words."""
    return {"exit_code": int(code), "exit_meaning": code.meaning}


def place(mark: Mark | None) -> Object:
    """``file``, ``line`` and ``column`` (from 1), each ``None`` where there is no place."""
    if mark is None:
        return {"file": None, "line": None, "column": None}
    return {"file": mark.file, "line": mark.line, "column": mark.column}


def moment(when: datetime | None) -> str | None:
    """A moment in UTC, ``None`` for none."""
    return iso(when) if when else None
