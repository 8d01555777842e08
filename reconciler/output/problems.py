"""What is wrong with files, for people and for programs: ``validate``, and any error that ends a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from reconciler.model.errors import ConfigError, ExitCode, Mark, Problem, ReconcilerError, most_urgent
from reconciler.output import text
from reconciler.output.document import BLANK, WIDTH, Line, Role, Span, text_line
from reconciler.output.json import FORMAT_VERSION, Object, dumps, place
from reconciler.output.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that is wrong: a :class:`Problem`, or an error that may have no place in a file."""

    code: str
    message: str
    fix: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What ``validate`` found in ``files``: nothing, or the errors that any of its steps raised."""

    version: str
    files: tuple[str, ...]
    errors: tuple[ReconcilerError, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything wrong, in file order; what has no place comes last."""
        found = (entry for error in self.errors for entry in entries(error))
        return tuple(
            sorted(found, key=lambda entry: (entry.mark is None, entry.mark or _NOWHERE, entry.code))
        )

    @property
    def exit_code(self) -> ExitCode:
        """The most urgent exit code of the errors; ``DONE`` without any."""
        return most_urgent(error.exit_code for error in self.errors)


_NOWHERE = Mark(file="", line=0)


def entries(error: ReconcilerError) -> tuple[Entry, ...]:
    """The problems of a :class:`ConfigError`; of any other error the one that it is."""
    if isinstance(error, ConfigError) and error.problems:
        return tuple(_entry(problem) for problem in error.problems)
    return (Entry(code=error.code, message=error.message, fix=error.hint, mark=error.mark),)


def render_error(error: ReconcilerError, *, width: int = WIDTH) -> str:
    """``error`` for stderr: every problem with its place and fix; a count last where there are several."""
    found = entries(error)
    lines = list(_entry_lines(found))
    if len(found) > 1:
        lines += [BLANK, text_line(_count(found))]
    return text.paint(lines, width=width)


def render_text(validation: Validation, *, width: int = WIDTH) -> str:
    """The result of ``validate`` for people; the last line is ``validate: 2 errors in 1 file``."""
    found = validation.entries
    lines = [*_entry_lines(found), BLANK] if found else []
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
            {"code": entry.code, **place(entry.mark), "message": entry.message, "fix": entry.fix}
            for entry in validation.entries
        ],
        "exit_code": int(code),
        "exit_meaning": code.meaning,
    }
    return dumps(document)


def _entry(problem: Problem) -> Entry:
    return Entry(code=problem.code, message=problem.message, fix=problem.fix, mark=problem.mark)


def _entry_lines(found: Iterable[Entry]) -> Iterator[Line]:
    """``file:line:col: message [code]``, or ``error: …``, and the fix; a blank line between two files."""
    for index, (_, group) in enumerate(groupby(found, key=lambda entry: entry.mark and entry.mark.file)):
        if index:
            yield BLANK
        for entry in group:
            where = f"{entry.mark or 'error'}: "
            yield text_line(Span(where, Role.TITLE), entry.message, Span(f" [{entry.code}]", Role.MUTED))
            if entry.fix:
                yield Line(lead=(Span("    fix: ", Role.MUTED),), body=(Span(entry.fix),))


def _count(found: Iterable[Entry]) -> str:
    """``3 errors in 2 files``; errors without a place count no file."""
    held = tuple(found)
    files = {entry.mark.file for entry in held if entry.mark}
    return counted(len(held), "error") + (f" in {counted(len(files), 'file')}" if files else "")
