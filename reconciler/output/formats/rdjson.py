"""``--output rdjson``: a DiagnosticResult of reviewdog, which comments on the lines of a pull request.

See https://github.com/reviewdog/reviewdog/tree/master/proto/rdf. Most of its reporters post a message
as Markdown, so that is what a message is here.
"""

from __future__ import annotations

from typing import Final

from reconciler.model.result import Result
from reconciler.output.json import Object, dumps
from reconciler.output.markdown import prose
from reconciler.output.note import Level, Note
from reconciler.output.notes import notes
from reconciler.output.options import Options
from reconciler.output.places import placed

_SEVERITIES: Final = {Level.ERROR: "ERROR", Level.WARNING: "WARNING", Level.NOTICE: "INFO"}


def render(result: Result, options: Options) -> str:
    """Everything but passes; what has no line stands at the first file as a whole."""
    found = [note for note in notes(result) if note.level is not Level.PASS]
    return dumps(
        {
            "source": {"name": "reconciler"},
            "severity": _SEVERITIES[found[0].level] if found else "INFO",
            "diagnostics": [_diagnostic(note, result, options) for note in found],
        }
    )


def _diagnostic(note: Note, result: Result, options: Options) -> Object:
    mark = placed(note, result, options)
    location: Object = {"path": mark.file}
    if note.mark:
        location["range"] = {"start": {"line": mark.line}}  # its columns count bytes, ours characters
    return {
        "message": "\n\n".join(map(prose, (note.title, *note.told()))),
        "location": location,
        "severity": _SEVERITIES[note.level],
        "code": {"value": note.rule},
    }
