"""``validate`` as a comment: what is wrong with the files."""

from __future__ import annotations

from reconciler.model.report import Validation
from reconciler.output.comment import Comment
from reconciler.output.markdown import inline
from reconciler.output.markdown_parts import foot, named, notes_section, pressing, status
from reconciler.output.note import Level
from reconciler.output.notes import notes
from reconciler.output.options import Options
from reconciler.output.problems import summary


def validation_comment(validation: Validation, marker: str, options: Options) -> Comment:
    """The errors, then the advice; one line where there is neither."""
    found = notes(validation)
    errors, warnings = pressing(found, Level.ERROR), pressing(found, Level.WARNING)
    symbol = status(fails=bool(errors), warns=bool(warnings))
    counts = summary(validation).removeprefix("validate: ")
    if not validation.concerns:
        return Comment(marker=marker, title=f"{symbol} **reconcile validate**: {counts}")
    return Comment(
        marker=marker,
        title=f"### {symbol} reconcile validate: {counts}",
        sections=(
            notes_section("Errors", errors, options),
            notes_section("Advice", warnings, options),
        ),
        foot=foot(
            validation.exit_code,
            f"from {named(validation.files)}",
            f"reconciler {inline(validation.version)}",
        ),
    )
