"""What is wrong with files, for people and for programs: ``validate``, and any error that ends a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from reconciler.model.errors import ReconcilerError
from reconciler.model.report import Concern, Validation, concerns_of
from reconciler.output import text
from reconciler.output.document import BLANK, WIDTH, Line, Role, Span, text_line
from reconciler.output.json import FORMAT_VERSION, Object, dumps, place
from reconciler.output.words import counted


def render_error(error: ReconcilerError, *, width: int = WIDTH) -> str:
    """``error`` for stderr: every problem with its place and fix; a count last where there are several."""
    found = concerns_of(error)
    lines = list(concern_lines(found))
    if len(found) > 1:
        lines += [BLANK, text_line(_count(found))]
    return text.paint(lines, width=width)


def render_text(validation: Validation, *, width: int = WIDTH) -> str:
    """The result of ``validate`` for people; the last line is ``validate: 2 errors in 1 file``."""
    found = validation.concerns
    lines = [*concern_lines(found), BLANK] if found else []
    checked = counted(len(validation.files), "file")
    return text.paint([*lines, text_line(f"validate: {_count(found)} ({checked} read)")], width=width)


def render_json(validation: Validation) -> str:
    """The result of ``validate`` under ``validate.schema.json``."""
    code = validation.exit_code
    document: Object = {
        "format_version": FORMAT_VERSION,
        "tool": {"name": "reconciler", "version": validation.version},
        "files": list(validation.files),
        "problems": [
            {"code": one.code, **place(one.mark), "message": one.message, "fix": one.fix}
            for one in validation.concerns
        ],
        "exit_code": int(code),
        "exit_meaning": code.meaning,
    }
    return dumps(document)


def concern_lines(found: Iterable[Concern]) -> Iterator[Line]:
    """``file:line:col: message [code]``, or ``error: …``, and the fix; a blank line between two files."""
    for index, (_, group) in enumerate(groupby(found, key=lambda one: one.mark and one.mark.file)):
        if index:
            yield BLANK
        for one in group:
            where = f"{one.mark or 'error'}: "
            yield text_line(Span(where, Role.TITLE), one.message, Span(f" [{one.code}]", Role.MUTED))
            if one.fix:
                yield Line(lead=(Span("    fix: ", Role.MUTED),), body=(Span(one.fix),))


def _count(found: Iterable[Concern]) -> str:
    """``3 errors in 2 files``; errors without a place count no file."""
    held = tuple(found)
    files = {one.mark.file for one in held if one.mark}
    return counted(len(held), "error") + (f" in {counted(len(files), 'file')}" if files else "")
