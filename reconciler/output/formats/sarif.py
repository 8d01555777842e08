"""``--output sarif``: SARIF 2.1.0, for code scanning.

See https://docs.oasis-open.org/sarif/sarif/v2.1.0/ and, for what GitHub makes of it,
https://docs.github.com/code-security/reference/code-scanning/sarif-files/sarif-support-for-code-scanning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from reconciler.model.errors import Mark
from reconciler.model.result import Result, mode_of
from reconciler.output.json import Object, dumps
from reconciler.output.note import Level, Note
from reconciler.output.notes import notes
from reconciler.output.options import Options
from reconciler.output.places import fingerprints, placed
from reconciler.output.words import counted

#: GitHub shows so many of a run, the most pressing first, and refuses a file of five times as many.
MOST: Final = 5000

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTICE: "note"}


def render(result: Result, options: Options) -> str:
    """One run with every note but passes, the most pressing first."""
    every = [note for note in notes(result) if note.level is not Level.PASS]
    found = [(note, placed(note, result, options)) for note in every[:MOST]]
    about = {note.rule: note.about for note, _ in found}
    rules = {rule: index for index, rule in enumerate(about)}
    named = zip(found, fingerprints(found), strict=True)
    run: Object = {
        "tool": {"driver": _driver(about, result.version)},
        "automationDetails": {"id": f"reconciler/{mode_of(result)}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(len(every) - len(found))],
        "results": [_result(note, mark, rules, fingerprint) for (note, mark), fingerprint in named],
    }
    return dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _driver(about: Mapping[str, str], version: str) -> Object:
    rules = [_rule(rule, text) for rule, text in about.items()]
    return {"name": "reconciler", "version": version, "rules": rules}


def _rule(rule: str, about: str) -> Object:
    """The same in every run, so that what is told of one alert never changes the text of another."""
    title = rule.replace("-", " ")
    return {
        "id": rule,
        "name": "".join(word.capitalize() for word in title.split()) or rule,
        "shortDescription": {"text": title},
        "fullDescription": {"text": about},
        "help": {"text": f"{about}\nEach result says what was seen, and what to do about it."},
    }


def _invocation(left_out: int) -> Object:
    """That we ran, and how much of it is not here."""
    told = {"level": "warning", "message": {"text": f"{counted(left_out, 'result')} left out"}}
    return {"executionSuccessful": True, "toolExecutionNotifications": [told] if left_out else []}


# GitHub knows an alert again by the one fingerprint of this name. Without it, it would take one of the
# line's text, and a connection that moves within its file would be an alert closed and another opened.
def _result(note: Note, mark: Mark, rules: Mapping[str, int], fingerprint: str) -> Object:
    region = {"startLine": mark.line, "startColumn": mark.column}
    artifact = {"uri": _uri(mark.file)}
    answered = [{"kind": "external", "justification": note.accepted_by}] if note.accepted_by else []
    return {
        "ruleId": note.rule,
        "ruleIndex": rules[note.rule],
        "level": _LEVELS[note.level],
        "message": {"text": _unlinked("\n".join((note.title, *note.told())))},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
        "suppressions": answered,
    }


def _uri(path: str) -> str:
    """A file of the repository as a relative URI; one elsewhere as an absolute one."""
    escaped = quote(path.encode("utf-8", "backslashreplace"))
    return f"file://{escaped}" if path.startswith("/") else escaped


def _unlinked(text: str) -> str:
    """``text`` without the link ``[text](destination)`` that SARIF knows in a plain message (§3.11.6)."""
    return text.replace("](", "] (")
