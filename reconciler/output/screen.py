"""The screen of any result, top to bottom, before anybody paints it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.report import Report, Validation
from reconciler.model.result import Result
from reconciler.output.document import Line
from reconciler.output.problems import validation_lines
from reconciler.output.report import report_lines
from reconciler.output.review import review_lines


def screen(result: Result, *, verbose: bool = False) -> Iterator[Line]:
    """Every line for ``result``; ``verbose`` shows what passed and what stays as it is, too."""
    if isinstance(result, Report):
        return report_lines(result, verbose=verbose)
    if isinstance(result, Validation):
        return validation_lines(result)
    return review_lines(result)
