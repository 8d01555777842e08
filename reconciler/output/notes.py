"""Every result as notes, the most pressing first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.model.doubts import DOUBTS
from reconciler.model.errors import Mark
from reconciler.model.report import Concern, Report, Validation, Weight
from reconciler.model.result import Result
from reconciler.model.review import Review, Risk
from reconciler.output.note import Level, Note
from reconciler.output.report_notes import report_notes
from reconciler.output.review_words import KINDS, STATES, raises, subject_of

_ORDER: Final = tuple(Level)

_CONCERN: Final = "Something is wrong with the files, or between two revisions of them."
_RISK: Final = "A change by which more can be lost than before. It stops nothing; somebody should want it."
_PASSED: Final = "Read, with nothing to say against it."


def notes(result: Result) -> tuple[Note, ...]:
    """Errors, warnings, notices, then what passed; within a level in the order of the result."""
    if isinstance(result, Report):
        found = report_notes(result)
    else:
        found = _validation(result) if isinstance(result, Validation) else _review(result)
    return tuple(sorted(found, key=lambda note: _ORDER.index(note.level)))


def _validation(validation: Validation) -> Iterator[Note]:
    """Its concerns, and a pass for each file, or folder that was named instead, without any."""
    yield from map(concern_note, validation.concerns)
    named = {one.mark.file for one in validation.concerns if one.mark}
    for file in validation.files:
        if not any(f"{name}/".startswith(f"{file.rstrip('/')}/") for name in named):
            yield Note(rule="valid", level=Level.PASS, subject=file, about=_PASSED)


def concern_note(concern: Concern) -> Note:
    """A concern. What stands in an older commit alone goes to the top of its file: lines moved since."""
    mark, where = concern.mark, ""
    if concern.commit:
        where = f" ({mark or 'it stands'} in commit {concern.commit[:12]})"
        mark = Mark(file=mark.file, line=1) if mark else None
    return Note(
        rule=concern.code,
        level=Level.ERROR if concern.weight is Weight.FAILS else Level.WARNING,
        subject=mark.file if mark else "files",
        about=_about(concern.code),
        message=concern.message + where,
        fix=concern.fix,
        mark=mark,
        detail=concern.message,
    )


def _about(code: str) -> str:
    """What a code means: in its own words where ``explain`` knows them."""
    doubt = DOUBTS.get(code)
    return f"{doubt.title}. {doubt.cause} More: reconcile explain {code}" if doubt else _CONCERN


def _review(review: Review) -> Iterator[Note]:
    """Its concerns, a warning for all that raises risk, and a pass for every other change."""
    yield from map(concern_note, review.concerns)
    for one in raises(review):
        yield Note(
            rule="risk-up",
            level=Level.WARNING,
            subject=one.subject,
            about=_RISK,
            message=one.told,
            cause=one.why,
            mark=one.mark,
            path=one.path,
        )
    items = [(KINDS[one.kind], subject_of(one), one.risks()) for one in review.changes]
    files = [(STATES[one.state], f"secret {one.file}", one.risks()) for one in review.secrets]
    for label, subject, risks in (*items, *files):
        if all(risk is not Risk.UP for risk, _ in risks):
            yield Note(rule=label[2:], level=Level.PASS, subject=subject, about=_PASSED)
