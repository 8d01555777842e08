"""An error that ends a run, for people: every problem of it, with its place and its fix."""

from __future__ import annotations

from typing import Any

from reconciler.model.errors import ReconcilerError
from reconciler.model.report import concerns_of
from reconciler.output.document import BLANK, WIDTH, plain, text_line
from reconciler.output.problems import concern_lines, concern_object, error_count


def render_error(error: ReconcilerError, *, width: int = WIDTH) -> str:
    """``error`` for stderr: every problem with its place and fix; a count last where there are several."""
    found = concerns_of(error)
    lines = list(concern_lines(found))
    if len(found) > 1:
        lines += [BLANK, text_line(error_count(found))]
    return plain(lines, width)


def error_fields(error: ReconcilerError) -> dict[str, Any]:
    """``error`` for programs that read the log: code, exit code, hint, and every problem of it."""
    return {
        "code": error.code,
        "exit_code": int(error.exit_code),
        "hint": error.hint,
        "problems": [concern_object(one) for one in concerns_of(error)],
    }
