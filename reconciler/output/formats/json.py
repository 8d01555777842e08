"""``--output json``: every result as a document for programs, each under its file in ``schemas/``."""

from __future__ import annotations

from reconciler.model.report import Mode, Report, Validation
from reconciler.model.result import Result
from reconciler.output.json import Object, dumps
from reconciler.output.options import Options
from reconciler.output.problems import validation_document
from reconciler.output.report_json import check_document, report_document
from reconciler.output.review_json import review_document


def render(result: Result, options: Options | None = None) -> str:
    """``result`` as a JSON document, ending in a newline. No option changes it."""
    del options
    return dumps(document(result))


def document(result: Result) -> Object:
    """The document of ``result``; that of ``check`` holds its connections and nothing of a plan."""
    if isinstance(result, Validation):
        return validation_document(result)
    if isinstance(result, Report):
        return check_document(result) if result.mode is Mode.CHECK else report_document(result)
    return review_document(result)
