"""How somebody wants to see a result."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.output.document import WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person wants to see (``verbose``, ``width`` in columns, ``colour``), which machines ignore.

    ``folder`` is where the process runs and ``root`` the top of the repository, both absolute:
    formats that a forge reads name files from ``root``. Without a ``root`` names stay as they are.
    """

    verbose: bool = False
    width: int = WIDTH
    colour: bool = False
    folder: str = ""
    root: str = ""
