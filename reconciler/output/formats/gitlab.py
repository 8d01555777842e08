"""``--output gitlab``: a Code Quality report, for the ``codequality`` artifact of a GitLab job.

See https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

from typing import Final

from reconciler.model.errors import Mark
from reconciler.model.result import Result
from reconciler.output.json import Object, dumps
from reconciler.output.note import Level, Note
from reconciler.output.notes import notes
from reconciler.output.options import Options
from reconciler.output.places import fingerprints, placed

_SEVERITIES: Final = {Level.ERROR: "blocker", Level.WARNING: "minor", Level.NOTICE: "info"}


def render(result: Result, options: Options) -> str:
    """Everything but passes. A merge request widget shows the description alone, so the rule leads it."""
    found = [(note, placed(note, result, options)) for note in notes(result) if note.level is not Level.PASS]
    named = zip(found, fingerprints(found), strict=True)
    return dumps([_issue(note, mark, fingerprint) for (note, mark), fingerprint in named])


def _issue(note: Note, mark: Mark, fingerprint: str) -> Object:
    return {
        "description": f"{note.title}: {'; '.join(note.told())}",
        "check_name": note.rule,
        "fingerprint": fingerprint,
        "severity": _severity(note),
        "location": {"path": mark.file, "lines": {"begin": mark.line}},
    }


def _severity(note: Note) -> str:
    """``blocker`` for what failed and blocks, ``major`` for what blocks until it is known."""
    return "major" if note.unknown and note.level is Level.ERROR else _SEVERITIES[note.level]
