"""The report as it is posted: its marker, and its length within what GitHub takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_MARKER: Final = re.compile(r"<!-- reconciler:([a-z-]+):([0-9a-f]{8}) -->")
_ANY: Final = "00000000"
_LIMIT: Final = 65_000  # characters; GitHub takes 65,536
_CUT: Final = (
    "\n> **Cut:** the report is longer than GitHub takes; the run's summary and JSON have all of it.\n"
)


class WrongInput(Exception):
    """The environment does not say what to post, or where."""


def read(path: str) -> str:
    """The report, cut to what GitHub takes. Raise ``WrongInput`` unless its first line is a marker."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        raise WrongInput("PUBLISH_REPORT names no file that can be read") from None
    if not _MARKER.fullmatch(text.partition("\n")[0].strip()):
        raise WrongInput("the report does not begin with the marker of a reconcile report")
    return cut(text)


def cut(text: str) -> str:
    """``text`` within the limit: the notice comes first, and what was opened is closed."""
    if len(text) <= _LIMIT:
        return text
    marker, _, rest = text.partition("\n")
    kept = rest[: _LIMIT - len(marker) - len(_CUT) - 200].rpartition("\n")[0]
    fence = "\n```" if len(re.findall(r"^```", kept, re.MULTILINE)) % 2 else ""
    details = "\n</details>" * min(10, max(0, kept.count("<details>") - kept.count("</details>")))
    return f"{marker}\n{_CUT}\n{kept}{fence}{details}\n"


def same(old: str, new: str) -> bool:
    """Whether two reports are of the same command on the same files; zeros are of whatever files."""
    before, after = _MARKER.match(old), _MARKER.match(new)
    if not before or not after or before[1] != after[1]:
        return False
    return before[2] == after[2] or _ANY in (before[2], after[2])
