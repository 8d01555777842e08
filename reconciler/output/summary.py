"""The one line of fixed shape that every result ends with, for people and for grep."""

from __future__ import annotations

from reconciler.model.report import Report, Validation
from reconciler.model.result import Result
from reconciler.output import closing, problems, review_words


def summary(result: Result) -> str:
    """``reconcile: …``, ``check: …``, ``validate: …`` or ``diff: …``."""
    if isinstance(result, Report):
        return closing.summary(result)
    return problems.summary(result) if isinstance(result, Validation) else review_words.summary(result)
