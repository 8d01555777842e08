"""``--output github``: annotations, as commands that GitHub Actions reads from standard output.

See https://docs.github.com/actions/reference/workflow-commands-for-github-actions; the escapes are those
of ``packages/core/src/command.ts`` in actions/toolkit.
"""

from __future__ import annotations

from typing import Final

from reconciler.model.result import Result
from reconciler.output.clean import clean
from reconciler.output.note import Level, Note
from reconciler.output.notes import notes
from reconciler.output.options import Options
from reconciler.output.places import relative
from reconciler.output.summary import summary
from reconciler.output.words import counted

#: GitHub keeps this many of each kind for a step and drops the rest without a word.
MOST: Final = 10

_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render(result: Result, options: Options) -> str:
    """Up to ten errors, up to ten warnings, what was left out, and the summary, which orders nothing."""
    found = notes(result)
    by_level = {
        level: [note for note in found if note.level is level] for level in (Level.ERROR, Level.WARNING)
    }
    rows = [_annotation(note, options) for some in by_level.values() for note in some[:MOST]]
    left = [
        counted(len(some) - MOST, f"more {level.value}") for level, some in by_level.items() if some[MOST:]
    ]
    if left:
        told = f"{' and '.join(left)} are not annotated: the summary of this run lists what was found"
        rows.append(_command("notice", {"title": "reconciler"}, told))
    return "\n".join([*rows, clean(summary(result))]) + "\n"


def _annotation(note: Note, options: Options) -> str:
    """One note at its line; on the run as a whole where it has none."""
    where = {}
    if note.mark:
        file = clean(relative(note.mark.file, options))
        where = {"file": file, "line": str(note.mark.line), "col": str(note.mark.column)}
    return _command(note.level.value, where | {"title": note.title}, "\n".join(note.told()))


def _command(name: str, properties: dict[str, str], data: str) -> str:
    written = ",".join(f"{key}={value.translate(_PROPERTY)}" for key, value in properties.items())
    return f"::{name} {written}::{data.translate(_DATA)}"
