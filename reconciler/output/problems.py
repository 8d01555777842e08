"""What is wrong with files, for people and for programs: the result of ``validate``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from reconciler.model.report import Concern, Validation, Weight
from reconciler.output.clean import clean
from reconciler.output.document import BLANK, Line, Role, Span, text_line
from reconciler.output.json import Object, head, place, tail
from reconciler.output.words import counted


def validation_lines(validation: Validation) -> Iterator[Line]:
    """The screen of ``validate``; its last line is :func:`summary`."""
    if validation.concerns:
        yield from concern_lines(validation.concerns)
        yield BLANK
    yield text_line(Span(summary(validation), Role.TITLE, whole=True))


def validation_document(validation: Validation) -> Object:
    """The result of ``validate`` under ``validate.schema.json``."""
    return {
        **head(validation.version),
        "files": list(validation.files),
        "problems": [concern_object(one) for one in validation.concerns],
        **tail(validation.exit_code),
    }


def summary(validation: Validation) -> str:
    """``validate: 2 errors in 1 file (3 files read)``; with advice ``…, 1 warning (3 files read)``."""
    found = validation.concerns
    advice = sum(one.weight is Weight.ADVICE for one in found)
    warnings = f", {counted(advice, 'warning')}" if advice else ""
    errors = error_count(one for one in found if one.weight is Weight.FAILS)
    return f"validate: {errors}{warnings} ({counted(len(validation.files), 'file')} read)"


def concern_object(concern: Concern) -> Object:
    """One concern, as the documents of ``validate`` and ``diff`` hold it."""
    return {
        "code": concern.code,
        "weight": concern.weight.value,
        **place(concern.mark),
        "commit": concern.commit,
        "message": concern.message,
        "fix": concern.fix,
    }


def concern_lines(found: Iterable[Concern]) -> Iterator[Line]:
    """``file:line:col: message [code]``, or ``error: …``, and the fix; a blank line between two files.

    Advice says that it is: ``file:line:col: advice: …``.
    """
    for index, (_, group) in enumerate(groupby(found, key=lambda one: one.mark and one.mark.file)):
        if index:
            yield BLANK
        for one in group:
            yield text_line(*_where(one), one.message, Span(f" [{one.code}]", Role.MUTED))
            if one.fix:
                yield Line(lead=(Span("    fix: ", Role.MUTED),), body=(Span(one.fix),))


def error_count(found: Iterable[Concern]) -> str:
    """``3 errors in 2 files``; errors without a place count no file."""
    held = tuple(found)
    files = {one.mark.file for one in held if one.mark}
    return counted(len(held), "error") + (f" in {counted(len(files), 'file')}" if files else "")


def _where(concern: Concern) -> Iterator[Span]:
    """Where it stands, with the commit when that is not the newest, and whether it is advice."""
    fails = concern.weight is Weight.FAILS
    if concern.mark or fails:
        at = f" (in {concern.commit[:12]})" if concern.commit else ""
        yield Span(f"{_place(concern)}{at}: ", Role.TITLE)
    if not fails:
        yield Span("advice: ", Role.WARN)


def _place(concern: Concern) -> str:
    """``file:line:col`` as editors read it; a name that looks like a line of ours gets a ``./`` in front."""
    told = str(concern.mark or "error")
    return f"./{told}" if ": " in clean(told) else told
