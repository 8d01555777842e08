"""Files that ship beside the code: schemas, examples and pages of the docs, in the wheel or in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder ``schemas``, ``examples`` or ``docs``: of the installed package, else of the checkout."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def schema(name: str) -> bytes:
    """The bytes of one JSON Schema, such as ``connections.schema.json``."""
    return (folder("schemas") / name).read_bytes()
