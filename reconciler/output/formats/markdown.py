"""``--output markdown``: a comment on a pull request, or the summary of a job.

Its first line is a comment that no reader sees, ``<!-- reconciler:diff:0a1b2c3d -->``: the same for the
same command over the same files, so that a pipeline can put the new one in the place of the last.
"""

from __future__ import annotations

from reconciler.model.report import Report, Validation
from reconciler.model.result import Result, mode_of
from reconciler.output.comment import Comment
from reconciler.output.markdown_report import report_comment
from reconciler.output.markdown_review import review_comment
from reconciler.output.markdown_validation import validation_comment
from reconciler.output.options import Options
from reconciler.output.places import name_of


def render(result: Result, options: Options) -> str:
    """Status and counts, what stops it, what raises risk, then everything else; folded where it is long."""
    return _comment(result, marker(result), options).text()


def marker(result: Result) -> str:
    """The hidden first line."""
    return f"<!-- reconciler:{mode_of(result)}:{name_of(*sorted(result.files))[:8]} -->"


def _comment(result: Result, hidden: str, options: Options) -> Comment:
    if isinstance(result, Report):
        return report_comment(result, hidden, options)
    if isinstance(result, Validation):
        return validation_comment(result, hidden, options)
    return review_comment(result, hidden, options)
